#!/usr/bin/env python3
"""Measures how soon a row that somebody changes by psql shows in a cached answer, while other rows are read and written.

    loadtest/scripts/foreign_writes.py target/release        a hundred single changes, then one of every row
                                                             (--json FILE: the figures)

The folder holds `lets-connect`. Needs PostgreSQL 15's programs; only Python's standard library.
"""

import argparse
import http.client
import json
import pathlib
import statistics
import sys
import tempfile
import threading
import time

LOADTEST = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(LOADTEST), str(LOADTEST / "peers")]
from comparison import side  # noqa: E402
from comparison.population import prepare  # noqa: E402
from reporting import result  # noqa: E402
from servers.process import serving  # noqa: E402

CHANGES = 100


def price(connection, product):
    connection.request("GET", f"/api/shop/public/products/{product}")
    return json.loads(connection.getresponse().read())["price"]


def change(postgres, statement, connection, product, wanted):
    """Milliseconds from when psql had ended until an answer shows it."""
    postgres.run("psql", *postgres.where("shop"), text=statement, name="psql")
    began = time.perf_counter()
    while price(connection, product) != wanted:
        if time.perf_counter() - began > 120:
            sys.exit(f"{statement} does not show")
    return (time.perf_counter() - began) * 1000


def load(port, products, stop):
    connection, number = http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
    while not stop.is_set():
        price(connection, products[number % len(products)])
        number += 1


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=pathlib.Path, help="the folder of the release binaries")
    options.add_argument("--people", type=int, default=20_000, help="people, each with a product on average (default 20000)")
    options.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures as JSON")
    options = options.parse_args()
    stamp = result.stamp()
    binary = options.folder.resolve() / "lets-connect"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        postgres = prepare(folder, binary, options.people)
        try:
            of = side.platform(postgres, binary, folder, "cache.bytes_max=268435456")
            with serving(of.command, of.port, of.ready):
                result.write(options.json, {"stamp": stamp, **measure(postgres, of.port)})
        finally:
            postgres.stop()


def measure(postgres, port):
    stop = threading.Event()
    products = postgres.sql("shop", "SELECT id FROM product WHERE is_public AND is_active ORDER BY id LIMIT 2000").split()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for product in products:
        price(connection, product)
    reader = threading.Thread(target=load, args=(port, products, stop))
    reader.start()
    try:
        took = []
        for number in range(CHANGES):
            product = products[number]
            took.append(change(postgres, f"UPDATE product SET price_cents = {700_000 + number} WHERE id = '{product}'", connection, product, f"{7000 + number // 100}.{number % 100:02d}"))
        print(f"{CHANGES} single changes: median {statistics.median(took):.0f} ms, the slowest {max(took):.0f} ms")
        all_rows = postgres.sql("shop", "SELECT count(*) FROM product")
        all_ms = change(postgres, "UPDATE product SET price_cents = 99", connection, products[-1], "0.99")
        print(f"one change of all {all_rows} products: the last of {len(products)} warm ones shows it after {all_ms:.0f} ms")
        began = time.perf_counter()
        while postgres.sql("shop", "SELECT count(*) FROM foreign_write") != "0":
            time.sleep(0.1)
        lists_s = time.perf_counter() - began
        print(f"and lists and words followed after {lists_s:.1f} s more")
        return {"changes": len(took), "shownMs": result.spread(took), "rows": int(all_rows), "allShownMs": all_ms, "listsS": lists_s}
    finally:
        stop.set()
        reader.join()


if __name__ == "__main__":
    main()
