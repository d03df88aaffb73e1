"""The sections of the report: one table of what is asked, how it is measured, how long that takes, and what it needs."""

import dataclasses
from collections.abc import Callable

from .chapters import cost, days, resources, truth

# Real images of the repository, for who gives none of their own.
CORPUS = ("rocket_444_icc.jpg", "progressive_444.jpg", "displayp3.jpg", "chelsea_icc.png", "2MP.webp", "rgb16.png")


@dataclasses.dataclass(frozen=True)
class Part:
    """A command of a section, whose JSON is that part of its results. `{folder}` is the folder of the binaries, `{base}` the address of a
    platform that is started for it (`served`), `{photos}` the images. Without `short` a short run has the full command."""

    name: str
    full: str
    short: str = ""
    served: bool = False

    def command(self, is_short):
        return self.short if is_short and self.short else self.full


@dataclasses.dataclass(frozen=True)
class Section:
    """A chapter of the report. `minutes` are about those of a full run and of a short one; `needs` are names of `reporting/need.py`."""

    name: str
    title: str
    question: str
    method: str
    parts: tuple[Part, ...]
    minutes: tuple[float, float]
    draw: Callable
    needs: tuple[str, ...] = ()


SECTIONS = (
    Section(
        "reads", "Reads beside raw hyper", "How much of an HTTP server's bare speed is left when a whole platform answers?",
        "Server CPU time for each request, the platform and raw hyper with the same headers and body sizes in turns of 0.3 s, one worker thread each, server and generator on different cores. Ratios are taken "
        "within a round.",
        (Part("bench", "{folder}/loadtest bench --platform {folder}/lets-connect --rounds 5", "{folder}/loadtest bench --platform {folder}/lets-connect --rounds 2 --duration 900ms"),),
        (4, 1), cost.reads,
    ),
    Section(
        "peers", "Cached reads beside cache-aside with Redis", "What does a cached read cost, beside what a good engineer would otherwise write?",
        "The same rows and the same bytes from the platform and from three servers that keep JSON in Redis; everything is warm. Server CPU time for each request, one core each, in turns. The CPU of Redis, which only the "
        "peers cause, is not counted against them.",
        (Part("cached", "loadtest/peers/compare.py cached {folder} --people 10000 --rounds 5", "loadtest/peers/compare.py cached {folder} --people 1000 --rounds 2 --duration 900ms"),),
        (11, 2), cost.peers, ("postgres", "redis", "node", "cargo"),
    ),
    Section(
        "misses", "Misses on PostgreSQL", "What does a read cost that memory cannot answer?",
        "Nothing is in memory, so that every read asks PostgreSQL. The peer is a careful one: a pool, named prepared statements, JSON written from schemas. Server CPU time of the process, in turns.",
        (Part("misses", "loadtest/peers/compare.py misses {folder} --people 30000 --rounds 3", "loadtest/peers/compare.py misses {folder} --people 3000 --rounds 2 --duration 900ms"),),
        (4, 1), cost.misses, ("postgres", "node"),
    ),
    Section(
        "search", "Searches beside scans", "Are searches fast where the data are many?",
        "As many products as people; 300 different searches of each kind, of common and rare words and pairs of them, one at a time, in turns. The other side scans by ILIKE, newest first.",
        (Part("search", "loadtest/peers/compare.py search {folder} --people 100000", "loadtest/peers/compare.py search {folder} --people 3000"),),
        (6, 1), cost.search, ("postgres", "node"),
    ),
    Section(
        "telemetry", "What it costs to be seen", "What do traces and metrics add to a request?",
        "Two servers with the same data in one run, in turns, on one core: one has traces of one request in a hundred sent to a collector and all series scraped each 15 seconds, the other neither. Both log.",
        (Part("bench", "loadtest/scripts/telemetry.py {folder} --rounds 5", "loadtest/scripts/telemetry.py {folder} --rounds 2 --duration 900ms"),),
        (4, 1), cost.telemetry,
    ),
    Section(
        "stale", "No stale read", "Does any read miss a write that was acknowledged before it began?",
        "Writers change keys, each time to a value never used before; readers read them as fast as they are answered; the whole history is judged afterwards. Beside it buyers race for what is in stock, herds ask for one cold key, and the "
        "peers are judged in the same way.",
        (
            Part("check", "{folder}/loadtest check --base {base} --reads 1000000", "{folder}/loadtest check --base {base} --reads 100000", served=True),
            Part("race", "{folder}/loadtest race --base {base}", "{folder}/loadtest race --base {base} --buyers 300", served=True),
            Part("herd", "{folder}/loadtest herd --platform {folder}/lets-connect"),
            Part("coherence", "loadtest/peers/compare.py coherence {folder} --people 10000 --reads 200000", "loadtest/peers/compare.py coherence {folder} --people 1000 --reads 20000 --herds 1"),
        ),
        (8, 2), truth.stale, ("postgres", "redis", "node", "cargo"),
    ),
    Section(
        "hits", "What the caches answer", "How much is answered by memory, and what is that worth?",
        "A mix of reads, searches and 3 % writes over Zipf keys, with a cache that holds about half of the data; the platform's own counters. Then the same on the same data with nothing kept.",
        (Part(
            "hits",
            "{folder}/loadtest hits whole --platform {folder}/lets-connect --set cache.bytes_max=16MiB --rate 500 --warmup 25s --duration 50s --people 1000 --posts 10000 --products 3000 --follows 20 --cache off,on",
            "{folder}/loadtest hits whole --platform {folder}/lets-connect --set cache.bytes_max=16MiB --rate 300 --warmup 5s --duration 8s --people 100 --posts 500 --products 300 --follows 10 --cache off,on",
        ),),
        (6, 1), truth.hits,
    ),
    Section(
        "psql", "What others write", "How soon does a row that somebody changes by psql show?",
        "Rows whose answers are warm are changed by psql, while a reader goes on; from when psql has ended until an answer shows it.",
        (Part("psql", "loadtest/scripts/foreign_writes.py {folder}", "loadtest/scripts/foreign_writes.py {folder} --people 2000"),),
        (2, 1), truth.psql, ("postgres",),
    ),
    Section(
        "nodes", "A request by the number of nodes", "Does a request cost more, the more nodes there are?",
        "Clusters of each size, measured in turns; profiles are read at random nodes. CPU time of all nodes' processes for each request; what nodes do without any is taken off.",
        (Part("nodes", "loadtest/scripts/nodes.py {folder} --rounds 3 --seconds 5 --rate 600", "loadtest/scripts/nodes.py {folder} --nodes 1 2 3 --rounds 2 --seconds 3 --rate 400"),),
        (6, 1.5), cost.nodes, ("postgres", "redis"),
    ),
    Section(
        "celebrity", "A profile that everybody reads", "What does one profile cost that everybody reads, and who pays for it?",
        "A cluster of six. The profile is read at its owner's edge, and at another one, which it is lent to, in turns; then through the five others together, at two rates.",
        (Part("celebrity", "loadtest/scripts/celebrity.py {folder} --rounds 3", "loadtest/scripts/celebrity.py {folder} --rounds 1 --seconds 3"),),
        (4, 1.5), cost.celebrity, ("postgres", "redis"),
    ),
    Section(
        "faults", "Faults under load", "What do clients see while something breaks?",
        "Three nodes with PostgreSQL and Redis, the history checker and an open-loop load at every node; latency counts from when each request was due. The lines on the plots say when something was done.",
        (
            Part("cluster", "loadtest/cluster-faults {folder} crash hang postgres rolling --seconds 45", "loadtest/cluster-faults {folder} crash postgres --seconds 12"),
            Part("alone", "loadtest/faults {folder} redis --seconds 75", "loadtest/faults {folder} redis --seconds 12"),
        ),
        (8, 2), days.faults, ("postgres", "redis"),
    ),
    Section(
        "bad-day", "Every fault", "Does each promise for a bad day hold?",
        "Each fault is played on a platform or a cluster of its own, in its short form; each line has a limit, and is held or BROKEN.",
        (Part("days", "loadtest/bad-days {folder}"),),
        (20, 0), days.bad_day, ("postgres", "redis", "bad-days"),
    ),
    Section(
        "images", "Images beside sharp", "How fast, how small and how good are images made?",
        "The same files, sizes and qualities by the platform's pipeline and by sharp, as one writes it first and tuned by hand; each round runs every side once, in another order.",
        (Part("images", "loadtest/peers/images/compare.py {photos}", "loadtest/peers/images/compare.py {photos} --rounds 1 --no-scores"),),
        (5, 2), resources.images, ("node", "cargo"),
    ),
    Section(
        "uploads", "Readers beside uploads", "What do readers feel while photos are uploaded and optimised?",
        "Profiles at a constant rate, latency counted from when each was due: alone, beside an idle loop on each processor, and while fifty photos at a time are uploaded, in turns.",
        (Part("uploads", "loadtest/scripts/uploads.py {folder}", "loadtest/scripts/uploads.py {folder} --rounds 1 --seconds 5"),),
        (4, 0.7), resources.uploads,
    ),
    Section(
        "memory", "Memory", "What does a process take with everything warm?",
        "Demo people by bulk load, each profile read twice over HTTP: the second time none may ask the store.",
        (Part("memory", "loadtest/scripts/warm_profiles.py {folder}/lets-connect", "loadtest/scripts/warm_profiles.py {folder}/lets-connect 5000"),),
        (3, 0.5), resources.memory,
    ),
    Section(
        "soak", "A long time of load", "Are memory, descriptors, actors and latency flat?",
        "One platform on PostgreSQL and Redis under the mixed load with the history checker, with a cache that is smaller than the data; a sample each ten seconds. Flatness is judged from the second third on.",
        (Part("soak", "loadtest/soak {folder} --minutes 60", "loadtest/soak {folder} --minutes 2"),),
        (62, 2.5), resources.soak, ("postgres", "redis", "soak"),
    ),
    Section(
        "capacity", "What one core bears", "At which rate does latency leave its bound?",
        "The mixed load at rising rates, server on one core and generator on the other, until p99 is beyond 50 ms or an answer is an error.",
        (Part("capacity", "loadtest/capacity {folder}"),),
        (3, 2), resources.capacity, ("postgres", "capacity"),
    ),
    Section(
        "instructions", "Instructions of the hot path", "Did the hot path become longer?",
        "Instructions counted on a simulated processor, which are the same on a busy machine; each path has a budget.",
        (Part("instructions", "loadtest/instructions {folder}"),),
        (2, 2), resources.instructions, ("instructions", "valgrind"),
    ),
)


def by_name(names):
    """Sections of these names, in the table's order."""
    unknown = [name for name in names if name not in {section.name for section in SECTIONS}]
    if unknown:
        raise ValueError(f"no such section: {', '.join(unknown)}; there are {', '.join(section.name for section in SECTIONS)}")
    return [section for section in SECTIONS if not names or section.name in names]
