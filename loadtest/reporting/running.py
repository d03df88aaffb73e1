"""Runs sections: each part a process of its own with a deadline, its results and how it went in one file."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile
import time

from servers.process import free_ports, serving

from . import need, result
from .section import CORPUS

# A part may take so many times the minutes of its section, and some more: whatever takes longer hangs.
TIMES_MAX, MORE_S = 4, 300
# How much of what a command said is kept in the file, from its end.
SAID_MAX = 4000
# How long the machine is looked at before a section.
LOOK_S = 2
LIMITLESS = [word for kind in ("read", "write", "search") for word in ("--set", f"rate.{kind}_per_s=0")]
SERVED = "target/release/lets-connect --set rate.read_per_s=0 --set rate.write_per_s=0 --set rate.search_per_s=0"


def commit():
    """What is checked out, and whether something was changed since."""
    def git(*arguments):
        return subprocess.run(["git", "-C", str(need.ROOT), *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (", changed" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def busy_share(seconds=LOOK_S):
    """How busy others keep the machine, 0 to 1, over some seconds."""
    def ticks():
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    try:
        before = ticks()
        time.sleep(seconds)
        after = ticks()
    except (OSError, ValueError):
        return None
    return 1 - (after[1] - before[1]) / max(after[0] - before[0], 1)


def repeated(part, is_short):
    """The command as one types it from the checkout, with the platform that it wants."""
    command = part.command(is_short).format(folder="target/release", base="http://127.0.0.1:8000", photos="FILE…")
    return f"{SERVED} &\n{command}" if part.served else command


class Run:
    """What all sections of a run have in common."""

    def __init__(self, binaries, results, is_short, photos):
        self.binaries, self.results, self.is_short = binaries, results, is_short
        self.photos = photos or [need.ROOT / "images/tests/corpus" / name for name in CORPUS]
        self.commit, self.machine = commit(), result.machine()

    def section(self, section):
        """Runs a section, and writes its file whatever becomes of it."""
        found = {"section": section.name, "short": self.is_short, "commit": self.commit, "stamp": result.stamp(), "memoryGib": result.memory_gib()}
        found |= {"loadBefore": os.getloadavg()[0], "busyBefore": busy_share(), "parts": {}}
        began = time.monotonic()
        if lacks := need.lacking(section.needs):
            found |= {"status": "lacking", "why": f"It needs {lacks}."}
        else:
            for part in section.parts:
                found["parts"][part.name] = self.part(section, part)
            failed = [f"{name}: {one['why']}" for name, one in found["parts"].items() if one["result"] is None]
            found |= {"status": "failed" if failed else "ran", "why": "; ".join(failed) or None}
        found["tookS"] = round(time.monotonic() - began, 1)
        result.write(self.results / f"{section.name}.json", found)
        return found

    def part(self, section, part):
        """How one command went, and what it wrote."""
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
            written, base = pathlib.Path(folder) / "result.json", ""
            log = self.results / "logs" / f"{section.name}-{part.name}.txt"
            log.parent.mkdir(exist_ok=True)
            began = time.monotonic()
            try:
                if part.served:
                    base = running.enter_context(self.platform(folder))
                said, status = self.ended(self.words(part, base, written), log, section.minutes[self.is_short] * 60 * TIMES_MAX + MORE_S)
            # Whatever a server of a tool's own does not do, the other sections are run.
            except (OSError, SystemExit) as failure:
                if isinstance(failure, SystemExit) and failure.code == 128 + signal.SIGTERM:
                    raise
                said, status = str(failure), None
            found = {"command": repeated(part, self.is_short), "exitStatus": status, "tookS": round(time.monotonic() - began, 1), "said": said[-SAID_MAX:], "why": None}
            return found | self.read(written, said, status)

    def words(self, part, base, written):
        """The command's words: a folder's name may have blanks, so words are filled in one by one."""
        words = []
        for word in shlex.split(part.command(self.is_short)):
            words += map(str, self.photos) if word == "{photos}" else [word.format(folder=self.binaries, base=base)]
        program = need.ROOT / words[0]
        return [str(program) if program.exists() else words[0], *words[1:], "--json", str(written)]

    @contextlib.contextmanager
    def platform(self, folder):
        """A platform on the embedded store, without limits of rates; its address."""
        port = free_ports()
        command = [self.binaries / "lets-connect", "--data-dir", f"{folder}/data", "--listen-port-base", port, "--set", "log.filter=warn", *LIMITLESS]
        with serving(command, port, "/health/ready"):
            yield f"http://127.0.0.1:{port}"

    def ended(self, words, log, seconds):
        """What a command said until it ended, and its status. Beyond its time it is asked to end, and made to."""
        with log.open("w") as file:
            process = subprocess.Popen(words, cwd=need.ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                file.write(f"\nit took more than {seconds:.0f} s, and was ended\n")
                status = None
            finally:
                if process.poll() is None:
                    self.end(process)
        return log.read_text(errors="replace"), status

    def end(self, process):
        """Asks the process, which cleans up what it started, and ends its group if it does not."""
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def read(self, written, said, status):
        """A result counts where the file is whole, whether or not what it says is what was wished."""
        try:
            return {"result": json.loads(written.read_text(encoding="utf-8"))}
        except (OSError, ValueError):
            last = [line.strip() for line in said.splitlines() if line.strip()][-1:] or ["it said nothing"]
            ended = "did not end by itself" if status is None else f"ended with status {status}"
            return {"result": None, "why": f"the command wrote no result and {ended}: {plain(last[0])[:300]}"}


def plain(line):
    """Without what colours a terminal, and without the names of folders that are gone by now."""
    line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)
    return re.sub(r"/tmp/tmp\w+", "…", line)
