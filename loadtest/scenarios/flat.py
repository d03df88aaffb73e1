"""Whether what a platform takes stays as it is: samples of its nodes, and what is judged of them. Pure but for the sampling."""

import os
import statistics

from servers.cluster import ADMIN
from servers.place import ask
from servers.process import cpu

# Below it there is no second third in which everything that fills is full.
JUDGED_FROM_MINUTES = 10
# What may grow over the judged time: a share of what it is, or so much, whichever is more.
MEMORY_SHARE, MEMORY_BYTES = 0.05, 8 << 20
DESCRIPTORS = 8
ACTORS_SHARE, ACTORS = 0.05, 50
LATENCY_TIMES = 1.5


def metrics(node):
    """The sum of each series of a node's metrics, by name, over its labels."""
    _, _, body = ask(node.place, "127.0.0.1", node.port + ADMIN, "/metrics", timeout=10)
    sums = {}
    for line in body.decode().splitlines():
        if line and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name = series.split("{", 1)[0]
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def cpu_of(nodes):
    return sum(cpu(node.process.pid) for node in nodes)


def sample(nodes, at_s, cpu_share):
    """What all nodes take together at one time; memory and descriptors as the kernel has them."""
    each = [metrics(node) for node in nodes]
    summed = lambda name: int(sum(one.get(name, 0.0) for one in each))  # noqa: E731
    return {"atS": round(at_s, 1), "rssBytes": int(sum(node.rss_mib() for node in nodes) * (1 << 20)),
            "descriptors": sum(len(os.listdir(f"/proc/{node.process.pid}/fd")) for node in nodes), "actors": summed("owner_actors"),
            "cacheBytes": summed("cache_bytes"), "entities": summed("cache_entries"), "cpuShare": round(cpu_share, 4)}


def with_latencies(samples, series, each_s):
    """The samples with p50 and p99 of the seconds before each: medians of what these seconds had."""
    def of(one, name):
        window = [second[name] for second in series if one["atS"] - each_s <= second["second"] < one["atS"] and second["ended"]]
        return int(statistics.median(window)) if window else None

    return [{**one, "p50Us": of(one, "p50Us"), "p99Us": of(one, "p99Us")} for one in samples]


def growth(points):
    """What a least-squares line through (time, value) grows by from the first time to the last."""
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return 0.0
    slope, _ = statistics.linear_regression(*zip(*points))
    return slope * (points[-1][0] - points[0][0])


def part(samples, begins, ends):
    """The samples between two shares of the whole time."""
    last = samples[-1]["atS"]
    return [one for one in samples if begins * last <= one["atS"] <= ends * last]


def grown(samples, name, share, floor):
    """What something grew by from the second third on, what it was there in the middle, and what it may grow by."""
    points = [(one["atS"], one[name]) for one in part(samples, 1 / 3, 1)]
    middle = statistics.median(value for _, value in points)
    return growth(points), middle, max(share * middle, floor)


def judged(samples, found, deaths, is_long):
    """The lines of a verdict; in a trial what grows is shown, and not judged."""
    check = found["check"]
    lines = [{"what": f"no read misses an acknowledged write ({check['readsChecked']} reads, {check['writesAcknowledged']} writes, {check['violations']} violations)", "held": check["passed"]}]
    errors, arrivals = found["total"]["arrivals"] - found["total"]["answered"], found["total"]["arrivals"]
    lines.append({"what": f"{errors} of {arrivals} requests were not answered (limit 0.1 %)", "held": arrivals > 0 and errors < arrivals / 1000})
    lines.append({"what": f"nobody died ({len(deaths)} did)", "held": not deaths})
    if len(samples) < 6:
        return [*lines, {"what": "there were too few samples to see whether anything grows", "held": None if not is_long else False}]

    def line(what, holds):
        lines.append({"what": what, "held": holds if is_long else None})

    memory, middle, limit = grown(samples, "rssBytes", MEMORY_SHARE, MEMORY_BYTES)
    line(f"memory grew by {memory / 1e6:+.1f} MB of {middle / 1e6:.0f} MB (limit {limit / 1e6:.1f} MB)", memory <= limit)
    descriptors, middle, limit = grown(samples, "descriptors", 0, DESCRIPTORS)
    line(f"descriptors grew by {descriptors:+.1f} of {middle:.0f} (limit {limit})", descriptors <= limit)
    actors, middle, limit = grown(samples, "actors", ACTORS_SHARE, ACTORS)
    line(f"actors grew by {actors:+.0f} of {middle:.0f} (limit {limit:.0f})", actors <= limit)
    quarters = [[one["p99Us"] for one in part(samples, begins, ends) if one["p99Us"]] for begins, ends in ((0.25, 0.5), (0.75, 1))]
    if all(quarters):
        early, late = (statistics.median(quarter) for quarter in quarters)
        line(f"p99 was {late / 1e3:.1f} ms in the last quarter, {early / 1e3:.1f} ms in the second (limit {LATENCY_TIMES} times)", late <= LATENCY_TIMES * early)
    else:
        line("p99 of the second and the last quarter are not known", False)
    return lines
