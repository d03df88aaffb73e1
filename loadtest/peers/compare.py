#!/usr/bin/env python3
"""Measures the platform on Postgres beside what a good engineer would otherwise write, on the same rows, with the same answers, in one run.

    loadtest/peers/compare.py misses target/release     server CPU of a read that memory cannot answer, beside Fastify and pg
    loadtest/peers/compare.py search target/release     latency and CPU (server and database) of searches, beside ILIKE scans
    loadtest/peers/compare.py cached target/release     server CPU of a cached read, beside Express, Fastify and axum with Redis
    loadtest/peers/compare.py coherence target/release  stale reads, and the database's statements in a herd, of each of these

The folder holds `lets-connect` and `loadtest`. Needs PostgreSQL 15's programs, Node.js 20 and npm; the last two Redis and a Rust toolchain, too; only
Python's standard library. It makes people and products by bulk load, starts everything on loopback, and ends what it started.
"""

import argparse
import contextlib
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from comparison import cached, coherence, misses, search  # noqa: E402
from comparison.population import prepare  # noqa: E402
from reporting import result  # noqa: E402
from servers.redis import Redis  # noqa: E402


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=["misses", "search", "cached", "coherence"])
    options.add_argument("folder", type=pathlib.Path, help="the folder of the release binaries")
    options.add_argument("--people", type=int, default=100_000, help="people, each with a product on average (default 100000)")
    options.add_argument("--rounds", type=int, default=5, help="misses, cached: rounds (default 5)")
    options.add_argument("--duration", default="3s", help="misses, cached: time for which a round measures each target (default 3s)")
    options.add_argument("--server-core", type=int, default=0, help="cached: core of the servers (default 0)")
    options.add_argument("--client-core", type=int, default=1, help="cached: core of the load generator and of Redis (default 1)")
    options.add_argument("--reads", type=int, default=1_000_000, help="coherence: reads of each side that are judged (default 1000000)")
    options.add_argument("--herds", type=int, default=5, help="coherence: herds of each kind (default 5)")
    options.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures as JSON")
    options = options.parse_args()
    stamp = result.stamp()
    binaries = options.folder.resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        folder = pathlib.Path(folder)
        counting = coherence.COUNTING if options.what == "coherence" else []
        postgres = prepare(folder, binaries / "lets-connect", options.people, *counting)
        running.callback(postgres.stop)
        if options.what == "misses":
            found = misses.measure(postgres, binaries, folder, options)
        elif options.what == "search":
            found = search.measure(postgres, binaries, folder)
        elif options.what == "cached":
            redis = Redis(folder, options.client_core)
            running.callback(redis.stop)
            found = cached.measure(postgres, redis, binaries, folder, options)
        else:
            redis = Redis(folder)
            running.callback(redis.stop)
            found = coherence.measure(postgres, redis, binaries, folder, options)
    result.write(options.json, {"stamp": stamp, "people": options.people, **found})


if __name__ == "__main__":
    main()
