#!/usr/bin/env python3
"""Measures each statement with which the platform reads PostgreSQL, with its indexes and without, at a million posts.

    loadtest/scripts/indexes.py target/release

The folder holds `lets-connect`. Fills a server of its own with people, posts and products, asks a platform on it for every GET of docs/openapi.json and
for the common writes, and takes the statements and their values from the server's log: what the platform does not run any more is not measured, and
what it runs newly is. Each is then run with its indexes, and with those that are not primary keys left out.

Needs PostgreSQL 15's programs; only Python's standard library.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

LOADTEST = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(LOADTEST), str(LOADTEST / "peers")]
from indexed import cost, drive, statement  # noqa: E402
from comparison import side  # noqa: E402
from comparison.http import Connection  # noqa: E402
from servers.postgres import Postgres  # noqa: E402
from servers.process import serving  # noqa: E402

DATABASES = ("users", "content", "shop")
ROWS = LOADTEST / "scripts/indexed"
# The person who stands for all: an admin, whose password becomes known, and who has more of everything than others.
PERSON, OTHER = 4242, 777
WISHED = 10
FEW_ROWS = 10_000


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=pathlib.Path, help="the folder of the release binaries")
    options.add_argument("--people", type=int, default=100_000, help="people (default 100000)")
    options.add_argument("--posts", type=int, default=1_000_000, help="posts (default 1000000)")
    options.add_argument("--products", type=int, default=100_000, help="products (default 100000)")
    options = options.parse_args()
    binary = options.folder.resolve() / "lets-connect"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        postgres = Postgres(folder, "max_parallel_workers_per_gather=0", *statement.SETTINGS)
        try:
            fill(postgres, binary, options)
            driver = run_platform(postgres, binary, folder)
            found = statement.read(postgres.data / "log/postgres.json", driver.asked)
            show(postgres, found, driver.refused)
        finally:
            postgres.stop()


def fill(postgres, binary, options):
    for database in DATABASES:
        postgres.sql("postgres", f"CREATE DATABASE {database}")
    subprocess.run([binary, "migrate", *side.settings(postgres)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sizes = ["-v", f"busy={PERSON}", "-v", f"other={OTHER}"] + [word for name in ("people", "posts", "products") for word in ("-v", f"{name}={getattr(options, name)}")]
    for database in DATABASES:
        began = time.perf_counter()
        text = (ROWS / "shared.sql").read_text() + (ROWS / f"{database}.sql").read_text()
        postgres.run("psql", *postgres.where(database), *sizes, text=text)
        postgres.sql(database, "VACUUM ANALYZE")
        print(f"filled {database} in {time.perf_counter() - began:.0f} s", flush=True)


def run_platform(postgres, binary, folder):
    of = side.platform(postgres, binary, folder)
    with serving(of.command, of.port, of.ready):
        connection = Connection(of.port)
        token = sign_in(postgres, connection)
        described = json.loads((LOADTEST.parent / "docs/openapi.json").read_text())["paths"]
        driver = drive.Driver(connection, token, rows(postgres))
        for route, methods in described.items():
            if "get" in methods and "/health" not in route:
                driver.read(route, methods["get"])
        driver.write()
    return driver


def sign_in(postgres, connection):
    """A person who was filled in gets the password of one who registered."""
    password = "a password of a test"
    registered = json.loads(connection.ask("POST", "/api/user/register", {"username": "probe", "email": "probe@example.org", "password": password}))
    postgres.sql("users", f"""
        UPDATE credential SET password_hash = (SELECT password_hash FROM credential WHERE person_id = '{registered['user']['id']}')
        WHERE person_id = (SELECT id FROM person WHERE username = 'person{PERSON}');
        UPDATE person SET role = 'admin' WHERE username = 'person{PERSON}'""")
    return json.loads(connection.ask("POST", "/api/user/login", {"email": f"{PERSON}@example.org", "password": password}))["token"]


def rows(postgres):
    def one(database, sql):
        return postgres.sql(database, sql) or sys.exit(f"no row: {sql}")

    person, other = (one("users", f"SELECT id FROM person WHERE username = 'person{number}'") for number in (PERSON, OTHER))
    post = one("content", f"""SELECT p.id FROM (SELECT post_id FROM comment WHERE parent_id IS NULL LIMIT 100) AS c JOIN post AS p ON p.id = c.post_id
        WHERE NOT p.deleted AND p.is_published AND p.visibility = 'public' AND p.user_id <> '{person}' LIMIT 1""")
    product = one("shop", f"SELECT id FROM product WHERE is_public AND is_active AND NOT deleted AND seller_id <> '{person}' ORDER BY id OFFSET 4242 LIMIT 1")
    return drive.Row(
        person=person, other=other, post=post, product=product,
        comment=one("content", f"SELECT id FROM comment WHERE post_id = '{post}' AND parent_id IS NULL LIMIT 1"),
        order=one("shop", f"SELECT id FROM product_order WHERE buyer_id = '{person}' LIMIT 1"),
        skill=one("users", f"SELECT id FROM skill WHERE person_id = '{other}' LIMIT 1"),
    )


def show(postgres, found, refused):
    databases = {name: cost.Database(postgres, name) for name in DATABASES}
    reads = [one for one in found if one.reads]
    measured = [(one, databases[one.database].cost(one)) for one in reads]
    print("\nMilliseconds in the server, medians, all in memory. *Slanted*: a primary key. Without: the others of these left out; keys only: every index of these tables")
    print("left out but primary keys. Times: keys only by with.")
    for name in DATABASES:
        print(f"\n### {name}\n\n| asked by | reads | indexes | rows | with | without | by then | keys only | times |\n|---|---|---|---:|---:|---:|---|---:|---:|")
        for one, took in measured:
            if one.database == name and took.indexes:
                print(f"| {one.route} | {tables(one.sql)} | {' | '.join(cells(took))} |")
    left_out = [took for _, took in measured if took.secondary]
    by_key = [took for _, took in measured if took.indexes and not took.secondary]
    small = sorted({tables(one.sql).split(";")[0] for one, took in measured if not took.indexes} - {""})
    fast = sum(took.ratio >= WISHED for took in left_out)
    print(f"\n{len(by_key) + len(left_out)} statements that read by an index. {len(by_key)} find their rows by primary keys alone; of the other {len(left_out)}, {fast} are at least {WISHED} times")
    print(f"as fast as with primary keys alone. No index is used for what is empty or tiny: {', '.join(small)}. {len(found) - len(reads)} statements that write, or check")
    print("what is written, are not measured.")
    count(postgres)
    if refused:
        print("\nNot answered, so not measured:", *refused, sep="\n- ")


def cells(took):
    names = ", ".join(index if index in took.secondary else f"*{index}*" for index in took.indexes)
    found = [names, str(took.rows), f"{took.with_ms:.3f}"]
    if not took.secondary:
        return [*found, "", "", "", "primary key"]
    shown = [f"> {cost.TIMEOUT_MS}" if ms == float("inf") else f"{ms:.2f}" for ms in (took.without_ms, took.keys_only_ms)]
    times = f"> {cost.TIMEOUT_MS / took.with_ms:.0f}" if took.ratio == float("inf") else f"{took.ratio:.0f}"
    return [*found, shown[0], ", ".join(took.instead), shown[1], times]


def tables(sql):
    named = dict.fromkeys(re.findall(r"\b(?:FROM|JOIN) ([a-z_]+)", sql))
    order = re.search(r"ORDER BY (.*?)(?: LIMIT|\)|$)", sql.replace("\n", " "))
    return ", ".join(named) + (f"; by {order[1].strip()}" if order else "")


def count(postgres):
    print("\n| database | indexes | of these primary keys | other unique | others | tables with few rows |\n|---|---:|---:|---:|---:|---|")
    for name in DATABASES:
        sql = """SELECT count(*), count(*) FILTER (WHERE indisprimary), count(*) FILTER (WHERE indisunique AND NOT indisprimary), count(*) FILTER (WHERE NOT indisunique)
                 FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace"""
        few = postgres.sql(name, f"SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reltuples < {FEW_ROWS} ORDER BY 1").split()
        print(f"| {name} | {postgres.sql(name, sql).replace('|', ' | ')} | {', '.join(few)} |")


if __name__ == "__main__":
    main()
