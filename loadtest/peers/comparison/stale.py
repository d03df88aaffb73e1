"""Reads that miss a write: writers change a few hot keys, readers read them, and what they saw is judged afterwards."""

import bisect
import json
import random
import selectors
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from .http import Connection

READERS = 32
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


class Record:
    """What happened, by one clock. A version is acknowledged when its writer has the answer in hand."""

    def __init__(self):
        self.acknowledged, self.reads = defaultdict(list), defaultdict(list)
        self.over, self.failure = False, None


def parsed(body):
    return json.loads(body)


def measure(of, writers, reads_wanted):
    record = Record()
    sessions = [threading.Thread(target=write, args=(record, of, writer)) for writer in writers]
    for session in sessions:
        session.start()
    try:
        read(record, of, [path for writer in writers for path in (of.profile + writer.person, of.product + writer.product)], reads_wanted)
    finally:
        record.over = True
        for session in sessions:
            session.join()
    return judge(record.acknowledged, record.reads)


def write(record, of, writer):
    """Values that no other write has, to both keys in turn, until the reads are done."""
    try:
        connection, rng, number = Connection(of.port), random.Random(writer.person), 0
        # The platform changes a product at another path than it shows it to everybody.
        product = of.product.replace("/public", "") + writer.product
        while not record.over:
            number += 1
            price = f"{number // 100}.{number % 100:02d}"
            for path, shown_at, change in (
                (of.profile + writer.person, of.profile + writer.person, {"bio": f"{writer.person} {number}"}),
                (product, of.product + writer.product, {"price": price, "stock": number}),
            ):
                version = parsed(connection.ask("PUT", path, change, writer.token))["version"]
                record.acknowledged[shown_at].append((time.monotonic_ns(), version))
                time.sleep(rng.uniform(0, PAUSE_MAX_S))
        connection.close()
    except (OSError, SystemExit) as failure:
        record.failure = failure


def read(record, of, paths, wanted):
    """One thread for all readers, each with one read under way at a time: so the clock is looked at when an answer is there."""
    rng, done, began = random.Random(1), 0, {}
    with selectors.DefaultSelector() as selector:
        def begin(connection):
            path = rng.choice(paths)
            began[connection] = (path, time.monotonic_ns())
            connection.send("GET", path)

        for connection in [Connection(of.port) for _ in range(READERS)]:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            begin(connection)
        while done < wanted:
            if record.failure is not None:
                raise record.failure
            for ready, _ in selector.select():
                status, body = ready.data.receive()
                path, since = began[ready.data]
                if status != 200:
                    sys.exit(f"{path} answered {status}: {body[:300]!r}")
                record.reads[path].append((since, time.monotonic_ns(), parsed(body)["version"]))
                done += 1
                begin(ready.data)
        for connection in began:
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
