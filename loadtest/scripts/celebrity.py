#!/usr/bin/env python3
"""What one profile costs that everybody reads, at its owner's node and at five others, which it is lent to; and what its owner's node has to do for them.

    loadtest/scripts/celebrity.py target/release [--rounds 5] [--seconds 5] [--rate 1500] [--json FILE]

A cluster of six. The profile is read at its owner's edge, and then at another one, in turns: CPU time of that edge's process for each read. Then at the five others
together, at a third of the rate and at all of it: CPU time of the owner's process each second. What a process does without any request is taken off. Needs PostgreSQL's
programs and Redis. Only Python's standard library.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from reporting import result  # noqa: E402
from scenarios.load import post  # noqa: E402
from servers.cluster import Cluster  # noqa: E402
from servers.place import LOOPBACK  # noqa: E402
from servers.process import begun, clean_up_when_ended, cpu, ended  # noqa: E402

NODES = 6


class Measured:
    def __init__(self, options, cluster):
        self.options, self.cluster = options, cluster
        first = cluster.nodes[0]
        star = json.loads(post(LOOPBACK, first, "/api/user/register", {"username": "star", "email": "star@example.org", "password": "a long password"})[1])
        status, _ = post(LOOPBACK, first, "/api/content/posts", {"content": "hello, all of you"}, token=star["token"])
        if status != 201:
            sys.exit(f"the star's post was answered {status}")
        path = f"/inspect/user/{star['user']['id']}"
        self.owner = next(node for node in cluster.nodes if node.inside(path)["here"])
        self.others = [node for node in cluster.nodes if node is not self.owner]
        began, before = time.monotonic(), self.spent()
        time.sleep(4)
        self.idle = {name: (after - before[name]) / (time.monotonic() - began) for name, after in self.spent().items()}

    def spent(self):
        return {node.name: cpu(node.process.pid) for node in self.cluster.nodes}

    def read(self, edges, rate):
        """CPU seconds of each process beyond what it takes without requests, each second, while these edges are read from at this rate."""
        seconds = self.options.seconds
        command = [self.options.folder / "loadtest", "run", "profile", "--existing", "--people", "1", "--posts", "1", "--products", "1", "--follows", "0"]
        command += [word for node in edges for word in ("--base", node.base)]
        command += ["--rate", rate, "--duration", f"{seconds + 3}s", "--warmup", "1s", "--connections", "30"]
        load = begun(command)
        began, before = time.monotonic(), self.spent()
        time.sleep(seconds)
        after, took = self.spent(), time.monotonic() - began
        ended(load)
        return {name: (after[name] - before[name]) / took - self.idle[name] for name in after}

    def compare(self):
        rate, other = self.options.rate, self.others[0]
        own, lent, few, many = [], [], [], []
        for _ in range(self.options.rounds):
            own.append(self.read([self.owner], rate)[self.owner.name] / rate)
            lent.append(self.read([other], rate)[other.name] / rate)
            few.append(self.read(self.others, rate // 3)[self.owner.name])
            many.append(self.read(self.others, rate)[self.owner.name])
        ratios = [a / b for a, b in zip(own, lent)]
        print(f"a read at its owner's edge {shown(own, 1e6)} µs of CPU, at another one {shown(lent, 1e6)} µs: {shown(ratios, 1e2)} % of the former's reads for each second of CPU")
        print(f"its owner's process meanwhile, CPU for each second: {shown(few, 1e3)} ms at {rate // 3} reads a second through five others, {shown(many, 1e3)} ms at {rate}")
        return {
            "ratePerS": rate,
            "ownUs": result.spread([value * 1e6 for value in own]),
            "lentUs": result.spread([value * 1e6 for value in lent]),
            "share": result.spread(ratios),
            "owner": [{"ratePerS": of, "msPerS": result.spread([value * 1e3 for value in values])} for of, values in ((rate // 3, few), (rate, many))],
        }


def shown(values, unit):
    return f"{statistics.median(values) * unit:.1f} ({min(values) * unit:.1f}–{max(values) * unit:.1f})"


def main():
    clean_up_when_ended()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=pathlib.Path, help="the folder of the binaries")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--rate", type=int, default=1500)
    options.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures as JSON")
    options = options.parse_args()
    stamp = result.stamp()
    with tempfile.TemporaryDirectory() as folder:
        # PostgreSQL runs as somebody else where this is root.
        pathlib.Path(folder).chmod(0o755)
        settings = ["log.filter=warn", "postgres.connections_max=4"]
        cluster = Cluster(pathlib.Path(folder), options.folder.resolve() / "lets-connect", NODES, settings=settings)
        try:
            if cluster.wait_settled() is None:
                sys.exit("the nodes do not settle")
            result.write(options.json, {"stamp": stamp, **Measured(options, cluster).compare()})
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
