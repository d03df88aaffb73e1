"""Searches: latency and CPU of the platform beside scans by ILIKE."""

import contextlib
import http.client
import json
import random
import statistics
import sys
import time
import urllib.parse

from servers.process import cpu, serving

from . import side

SEARCHES = 300
TURN = 20
PRODUCT_WORDS = "SELECT name || ' ' || coalesce(description, '') FROM product ORDER BY md5(id::text) LIMIT 200"
PEOPLE_WORDS = "SELECT username || ' ' || coalesce(first_name, '') || ' ' || coalesce(bio, '') FROM person ORDER BY md5(id::text) LIMIT 200"


def measure(postgres, binaries, folder):
    sides = {"platform": side.platform(postgres, binaries / "lets-connect", folder), "ILIKE": side.fastify(postgres)}
    cases = {
        "products": (words(postgres, "shop", PRODUCT_WORDS), {"platform": "/api/shop/public/products?search=", "ILIKE": "/search/products?q="}),
        "people": (words(postgres, "users", PEOPLE_WORDS), {"platform": "/api/user/search?q=", "ILIKE": "/search/people?q="}),
    }
    with contextlib.ExitStack() as running:
        servers = {name: running.enter_context(serving(of.command, of.port, of.ready, of.env)) for name, of in sides.items()}
        figures = []
        print(f"\n{SEARCHES} different searches of each kind, one at a time, in turns of {TURN}; CPU is the server's and the database's together\n")
        print("| search | by | p50 ms | p99 ms | CPU ms/search | rows/search |\n|---|---|---:|---:|---:|---:|")
        for what, (asked, paths) in cases.items():
            times, rows, used = ({name: [] for name in sides} for _ in range(3))
            for begin in range(0, len(asked), TURN):
                for name, of in sides.items():
                    connection = http.client.HTTPConnection("127.0.0.1", of.port, timeout=60)
                    before = postgres.cpu() + cpu(servers[name].pid)
                    for query in asked[begin:begin + TURN]:
                        took, found = ask(connection, paths[name] + urllib.parse.quote(query))
                        times[name].append(took)
                        rows[name].append(found)
                    used[name].append(postgres.cpu() + cpu(servers[name].pid) - before)
            for name in sides:
                p99 = sorted(times[name])[int(len(times[name]) * 0.99) - 1]
                spent = sum(used[name]) * 1000 / len(asked)
                print(f"| {what} | {name} | {statistics.median(times[name]):.2f} | {p99:.2f} | {spent:.2f} | {statistics.mean(rows[name]):.1f} |", flush=True)
                found = {"p50Ms": statistics.median(times[name]), "p99Ms": p99, "cpuMs": spent, "rows": statistics.mean(rows[name])}
                figures.append({"search": what, "by": name, **found})
    return {"searches": SEARCHES, "figures": figures}


def ask(connection, path):
    began = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        sys.exit(f"{path} answered {response.status}: {body[:200]}")
    return (time.perf_counter() - began) * 1000, len(json.loads(body)["items"])


def words(postgres, database, sql):
    """Words of the data, common ones and rare ones, and pairs of them: a different question each time."""
    text = postgres.sql(database, sql)
    found = sorted({word for word in "".join(c.lower() if c.isalpha() else " " for c in text).split() if len(word) > 2})
    rng = random.Random(1)
    asked = found + [" ".join(rng.sample(found, 2)) for _ in range(SEARCHES * 4)]
    rng.shuffle(asked)
    return asked[:SEARCHES]
