"""Reads that memory (the platform's) or Redis (the peers') answers: server CPU of each, in turns."""

import contextlib
import json
import statistics
import subprocess
import sys

from reporting import result
from servers.process import serving

from . import bench, side
from .http import Connection

# So many of each are read in turn.
HOT = 200
# Everything is read so often before: caches are warm then, and Node.js has compiled what it will.
WARM_READS = 10
ROOMY = "cache.bytes_max=268435456"
# How many times the CPU that the platform takes a peer's read takes: what is wished.
WISHED = {"Express": 15, "Fastify": 4, "axum": 2.2}


def measure(postgres, redis, binaries, folder, options):
    ours = side.platform(postgres, binaries / "lets-connect", folder, ROOMY, f"redis.url={redis.url}")
    sides = [ours, side.express(postgres, redis), side.fastify(postgres, redis), side.axum(postgres, redis)]
    reads = {
        "product": lambda of: [of.product + id for id in ids(postgres, "shop", "product", "is_public AND is_active AND NOT deleted")],
        "profile": lambda of: [of.profile + id for id in ids(postgres, "users", "person", "is_active")],
        "list of 20 products": lambda of: [of.products + "?limit=20"],
    }
    with contextlib.ExitStack() as running:
        servers = [running.enter_context(serving(of.command, of.port, of.ready, of.env, options.server_core)) for of in sides]
        for paths in reads.values():
            same_bodies(sides, paths)
        report = folder / "bench.json"
        targets = folder / "targets.toml"
        listed = [bench.process(of, server.pid) for of, server in zip(sides, servers)]
        listed += [bench.target(f"{of.name}: {read}", of, paths(of)) for read, paths in reads.items() for of in sides]
        targets.write_text("\n".join(listed))
        command = [binaries / "loadtest", "bench", "--targets", targets, "--rounds", str(options.rounds), "--json", report]
        command += ["--duration", options.duration, "--server-core", str(options.server_core), "--client-core", str(options.client_core)]
        subprocess.run(command, check=True)
    found = json.loads(report.read_text())
    return {"rounds": options.rounds, "slicesDisturbed": found["slicesDisturbed"], "reads": show(found["targets"], reads, sides)}


def ids(postgres, database, table, condition):
    return postgres.sql(database, f"SELECT id FROM {table} WHERE {condition} ORDER BY md5(id::text) LIMIT {HOT}").split()


def same_bodies(sides, paths):
    """Reads everything on every side, which also warms it: all must answer the same bytes."""
    connections = [(Connection(of.port), paths(of)) for of in sides]
    for _ in range(WARM_READS):
        for number in range(len(connections[0][1])):
            bodies = [connection.ask("GET", paths[number]) for connection, paths in connections]
            for of, body in zip(sides, bodies):
                if body != bodies[0]:
                    sys.exit(f"{of.name} answers {paths(of)[number]} otherwise than {sides[0].name}:\n{body!r}\n{bodies[0]!r}")
    for connection, _ in connections:
        connection.close()


def show(measured, reads, sides):
    """Prints what each side's reads cost, and gives it as rows."""
    rows = []
    samples = {row["name"]: [sample["serverCpuUs"] for sample in row["samples"]] for row in measured}
    print("\nServer CPU µs a request, and how many times the platform's a peer's is: medians (least–greatest) of the rounds\n")
    print("| cached read | by | CPU µs/request | times the platform's | wished |\n|---|---|---:|---:|---:|")
    for read in reads:
        base = samples[f"{sides[0].name}: {read}"]
        for of in sides:
            own = samples[f"{of.name}: {read}"]
            times = [theirs / ours for theirs, ours in zip(own, base)]
            ratio, wished = (spread(times), f"≥ {WISHED[of.name]}") if of is not sides[0] else ("", "")
            print(f"| {read} | {of.name} | {spread(own)} | {ratio} | {wished} |")
            beside = {} if of is sides[0] else {"times": result.spread(times), "wished": WISHED[of.name]}
            rows.append({"read": read, "by": of.name, "cpuUs": result.spread(own), **beside})
    return rows


def spread(figures):
    return f"{statistics.median(figures):.1f} ({min(figures):.1f}–{max(figures):.1f})"
