"""The load that a platform or a cluster is under while something happens to it, and what it was served.

It plays in a scene: anything that has `nodes` (each with its `base`), `clients` (the place of clients), `binaries`, `folder`, `seed` and `pace`.
"""

import json
import re
import subprocess
import threading
import time

from servers.place import ask

READS_MAX = 100_000_000
# Of few keys each is hot, and lent to other nodes; of many most are not.
KEYS = (8, 60)
# Readers and writers: with three edges four and two at each, and as many that go to any.
SESSIONS = (16, 8)
# Reads and writes of the checker a second, and requests of the open-loop load: through a switch in user space, next to everything else, on two cores.
PACES = {"loopback": (2000, 200, 100), "network": (600, 100, 50)}


class Told:
    """A program that tells on standard error how far it is, and when it did."""

    def __init__(self, place, command):
        with place.entered():
            self.process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.said = [], threading.Condition()
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        for line in self.process.stderr:
            with self.said:
                self.lines.append((time.monotonic(), line.strip()))
                self.said.notify_all()

    def wait_for(self, text, seconds):
        """When it said so; None if it does not."""
        heard = lambda: next((at for at, line in self.lines if text in line), None)  # noqa: E731
        with self.said:
            self.said.wait_for(lambda: heard() is not None or self.process.poll() is not None, seconds)
            return heard()

    def end(self):
        """Waits for it; its exit status."""
        self.printed = self.process.stdout.read()
        self.process.wait()
        self.listener.join()
        return self.process.returncode

    def last_words(self):
        return "; ".join(line for _, line in self.lines[-2:])


class OpenLoop:
    """`loadtest run` for so many seconds, at each of these edges: what others notice of a fault."""

    def __init__(self, scene, seconds, mix="browse", rate=100, bases=None, more=()):
        self.report = scene.folder / "run.json"
        self.report.unlink(missing_ok=True)
        there = [word for base in bases or [node.base for node in scene.nodes] for word in ("--base", base)]
        command = [scene.binaries / "loadtest", "run", mix, *there, "--rate", rate, "--warmup", "1s", "--duration", f"{seconds}s", "--people", "10", "--posts", "30"]
        self.told = Told(scene.clients, [*command, "--products", "30", "--json", self.report, "--seed", scene.seed, *more])

    def begin(self):
        """Waits until requests are due; `run_began` is second 0 of its series."""
        self.run_began = None
        if self.told.wait_for("p99", 60) is not None:
            # Each second is told of when it is over.
            self.run_began = next(at - int(text.group(1)) for at, line in self.told.lines if (text := re.match(r"\s*(\d+) s\s", line)))
        return self.run_began

    def end(self):
        """Waits for its end, and reads what it measured."""
        self.told.end()
        self.latency = json.loads(self.report.read_text())
        return self

    def p99_ms(self, after, before):
        """The 99th percentile of each second that ended between these two times, in milliseconds."""
        ended = lambda second: self.run_began + second["second"] + 1  # noqa: E731
        return [second["p99Us"] / 1000 for second in self.latency["series"] if after <= ended(second) < before and second["ended"]]


class Load(OpenLoop):
    """The history checker as fast as it is paced, and an open-loop load beside it, both at all edges, for so many seconds. The checker goes to nodes that are
    still to come, too, as soon as they are there."""

    def __init__(self, scene, seconds, sessions=SESSIONS, pace=None, coming=(), mix="browse", keys=None, deadline_s=10):
        reads_each_s, writes_each_s, rate = pace or scene.pace
        self.checked = scene.folder / "check.json"
        self.checked.unlink(missing_ok=True)
        there = [node.base for node in scene.nodes if node not in coming]
        bases = [word for base in there + [node.base for node in coming] for word in ("--base", base)]
        paced = ["--readers", sessions[0], "--writers", sessions[1], "--reads-per-second", reads_each_s, "--writes-per-second", writes_each_s]
        paced += ["--keys", keys or KEYS[scene.seed % len(KEYS)], "--deadline", f"{deadline_s}s", "--reads", READS_MAX, "--seed", scene.seed]
        self.check = Told(scene.clients, [scene.binaries / "loadtest", "check", *bases, *paced, "--duration-max", f"{seconds}s", "--json", self.checked])
        super().__init__(scene, seconds, mix, rate, there)

    def begin(self):
        self.began = self.check.wait_for("the check begins", 60)
        if self.began is None or super().begin() is None:
            for told in (self.check, self.told):
                told.process.kill()
                told.end()
            raise RuntimeError(f"the load does not begin: {self.check.last_words()}; {self.told.last_words()}")
        return self

    def end(self):
        """Waits for both, and reads what they found."""
        self.check.end()
        self.found = json.loads(self.checked.read_text())
        return super().end()

    def longest_ms(self, access, edges):
        """The longest wait for a `read` or `write` at these edges."""
        return max((edge[f"{access}WaitMsMax"] for edge in self.found["edges"] if edge["base"] in edges), default=0.0)

    def served_each_second(self, access):
        return [second[access] for second in self.found["seconds"]]


def post(place, node, path, body, token=None, key=None, timeout=12, method="POST"):
    """A POST of JSON through a node: its status and body, or (0, b"") if there was no answer."""
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    if key:
        headers["idempotency-key"] = key
    try:
        status, _, answer = ask(place, node.place.host, node.port, path, method=method, body=json.dumps(body), headers=headers, timeout=timeout)
        return status, answer
    except OSError:
        return 0, b""
