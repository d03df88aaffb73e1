"""What a run of a fault shows: printed as it happens, and kept in the one form that every tool of faults writes (--json)."""

import time
import traceback

from reporting import result


class Recorded:
    """What plays a fault, and tells the run's `record` what it sees."""

    record = None

    def expect(self, what, holds):
        return self.record.expect(what, holds)

    def show(self, what):
        self.record.show(what)

    def mark(self, what):
        self.record.mark(what)


class Record:
    """One run of one fault: its lines, which held or did not, and what was done when, on the clock of the load beside it."""

    def __init__(self, fault, what, seed):
        self.fault, self.what, self.seed, self.began = fault, what, seed, time.monotonic()
        self.lines, self.marks, self.load, self.left_out = [], [], None, None
        print(f"== {fault}, seed {seed}: {what}", flush=True)

    def expect(self, what, holds):
        """Judges: it must hold."""
        print(f"  {'held  ' if holds else 'BROKEN'}  {what}", flush=True)
        self.lines.append({"what": what, "held": bool(holds)})
        return holds

    def show(self, what):
        """Only shows."""
        print(f"          {what}", flush=True)
        self.lines.append({"what": what, "held": None})

    def mark(self, what):
        """Something is done now."""
        self.marks.append((time.monotonic(), what))

    def under(self, load):
        """The load that goes on from now on, whose clock marks are on. Of several the last one counts."""
        self.load = load

    def leave_out(self, why):
        print(f"  left out: {why}", flush=True)
        self.left_out = why

    @property
    def broken(self):
        return [line["what"] for line in self.lines if line["held"] is False]

    def play(self, scenario):
        """Plays it to its end, whatever that is: other ones are played after it."""
        try:
            scenario()
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            self.expect("it was played to its end", False)
        self.took_s = time.monotonic() - self.began
        print(f"  {self.took_s:.0f} s", flush=True)

    def form(self):
        """Marks are seconds since the load began; since its check did, where it had nothing else; since the fault's own beginning where it had neither."""
        load, found = getattr(self.load, "latency", None), getattr(self.load, "found", None)
        clock, zero = ("load", self.load.run_began) if load else ("check", self.load.began) if found else ("fault", self.began)
        held = None if self.left_out else not self.broken
        made = {"fault": self.fault, "what": self.what, "seed": self.seed, "tookS": round(self.took_s, 1), "held": held, "clock": clock}
        made["marks"] = [{"atS": round(at - zero, 2), "what": what} for at, what in self.marks]
        return {**made, "lines": self.lines, "check": found, "load": load, **({"leftOut": self.left_out} if self.left_out else {})}


def written(path, stamped, runs):
    """The document of a tool of faults; `runs` as their records have them."""
    result.write(path, {"stamp": stamped, "tool": "faults", "runs": runs})
