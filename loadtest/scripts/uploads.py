#!/usr/bin/env python3
"""What readers feel of uploads: the latency of profiles alone, beside as many idle loops as there are processors, and while fifty photos are uploaded and optimised, in turns.

    loadtest/scripts/uploads.py target/release [--photos FILE…] [--rounds 5] [--seconds 10] [--rate 500] [--json FILE]

One server on the embedded store, with its defaults but for the rates that one caller may ask at. Each of fifty uploads is another image: a photo whose quantisation
differs by one. They are sent by ten clients, and the next fifty begin when these are ready, until the time is over. Open-loop load, latency counted from when each
request was due. The loops are the floor: they run when nobody else wants the processor
(SCHED_IDLE), so what readers feel of them is the machine's. Without photos of yours the JPEGs of images/tests/corpus are taken, which are small. Only Python's standard library.
"""

import argparse
import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from reporting import result  # noqa: E402
from scenarios.load import post  # noqa: E402
from servers.place import LOOPBACK, ask  # noqa: E402
from servers.process import clean_up_when_ended, free_ports, serving  # noqa: E402

UPLOADS, CLIENTS = 50, 10
SETTINGS = ["account.argon2_memory_kib=64", *(f"rate.{kind}_per_s=0" for kind in ("read", "write", "search"))]
BOUNDARY = "a-boundary"


class Gateway:
    """What `post` asks of a node."""

    def __init__(self, port):
        self.place, self.host, self.port = LOOPBACK, LOOPBACK.host, port


def another(photo, number):
    """The same photo, quantised a little differently: an image that nobody uploaded yet."""
    at = photo.index(b"\xff\xdb") + 5
    changed = bytearray(photo)
    entry, step = number % 63 + 1, number // 63 + 1
    changed[at + entry] = max(1, min(255, changed[at + entry] + step))
    return bytes(changed)


def yields_to_everybody():
    """Who uploads has a processor of their own: here this thread takes what nobody else wants."""
    os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))


class Uploads:
    """Uploads fifty at a time, again and again, until it is told to stop."""

    def __init__(self, port, token, photos):
        self.port, self.token, self.photos = port, token, photos
        self.numbers, self.done, self.stops = itertools.count(), 0, threading.Event()

    def one(self, number):
        if self.stops.is_set():
            return
        photo = self.photos[number % len(self.photos)]
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{number}.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        body = head.encode() + another(photo, number // len(self.photos)) + f"\r\n--{BOUNDARY}--\r\n".encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        status, _, said = ask(LOOPBACK, LOOPBACK.host, self.port, "/api/media/upload", "POST", body, headers, timeout=120)
        if status in (201, 202):
            self.done += 1
        elif status != 503:
            sys.exit(f"an upload was answered {status}: {said[:300]}")

    def run(self):
        with concurrent.futures.ThreadPoolExecutor(CLIENTS, initializer=yields_to_everybody) as clients:
            while not self.stops.is_set():
                for done in clients.map(self.one, itertools.islice(self.numbers, UPLOADS)):
                    assert done is None

    @contextlib.contextmanager
    def going_on(self):
        self.stops.clear()
        runner = threading.Thread(target=self.run)
        runner.start()
        try:
            yield
        finally:
            self.stops.set()
            runner.join()


@contextlib.contextmanager
def loops_going_on():
    """On each processor a loop that takes what nobody else wants."""
    loop = "import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True:\n    pass"
    loops = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()


def measured(options, port, folder):
    """What a load of profiles came to: figures in µs by name."""
    report = folder / "report.json"
    command = [options.folder / "loadtest", "run", "profile", "--base", f"http://127.0.0.1:{port}", "--rate", options.rate]
    command += ["--people", 200, "--posts", 1, "--products", 1, "--follows", 0, "--warmup", "2s", "--duration", f"{options.seconds}s"]
    done = subprocess.run([*map(str, command), "--threshold", "errors<0.1%", "--json", str(report)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(report.read_text())["total"]


def main():
    clean_up_when_ended()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=pathlib.Path, help="the folder of the binaries")
    options.add_argument("--photos", type=pathlib.Path, nargs="+", help="JPEG files")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--rate", type=int, default=500, help="profiles a second")
    options.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures as JSON")
    options = options.parse_args()
    stamp = result.stamp()
    corpus = sorted((ROOT.parent / "images/tests/corpus").glob("*.jpg"))
    photos = [file.read_bytes() for file in options.photos or corpus if file.name != "truncated.jpg"]
    first = free_ports()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        settings = [word for setting in SETTINGS for word in ("--set", setting)]
        command = [options.folder / "lets-connect", "--data-dir", folder / "data", "--listen-port-base", first, *settings]
        with serving(command, first, "/health/ready", env={"LETS_CONNECT_LOG_FILTER": "warn"}):
            status, said = post(LOOPBACK, Gateway(first), "/api/user/register", {"username": "ada", "email": "ada@example.org", "password": "a long password"})
            if status != 201:
                sys.exit(f"registration was answered {status}: {said}")
            uploads = Uploads(first, json.loads(said)["token"], photos)
            found = compare(options, first, folder, uploads)
    result.write(options.json, {"stamp": stamp, **found})


def compare(options, port, folder, uploads):
    alone, floor, beside = [], [], []
    for _ in range(options.rounds):
        alone.append(measured(options, port, folder))
        with loops_going_on():
            floor.append(measured(options, port, folder))
        with uploads.going_on():
            beside.append(measured(options, port, folder))
    for name in ("p50", "p99"):
        print(f"{name} of {options.rate} profiles a second, ms: {shown(alone, name)} alone, {shown(floor, name)} beside idle loops, {shown(beside, name)} beside uploads:", end=" ")
        print(f"{times(alone, beside, name)} of alone, {times(floor, beside, name)} of beside loops")
    rate = uploads.done / options.rounds / (options.seconds + 2)
    mean = statistics.mean(len(photo) for photo in uploads.photos) / 1e6
    print(f"{uploads.done} photos of {mean:.2f} MB on average were optimised meanwhile, {rate:.1f} a second")
    turns = {"alone": alone, "loops": floor, "uploads": beside}
    return {
        "ratePerS": options.rate, "photos": uploads.done, "photoBytes": mean * 1e6, "photosPerS": rate,
        **{what: {f"{name}Us": result.spread([value[f"{name}Us"] for value in values]) for name in ("p50", "p99")} for what, values in turns.items()},
        "p99OfAlone": result.spread([b["p99Us"] / a["p99Us"] for a, b in zip(alone, beside)]),
        "p99OfLoops": result.spread([b["p99Us"] / a["p99Us"] for a, b in zip(floor, beside)]),
    }


def times(before, after, name):
    ratios = [b[f"{name}Us"] / a[f"{name}Us"] for a, b in zip(before, after)]
    return f"{statistics.median(ratios):.2f} times ({min(ratios):.2f}–{max(ratios):.2f})"


def shown(values, name):
    values = [value[f"{name}Us"] / 1e3 for value in values]
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


if __name__ == "__main__":
    main()
