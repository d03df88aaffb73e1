#!/usr/bin/env python3
"""What a request costs all nodes of a cluster together, by how many there are: beyond the question to another node, it must not grow.

    loadtest/scripts/nodes.py target/release [--nodes 1 2 3 5] [--rounds 5] [--seconds 6] [--rate 800] [--set KEY=VALUE] [--json FILE]

A cluster of each size is there all the time, and they are measured in turns. Profiles are read at random edges, so of N nodes
(N - 1)/N of the reads are answered by another one than was asked. CPU time is that of all nodes' processes while the load is offered, what they do without any taken off.
Needs PostgreSQL's programs and Redis. Only Python's standard library.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from reporting import result  # noqa: E402
from servers.cluster import Cluster  # noqa: E402
from servers.process import begun, clean_up_when_ended, cpu, ended  # noqa: E402


def spent(cluster):
    return sum(cpu(node.process.pid) for node in cluster.nodes)


class Measured:
    """A cluster, and what its requests cost."""

    def __init__(self, folder, options, size):
        self.options, self.size, self.costs, self.idle = options, size, [], 0.0
        folder.mkdir()
        settings = ["log.filter=warn", "cache.bytes_max=64MiB", "postgres.connections_max=4", *options.settings]
        self.cluster = Cluster(folder, options.folder.resolve() / "lets-connect", size, settings=settings)
        if self.cluster.wait_settled() is None:
            sys.exit(f"{size} nodes do not settle")
        self.measure()
        self.costs.clear()
        began, before = time.monotonic(), spent(self.cluster)
        time.sleep(3)
        self.idle = (spent(self.cluster) - before) / (time.monotonic() - began)

    def measure(self):
        """Offers the load, and sees what it costs from when its people are registered and everything is warm."""
        seconds = self.options.seconds
        bases = [word for node in self.cluster.nodes for word in ("--base", node.base)]
        command = [self.options.folder / "loadtest", "run", "profile", *bases, "--rate", self.options.rate, "--duration", f"{seconds + 3}s", "--warmup", "1s"]
        command += ["--zipf", "0", "--connections", "32"]
        load = begun(command)
        began, before = time.monotonic(), spent(self.cluster)
        time.sleep(seconds)
        cost, took = spent(self.cluster) - before, time.monotonic() - began
        ended(load)
        self.costs.append((cost - self.idle * took) / (self.options.rate * took) * 1e6)


def main():
    clean_up_when_ended()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=pathlib.Path, help="the folder of the binaries")
    options.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 3, 5])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=6)
    options.add_argument("--rate", type=int, default=800)
    options.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE", help="a setting of all nodes")
    options.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures as JSON")
    options = options.parse_args()
    stamp = result.stamp()
    with tempfile.TemporaryDirectory() as folder:
        # PostgreSQL runs as somebody else where this is root.
        pathlib.Path(folder).chmod(0o755)
        clusters = []
        try:
            for size in options.nodes:
                clusters.append(Measured(pathlib.Path(folder) / str(size), options, size))
            for _ in range(options.rounds):
                for cluster in clusters:
                    cluster.measure()
        finally:
            for cluster in clusters:
                cluster.cluster.stop()
        rows = [row(one, clusters[0]) for one in clusters]
        result.write(options.json, {"stamp": stamp, "ratePerS": options.rate, "rounds": options.rounds, "seconds": options.seconds, "nodes": rows})
        print("| nodes | CPU of a request, µs: median (least–greatest) | answered by another node | what that costs, µs | without any request, ms of CPU a second |")
        print("|---|---|---|---|---|")
        for one in rows:
            cost, hop = one["cpuUs"], "–" if one["hopUs"] is None else f"{one['hopUs']:.0f}"
            print(f"| {one['nodes']} | {cost['median']:.0f} ({cost['min']:.0f}–{cost['max']:.0f}) | {one['elsewhere']:.0%} | {hop} | {one['idleMsPerS']:.0f} |")


def row(one, first):
    """What a cluster came to; what the question to another node costs is known where one node alone was measured, too."""
    cost, elsewhere = statistics.median(one.costs), (one.size - 1) / one.size
    hop = (cost - statistics.median(first.costs)) / elsewhere if elsewhere and first.size == 1 else None
    return {"nodes": one.size, "cpuUs": result.spread(one.costs), "elsewhere": elsewhere, "hopUs": hop, "idleMsPerS": one.idle * 1e3}


if __name__ == "__main__":
    main()
