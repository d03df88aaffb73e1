"""Reads that memory cannot answer: server CPU of the platform beside a server that asks PostgreSQL for each."""

import json
import subprocess

from . import side
from .bench import process, target

MISSES = 4000


def measure(postgres, binaries, folder, options):
    ours, theirs = side.platform(postgres, binaries / "lets-connect", folder), side.fastify(postgres)
    products = postgres.sql("shop", f"SELECT id FROM product WHERE is_public AND is_active ORDER BY md5(id::text) LIMIT {MISSES}").split()
    people = postgres.sql("users", f"SELECT id FROM person ORDER BY md5(id::text) LIMIT {MISSES}").split()
    targets = folder / "targets.toml"
    targets.write_text("\n".join([
        process(ours),
        process(theirs),
        target("Fastify + pg: product", theirs, [theirs.product + id for id in products]),
        target("platform: product, store miss", ours, [ours.product + id for id in products], "Fastify + pg: product"),
        target("Fastify + pg: profile", theirs, [theirs.profile + id for id in people]),
        target("platform: profile, store miss", ours, [ours.profile + id for id in people], "Fastify + pg: profile"),
    ]))
    report = folder / "bench.json"
    command = [binaries / "loadtest", "bench", "--targets", targets, "--rounds", str(options.rounds), "--duration", options.duration, "--json", report]
    subprocess.run(command, check=True)
    return {"bench": json.loads(report.read_text())}
