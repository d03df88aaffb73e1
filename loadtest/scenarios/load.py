"""The load that a cluster is under while something happens to it, and what it was served."""

import json
import subprocess
import threading
import time

from servers.place import ask

CHECK = ["--deadline", "10s", "--reads", "100000000"]
# Of few keys each is hot, and lent to other nodes; of many most are not.
KEYS = (8, 60)
# Readers and writers: with three edges four and two at each, and as many that go to any.
SESSIONS = (16, 8)
# Through a switch in user space, next to everything else, on two cores.
RATES = {"loopback": (2000, 200, 100), "network": (600, 100, 50)}


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


class Load:
    """The history checker as fast as it is paced, and an open-loop load beside it, both at all edges, for so many seconds. The checker goes to nodes that are
    still to come, too, as soon as they are there."""

    def __init__(self, stage, seconds, sessions=SESSIONS, pace=None, coming=(), mix="browse"):
        self.stage = stage
        reads_each_s, writes_each_s, rate = pace or RATES["network" if stage.cluster.network else "loopback"]
        self.report, self.run_report = (stage.cluster.folder / name for name in ("check.json", "run.json"))
        there = [word for node in stage.cluster.nodes if node not in coming for word in ("--base", node.base)]
        bases = there + [word for node in coming for word in ("--base", node.base)]
        seed = ["--seed", str(stage.seed)]
        place, tool = stage.clients, stage.binaries / "loadtest"
        paced = ["--readers", sessions[0], "--writers", sessions[1], "--reads-per-second", reads_each_s, "--writes-per-second", writes_each_s]
        keys = ["--keys", KEYS[stage.seed % len(KEYS)]]
        command = [tool, "check", *bases, *CHECK, *keys, *paced, *seed, "--duration-max", f"{seconds}s", "--json", self.report]
        self.check = Told(place, command)
        command = [tool, "run", mix, *there, "--rate", rate, "--warmup", "1s", "--duration", f"{seconds}s", "--people", "10", "--posts", "30"]
        self.run = Told(place, [*command, "--products", "30", "--json", self.run_report, *seed])

    def begin(self):
        self.began = self.check.wait_for("the check begins", 60)
        if self.began is None or self.run.wait_for("p99", 60) is None:
            self.check.process.kill()
            self.run.process.kill()
            self.check.end()
            self.run.end()
            raise RuntimeError(f"the load does not begin: {self.check.last_words()}; {self.run.last_words()}")
        return self

    def end(self):
        """Waits for both, and reads what they found."""
        self.check.end()
        self.run.end()
        self.found = json.loads(self.report.read_text())
        self.latency = json.loads(self.run_report.read_text())
        return self

    def p99_ms(self, after, before):
        """The 99th percentile of each second that ended between these two times, in milliseconds."""
        ended = [at for at, line in self.run.lines if "p99" in line]
        return [second["p99Us"] / 1000 for at, second in zip(ended, self.latency["series"]) if after <= at < before and second["ended"]]

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
