#!/usr/bin/env python3
"""States the resident memory of one process with N warm profiles.

    loadtest/scripts/warm_profiles.py target/release/lets-connect [N] [--json FILE]

Fills a temporary data directory by bulk load, serves it, reads every profile once over HTTP (so that each is warm), reads them all again and checks
that the store was not asked, and prints what the process takes. Needs only Python's standard library.
"""

import argparse
import http.client
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from reporting import result  # noqa: E402

GATEWAY, ADMIN = 18800, 18810


def get(connection, path):
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()


def metric(name, **labels):
    connection = http.client.HTTPConnection("127.0.0.1", ADMIN, timeout=10)
    _, text = get(connection, "/metrics")
    total = 0.0
    for line in text.decode().splitlines():
        found = re.match(rf"{name}(?:{{(.*)}})? (\S+)$", line)
        if found and all(f'{k}="{v}"' in (found[1] or "") for k, v in labels.items()):
            total += float(found[2])
    return total


def ids(data_dir):
    rows = sqlite3.connect(f"file:{data_dir}/users.db?mode=ro", uri=True).execute('SELECT id FROM "person"').fetchall()
    return [str(uuid.UUID(bytes=row[0])) if isinstance(row[0], bytes) else str(row[0]) for row in rows]


def read_all(people):
    connection = http.client.HTTPConnection("127.0.0.1", GATEWAY, timeout=10)
    sizes = 0
    for person in people:
        status, body = get(connection, f"/api/user/profile/{person}")
        if status != 200:
            sys.exit(f"profile {person} answered {status}")
        sizes += len(body)
    return sizes


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("binary", type=pathlib.Path, help="the platform's binary")
    options.add_argument("count", type=int, nargs="?", default=100_000, metavar="N", help="profiles (default 100000)")
    options.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures as JSON")
    options = options.parse_args()
    binary, count, stamp = options.binary, options.count, result.stamp()
    with tempfile.TemporaryDirectory() as data_dir:
        place = ["--data-dir", data_dir]
        subprocess.run([binary, "demo", "--bulk", "--users", str(count), *place], check=True, stdout=subprocess.DEVNULL)
        people = ids(data_dir)
        server = subprocess.Popen([binary, *place, "--listen-port-base", str(GATEWAY)], stderr=subprocess.PIPE, text=True)
        for line in server.stderr:
            if "serving http" in line:
                break
        try:
            cold = metric("process_memory_rss_bytes", service="gateway")
            bytes_read = read_all(people)
            loads = metric("cache_loads_total", strategy="user")
            read_all(people)
            again = metric("cache_loads_total", strategy="user") - loads
            warm = metric("process_memory_rss_bytes", service="gateway")
            print(f"profiles            {len(people)}, {bytes_read / len(people):.0f} bytes of JSON each")
            print(f"warm entities       {metric('cache_entries'):.0f}, {metric('cache_bytes') / 1e6:.0f} MB by the cache's own estimate")
            print(f"loads               {loads:.0f} in the first round, {again:.0f} in the second")
            print(f"resident, at start  {cold / 1e6:.0f} MB")
            print(f"resident, warm      {warm / 1e6:.0f} MB")
            print(f"each warm profile   {(warm - cold) / len(people):.0f} bytes")
            result.write(options.json, {
                "stamp": stamp, "profiles": len(people), "bodyBytes": bytes_read / len(people), "entities": metric("cache_entries"), "cacheBytes": metric("cache_bytes"),
                "loads": loads, "loadsAgain": again, "rssStartBytes": cold, "rssWarmBytes": warm, "eachBytes": (warm - cold) / len(people),
            })
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    main()
