#!/usr/bin/env python3
"""What it costs to be seen: server CPU of a request with everything on beside one with nothing on, in one run of `loadtest bench`.

    loadtest/scripts/telemetry.py target/release [--rounds 7] [--one-in 100] [--scrape-s 15] [--json FILE]

Two servers on the embedded store with the same data, pinned to one core, and measured in turns. "On" has traces taken of one request in so many and sent to a collector,
which takes them and forgets them, and all series scraped as a Prometheus does; "off" has neither. Both log as they do by default. Cached profiles and products, and the profile
through its owner's mailbox, which makes a span for the log's sake with either. Only Python's standard library.
"""

import argparse
import contextlib
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from reporting import result  # noqa: E402
from servers.place import LOOPBACK, ask  # noqa: E402
from servers.process import clean_up_when_ended, free_ports, serving  # noqa: E402

SETTINGS = ["account.argon2_memory_kib=64", "node.worker_threads=1", *(f"rate.{kind}_per_s=0" for kind in ("read", "write", "search"))]


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes OTLP over HTTP: an answer without a body is the protocol's "all of it"."""

    protocol_version = "HTTP/1.1"
    bytes_taken = 0

    def do_POST(self):
        Collector.bytes_taken += len(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def scrape(port, seconds, stops):
    while not stops.wait(seconds):
        ask(LOOPBACK, LOOPBACK.host, port, "/metrics")


def said(port, path, body, token=None):
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    status, _, answer = ask(LOOPBACK, LOOPBACK.host, port, path, "POST", json.dumps(body).encode(), headers)
    if status != 201:
        sys.exit(f"{path} was answered {status}: {answer[:300]}")
    return json.loads(answer)


def quoted(value):
    """As TOML has it; of these values JSON is the same."""
    return json.dumps(value)


def lists(port):
    """Paths of the data that a server is given here."""
    ada = said(port, "/api/user/register", {"username": "ada", "email": "ada@example.org", "password": "analytical engine"})
    product = said(port, "/api/shop/products", {"name": "Punched cards", "price": "12.50", "stock": 10}, ada["token"])
    profile = f"/api/user/profile/{ada['user']['id']}"
    return {"profile": profile, "product": f"/api/shop/public/products/{product['id']}", "profile, mailbox": f"{profile}?via=owner"}


def main():
    clean_up_when_ended()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=pathlib.Path, help="the folder of the binaries")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--one-in", type=int, default=100, help="requests of which one is traced")
    options.add_argument("--scrape-s", type=int, default=15, help="seconds between two scrapes")
    options.add_argument("--duration", default="3s", help="for how long a round measures each (default 3s)")
    options.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures as JSON")
    options = options.parse_args()
    stamp = result.stamp()
    collector = http.server.ThreadingHTTPServer((LOOPBACK.host, 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    told = [f"traces.url=http://{LOOPBACK.host}:{collector.server_port}", f"traces.one_in={options.one_in}"]
    stops = threading.Event()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        toml = []
        for name, settings in (("off", []), ("on", told)):
            base = free_ports()
            command = [options.folder / "lets-connect", "--data-dir", folder / name, "--listen-port-base", base, "--set", "log.filter=info"]
            for setting in [*SETTINGS, *settings]:
                command += ["--set", setting]
            server = stack.enter_context(serving(command, base, "/health", core=0))
            toml.append(f"[[process]]\nname = {quoted(name)}\npid = {server.pid}\nbase = {quoted(f'http://{LOOPBACK.host}:{base}')}\n")
            for what, path in lists(base).items():
                compared = "floor" if name == "off" else f"{what}, off"
                toml.append(f"[[target]]\nname = {quoted(f'{what}, {name}')}\nprocess = {quoted(name)}\npaths = [{quoted(path)}]\ncompare_to = {quoted(compared)}\n")
            if settings:
                threading.Thread(target=scrape, args=(base + 10, options.scrape_s, stops), daemon=True).start()
        targets = folder / "targets.toml"
        targets.write_text("\n".join(toml))
        measured = folder / "bench.json"
        command = [options.folder / "loadtest", "bench", "--targets", targets, "--rounds", str(options.rounds), "--duration", options.duration, "--json", measured]
        done = subprocess.run(command, check=False)
        if done.returncode == 0:
            result.write(options.json, {**json.loads(measured.read_text()), "stamp": stamp, "oneIn": options.one_in, "scrapeS": options.scrape_s})
        stops.set()
        print(f"\nthe collector took {Collector.bytes_taken} bytes")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
