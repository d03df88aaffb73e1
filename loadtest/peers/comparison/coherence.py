"""What caches get wrong: how often a herd asks the database, and how many reads miss a write that was acknowledged before they began."""

import time

from servers.process import serving

from . import herd, side, stale
from .http import Connection

# Each writer owns one product and one profile, which are the hot keys.
WRITERS = 4
ROOMY = "cache.bytes_max=268435456"
# What `Statements` counts by.
COUNTING = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=top", "pg_stat_statements.track_utility=off",
            "pg_stat_statements.max=10000"]


def measure(postgres, redis, binaries, folder, options):
    postgres.sql("postgres", "CREATE EXTENSION pg_stat_statements")
    ours = side.platform(postgres, binaries / "lets-connect", folder, ROOMY, f"redis.url={redis.url}")
    sides = [ours, side.express(postgres, redis), side.fastify(postgres, redis), side.axum(postgres, redis)]
    with serving(ours.command, ours.port, ours.ready, ours.env):
        hot = [register(ours, number) for number in range(WRITERS)]
    rows = []
    for of in sides:
        print(f"{of.name}", flush=True)
        # One at a time: the platform is told of nothing that a peer writes, nor the other way round.
        redis.command("FLUSHALL")
        with serving(of.command, of.port, of.ready, of.env) as server:
            statements = herd.Statements(postgres)
            queries = {what: herd.measure(statements, redis, of, server.pid, what, options.herds) for what in ("product", "profile")}
            found = stale.measure(of, hot, options.reads)
        rows.append((of.name, queries, found))
    show(rows)
    return {"readers": herd.READERS, "sides": [as_row(*row) for row in rows]}


def register(of, number):
    """A person with a product, made by the platform's API: who may write them there, and what the peers write as well."""
    connection = Connection(of.port)
    name = f"hot{number}at{int(time.time())}"
    person = {"username": name, "email": f"{name}@example.org", "password": "a password of a test"}
    account = stale.parsed(connection.ask("POST", "/api/user/register", person))
    product = {"name": f"Hot product {number}", "description": "Read by many, changed often.", "price": "1.00", "stock": 1000}
    made = stale.parsed(connection.ask("POST", "/api/shop/products", product, account["token"]))
    connection.close()
    return stale.Writer(account["token"], account["user"]["id"], made["id"])


def as_row(name, queries, found):
    stale = {"reads": found.reads, "writes": found.writes, "stale": found.stale, "slowestMs": found.slowest_ms}
    return {"by": name, "statements": queries, **stale}


def show(rows):
    print(f"\nHerds of {herd.READERS} readers of one cold key: statements in PostgreSQL, median (least–greatest). Stale: began after a newer version was")
    print("acknowledged. The slowest: from that acknowledgement until the stale answer came.\n")
    print("| by | herd, product | herd, profile | reads | writes | stale reads | of a million | the slowest, ms |\n|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, queries, found in rows:
        million = found.stale * 1e6 / found.reads
        print(f"| {name} | {herd.shown(queries['product'])} | {herd.shown(queries['profile'])} | {found.reads} | {found.writes} | {found.stale} | {million:.0f} | {found.slowest_ms:.0f} |")
