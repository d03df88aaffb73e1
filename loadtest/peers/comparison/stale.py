"""Reads that miss a write: writers change a few hot keys, readers read them, and what they saw is judged afterwards."""

import bisect
import json
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from .http import Connection

READERS = 16
# A writer waits this long at most between two writes: a key that is changed without a pause is not cached long enough to be stale.
PAUSE_MAX_S = 0.02


@dataclass(frozen=True)
class Writer:
    """Who writes, and the keys that only they write: so the versions of a key are acknowledged in their order."""
    token: str
    person: str
    product: str


@dataclass
class Found:
    reads: int
    writes: int
    stale: int
    slowest_ms: float


class Recorder:
    """What happened, by one clock. A version is acknowledged when its writer has the answer in hand."""

    def __init__(self, reads_wanted):
        self.acknowledged = defaultdict(list)
        self.reads = defaultdict(list)
        self.reads_wanted, self.failure = reads_wanted, None

    def done(self):
        return self.failure is not None or sum(map(len, self.reads.values())) >= self.reads_wanted


def parsed(body):
    return json.loads(body)


def measure(of, writers, reads_wanted):
    record = Recorder(reads_wanted)
    paths = [path for writer in writers for path in (of.profile + writer.person, of.product + writer.product)]
    sessions = [threading.Thread(target=guarded, args=(record, write, of, writer)) for writer in writers]
    sessions += [threading.Thread(target=guarded, args=(record, read, of, paths)) for _ in range(READERS)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    if record.failure is not None:
        raise record.failure
    return judge(record.acknowledged, record.reads)


def guarded(record, session, *arguments):
    """A session that fails ends all of them: its threads would otherwise go on without it."""
    try:
        session(record, *arguments)
    except BaseException as failure:
        record.failure = failure


def write(record, of, writer):
    """Values that no other write has, in turn to both keys."""
    connection, rng, number = Connection(of.port), random.Random(writer.person), 0
    # The platform changes a product at another path than it shows it to everybody.
    product = of.product.replace("/public", "") + writer.product
    while not record.done():
        number += 1
        for path, read_at, change in (
            (of.profile + writer.person, of.profile + writer.person, {"bio": f"{writer.person} {number}"}),
            (product, of.product + writer.product, {"price": f"{number // 100}.{number % 100:02d}", "stock": number}),
        ):
            answer = parsed(connection.ask("PUT", path, change, writer.token))
            record.acknowledged[read_at].append((time.monotonic_ns(), answer["version"]))
            time.sleep(rng.uniform(0, PAUSE_MAX_S))
    connection.close()


def read(record, of, paths):
    connection, rng = Connection(of.port), random.Random(threading.get_ident())
    while not record.done():
        for _ in range(100):
            path = rng.choice(paths)
            began = time.monotonic_ns()
            body = connection.ask("GET", path)
            record.reads[path].append((began, time.monotonic_ns(), parsed(body)["version"]))
    connection.close()


def judge(acknowledged, reads):
    """A read is stale if it shows an older version than one that was acknowledged before it began."""
    stale, slowest_ns = 0, 0
    for key, seen in reads.items():
        acks = sorted(acknowledged[key])
        times, versions = [at for at, _ in acks], [version for _, version in acks]
        if any(later <= earlier for earlier, later in zip(versions, versions[1:])):
            raise ValueError(f"{key}: two acknowledged writes are not in the order of their versions")
        for began, ended, version in seen:
            before = bisect.bisect_left(times, began)
            if before > 0 and version < versions[before - 1]:
                stale += 1
                newer = times[bisect.bisect_right(versions, version)]
                slowest_ns = max(slowest_ns, ended - newer)
    return Found(sum(map(len, reads.values())), sum(map(len, acknowledged.values())), stale, slowest_ns / 1e6)
