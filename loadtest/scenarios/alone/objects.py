"""The object store that files are in, gone or slow."""

import contextlib
import itertools
import json
import sqlite3
import statistics
import threading
import time

from servers.objects import Objects, program
from servers.process import eventually
from servers.proxy import Proxy

from ..load import OpenLoop
from .bomb import form
from .world import World

BUCKET = "files"
SLOW_S, TIMEOUT_MS = 10, 2000
UPLOADERS, PAUSE_S = 4, 0.1
RECOVERED_S = 5
# By how much everything else may be slower meanwhile, and how long one measured window is at least.
GROWTH_MAX, WINDOW_MIN_S, WINDOW_MAX_S = 1.10, 2, 10
# What being there again takes, as a rule.
BACK_S = 1


class Uploaders:
    """Some people, each of whom uploads one small file after another, and what they were answered when."""

    def __init__(self, world):
        self.world, self.answers, self.over, self.numbers = world, [], threading.Event(), itertools.count()
        tokens = [world.person(f"uploader{number}")[1] for number in range(UPLOADERS)]
        self.threads = [threading.Thread(target=self.upload, args=(token,), daemon=True) for token in tokens]
        for thread in self.threads:
            thread.start()

    def upload(self, token):
        while not self.over.wait(PAUSE_S):
            content = f"file {next(self.numbers)} of seed {self.world.seed}".encode()
            began = time.monotonic()
            with contextlib.suppress(OSError):
                status, headers, body = send(self.world, token, content)
                self.answers.append((began, time.monotonic(), status, headers, json.loads(body), content))

    def between(self, after, before):
        """Uploads that were sent and answered between these times: status, headers, what was answered, content."""
        return [answer[2:] for answer in list(self.answers) if after <= answer[0] and answer[1] < before]

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def send(world, token, content):
    headers, body = form([("file", "note.txt", content), ("visibility", None, b"public")])
    return world.ask("/api/media/upload", "POST", body, token, timeout=40, **headers)


def object_store(trial):
    """The object store is gone, then answers after 10 s, in turns with being there. Uploads are 503 meanwhile; all else is within + 10 %; no row is without its object; it recovers by itself."""
    if program() is None:
        trial.record.leave_out("there is no SeaweedFS (./test installs it)")
        return
    objects = Objects(trial.folder)
    proxy = Proxy(objects.port)
    try:
        objects.make_bucket(BUCKET)
        address = f"http://key:secret@127.0.0.1:{proxy.port}/{BUCKET}"
        with World(trial, settings=[f"media.storage_url={address}", f"media.storage_timeout_ms={TIMEOUT_MS}", "media.unused_kept_s=3600"]) as world:
            under_faults(world, proxy)
            no_row_without_its_object(world, objects)
            world.expect_alive()
    finally:
        proxy.stop()
        objects.stop()


def under_faults(world, proxy):
    # An upload that was under way when the fault began is no part of its window, nor is the time in which calls give up.
    window, gives_up = min(WINDOW_MAX_S, max(WINDOW_MIN_S, world.options.seconds / 6)), TIMEOUT_MS / 1000 + 1
    rounds = max(1, round(world.options.seconds / 40))
    faults = [("gone", proxy.go_down), ("slow by 10 s", lambda: proxy.be_slow(SLOW_S))]
    windows = {"there": [], "gone": [], "slow by 10 s": []}
    load = OpenLoop(world, 2 * rounds * (2 * window + gives_up + BACK_S) + 2, rate=world.pace[2])
    load.begin()
    world.record.under(load)
    uploaders = Uploaders(world)
    try:
        time.sleep(1)
        for name, begins in faults * rounds:
            since = time.monotonic()
            time.sleep(window)
            windows["there"].append((since, time.monotonic()))
            world.mark(f"the object store is {name}")
            begins()
            since = time.monotonic()
            time.sleep(window + gives_up)
            windows[name].append((since, time.monotonic()))
            status, ready = world.ready()
            world.expect(f"readiness stays 200 while it is {name} ({status}, {ready})", status == 200)
            refused_while(world, uploaders, name, *windows[name][-1])
            proxy.heal()
            healed = time.monotonic()
            world.mark("the object store is there")
            took = eventually(lambda: any(answer[0] == 201 for answer in uploaders.between(healed, time.monotonic())), 30)
            world.expect(f"uploads were taken again {-1 if took is None else took:.1f} s after it was {name} (limit {RECOVERED_S} s)", took is not None and took <= RECOVERED_S)
    finally:
        uploaders.end()
        load.end()
    judge_others(world, load, windows)
    kept = [answer for answer in uploaders.answers if answer[2] == 201]
    there = sum(world.ask(path_of(answer[4]["url"]))[2] == answer[5] for answer in kept)
    world.expect(f"of {len(kept)} files that were taken {there} are there", kept and there == len(kept))


def refused_while(world, uploaders, name, since, until):
    answers = uploaders.between(since + 0.2, until)
    statuses = {status: sum(1 for answer in answers if answer[0] == status) for status in {answer[0] for answer in answers}}
    told_when = all("retry-after" in headers for status, headers, *_ in answers if status == 503)
    world.expect(f"uploads while it is {name} were answered {statuses or 'nothing'}, each told when to come again", set(statuses) == {503} and told_when)


def judge_others(world, load, windows):
    """Medians of the seconds of each window: by 10 % at most, in runs that are long enough to tell."""
    seconds = {name: [p99 for since, until in spans for p99 in load.p99_ms(since + 1, until)] for name, spans in windows.items()}
    quiet = statistics.median(seconds.pop("there"))
    for name, p99s in seconds.items():
        ratio = statistics.median(p99s) / quiet
        what = f"p99 of all else: {quiet:.2f} ms, while it is {name} {statistics.median(p99s):.2f} ms: {ratio:.2f} times (limit {GROWTH_MAX})"
        world.judge_latency(what, ratio <= GROWTH_MAX)
    total = load.latency["total"]
    world.expect(f"of {total['arrivals']} other requests {total['arrivals'] - total['answered']} failed", total["arrivals"] == total["answered"])


def no_row_without_its_object(world, objects):
    """As the database and the object store themselves have it."""
    with contextlib.closing(sqlite3.connect(f"file:{world.data / 'media.db'}?mode=ro", uri=True)) as store:
        rows = [row[0].hex() for row in store.execute("SELECT DISTINCT content_hash FROM media_file WHERE status = 'ready'")]
    held = {name.split("/")[1].split("-")[0] for name in objects.names(BUCKET) if name.split("/")[2].startswith("original")}
    missing = [row for row in rows if row not in held]
    world.expect(f"of {len(rows)} contents with a row {len(missing)} are without their object; {len(held)} objects", rows and not missing)


def path_of(address):
    """What an address leads to at the gateway."""
    return "/" + address.split("/", 3)[3]
