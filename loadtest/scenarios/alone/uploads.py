"""Uploads that are meant to hurt: decompression bombs, and forms that are none."""

import contextlib
import http.client
import statistics
import threading
import time

from .bomb import CORPUS, form, forms, images
from .world import World

ANSWERED_MS, GROWTH_MIB, TIMES = 100, 256, 3


class Watched:
    """The most memory that a platform had while the block went on, beyond what it had before."""

    def __init__(self, world):
        self.world, self.over = world, threading.Event()

    def __enter__(self):
        self.rest_mib = self.most_mib = self.world.rss_mib()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()
        return self

    def watch(self):
        while not self.over.wait(0.005):
            self.most_mib = max(self.most_mib, self.world.rss_mib())

    def __exit__(self, *_):
        self.over.set()
        self.watcher.join()

    @property
    def growth_mib(self):
        return self.most_mib - self.rest_mib


def timed(world, token, headers, body):
    """An upload's status, and the milliseconds until it was answered, which may be before all of it was sent."""
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"authorization": f"Bearer {token}"}
    connection, began = http.client.HTTPConnection("127.0.0.1", world.port, timeout=20), time.monotonic()
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", "/api/media/upload", body, named)
        status = connection.getresponse().status
        return status, (time.monotonic() - began) * 1000
    finally:
        connection.close()


def photo():
    return form([("file", "photo.jpg", (CORPUS / "exif1_small.jpg").read_bytes()), ("visibility", None, b"public")])


def bombs(trial):
    """Decompression bombs, cut off and malformed images and forms are uploaded. Each is refused with 4xx within 100 ms; memory stays within 256 MB of what it was; nothing panics."""
    with World(trial) as world:
        _, token = world.person("bomber")
        sent = {what: form([("file", "bomb", content)]) for what, content in images().items()}
        sent.update({f"a form with {what}": asked for what, asked in forms().items()})
        # What the first image takes for good is not what is judged.
        timed(world, token, *photo())
        with Watched(world) as memory:
            for what, (headers, body) in sent.items():
                answers = [timed(world, token, headers, body) for _ in range(TIMES)]
                took, statuses = statistics.median(ms for _, ms in answers), sorted({status for status, _ in answers})
                held = all(400 <= status < 500 for status in statuses) and took <= ANSWERED_MS * world.slack
                world.expect(f"{what} ({len(body):,} bytes) is answered {'/'.join(map(str, statuses))} after {took:.0f} ms (limit {ANSWERED_MS} ms)", held)
            judge_crowd(world, token, [*sent.values()])
        what = f"memory grew by {memory.growth_mib:.0f} MiB at most, from {memory.rest_mib:.0f} MiB (limit {GROWTH_MIB} MiB)"
        world.expect(what, memory.growth_mib <= GROWTH_MIB)
        status, took = timed(world, token, *photo())
        world.expect(f"a photo is taken after that as before ({status}, {took:.0f} ms)", status == 201)
        world.expect_alive()


def judge_crowd(world, token, sent):
    """All of them at once."""
    statuses = []
    crowd = [threading.Thread(target=lambda each=each: statuses.append(timed(world, token, *each)[0]), daemon=True) for each in sent]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    # Those beyond what is received at once are asked to come again.
    wrong = [status for status in statuses if not (400 <= status < 500 or status == 503)]
    world.expect(f"{len(sent)} at once are refused, too ({len(wrong)} were not)", len(statuses) == len(sent) and not wrong)
