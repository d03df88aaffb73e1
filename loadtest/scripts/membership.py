#!/usr/bin/env python3
"""Measures what a cluster of so many nodes costs its database: renewals, and reads of the view after a change, at 10, 100 and 1000 nodes.

    loadtest/scripts/membership.py target/release

The folder holds `lets-connect`. Fills the tables of members and slots of a PostgreSQL of its own, and has pgbench carry out the statements of
store/src/postgres/membership as nodes do, while it counts the server's CPU time. Needs PostgreSQL's programs; only Python's standard library.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

LOADTEST = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(LOADTEST))
from servers.postgres import Postgres  # noqa: E402

NODES, SECONDS, CLIENTS = (10, 100, 1000), 4, 4
# As the statements of the store: a renewal reads the counters of eight others.
BOOT = "('00000000-0000-7000-8000-' || lpad(({})::text, 12, '0'))::uuid"
FILL = f"""
TRUNCATE cluster_node CASCADE;
INSERT INTO cluster_node (boot, born, edge, entity, media, address, status, moved)
  SELECT {BOOT.format('n')}, n, true, true, true, 'node-' || n || '@node-' || n || '.nodes.example:8020', 'up', n FROM generate_series(1, {{nodes}}) AS n;
INSERT INTO cluster_slot (slot, owner, epoch, moved)
  SELECT slot, {BOOT.format('slot % {nodes} + 1')}, 1, slot % {{nodes}} + 1 FROM generate_series(0, 4095) AS slot
  ON CONFLICT (slot) DO UPDATE SET owner = excluded.owner, moved = excluded.moved;
UPDATE cluster_view SET version = {{nodes}};
VACUUM ANALYZE cluster_node; VACUUM ANALYZE cluster_slot;
"""
RENEWAL = f"""\\set node random(1, {{nodes}})
BEGIN;
UPDATE cluster_node SET counter = counter + 1 WHERE boot = {BOOT.format(':node')} AND status IN ('joining', 'up', 'leaving') RETURNING 1;
SELECT boot, counter FROM cluster_node WHERE boot = ANY (ARRAY(SELECT {BOOT.format('1 + (:node + n) % {nodes}')} FROM generate_series(1, 8) AS n));
SELECT version FROM cluster_view;
COMMIT;
"""
# A death: one node, and its share of the slots.
READ = """BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT version FROM cluster_view;
SELECT boot, born, edge, entity, media, address, status, accuses FROM cluster_node WHERE moved > {nodes} - 1;
SELECT slot, owner, epoch FROM cluster_slot WHERE moved > {nodes} - 1;
COMMIT;
"""


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=pathlib.Path, help="the folder of the binaries")
    binary = options.parse_args().folder.resolve() / "lets-connect"
    with tempfile.TemporaryDirectory(prefix="membership-") as folder:
        folder = pathlib.Path(folder)
        postgres = Postgres(folder, "max_connections=50")
        try:
            subprocess.run([binary, "migrate", "--set", f"postgres.url={postgres.url('app')}?sslmode=disable"], check=True, capture_output=True)
            print(f"{'nodes':>6} {'renewal':>12} {'all, each s':>12} {'read':>12} {'by all':>12}   CPU of the database")
            for nodes in NODES:
                for statement in FILL.format(nodes=nodes).split(";"):
                    if statement.strip():
                        postgres.sql("app_users", statement)
                renewal, read = (cost(postgres, folder, script.format(nodes=nodes)) for script in (RENEWAL, READ))
                print(f"{nodes:>6} {renewal * 1e6:>9.0f} µs {renewal * nodes * 1e3:>9.1f} ms {read * 1e6:>9.0f} µs {read * nodes * 1e3:>9.1f} ms")
        finally:
            postgres.stop()


def cost(postgres, folder, script):
    """CPU seconds of the server for one transaction of this script."""
    file = folder / "script.sql"
    file.write_text(script)
    file.chmod(0o644)
    before = postgres.cpu()
    said = postgres.run("pgbench", "-h", postgres.place.host, "-p", str(postgres.port), "-U", "postgres", "-n", "-M", "prepared", "-f", file,
                        "-c", str(CLIENTS), "-j", "1", "-T", str(SECONDS), "app_users")
    done = int(re.search(r"transactions actually processed: (\d+)", said).group(1))
    return (postgres.cpu() - before) / done


if __name__ == "__main__":
    main()
