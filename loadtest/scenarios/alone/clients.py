"""Clients that dawdle, and clients that send more than they may."""

import contextlib
import json
import socket
import subprocess
import threading
import time

from ..load import OpenLoop
from .uploads import Watched
from .world import World

MIB = 1 << 20
# docs/limits.md: what is still read of a body after its refusal, and for how long; and how long a machine that does other things may take beyond it.
LINGER_S, GRACE_S = 5, 3
# Senders at once of each kind, and by how much they may have memory grow.
SENDERS, GROWTH_MIB = 8, 64
PIECE = bytes(65_536)
CLIENTS, CLIENTS_LONG, CLOSED_WITHIN_S = 400, 1000, 20


def slow(trial):
    """Hundreds of clients say nothing, send a head or a body one byte a second, or never read. All are closed by their deadlines; a fast client notices nothing; memory is bounded."""
    is_long = trial.options.seconds >= 60
    count, duration_s = (CLIENTS_LONG, 15) if is_long else (CLIENTS, 4)
    with World(trial) as world:
        report = world.folder / "slow.json"
        command = [world.binaries / "loadtest", "slow", "--base", world.base, "--admin", f"http://127.0.0.1:{world.port + 10}", "--clients", count]
        command += ["--duration", f"{duration_s}s", "--rate", 200, "--closed-within", f"{CLOSED_WITHIN_S}s", "--json", report]
        world.mark(f"{count} slow clients")
        subprocess.run([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = json.loads(report.read_text())
        for each in found["slow"]:
            closed = f"{each['firstS'] or 0:.1f} to {each['lastS'] or 0:.1f} s"
            world.expect(f"{each['clients']} clients of the manner {each['manner']}: {each['leftOpen']} left open, the others closed after {closed} (limit {CLOSED_WITHIN_S} s)", not each["leftOpen"])
        alone, beside = found["p99AloneUs"] / 1000, found["p99BesideUs"] / 1000
        world.expect(f"a fast client's p99: {alone:.2f} ms alone, {beside:.2f} ms beside them (limit twice, or 5 ms more)", beside <= max(2 * alone, alone + 5))
        world.expect(f"it saw {found['errors']} errors", found["errors"] == 0)
        before, most = (octets / MIB for octets in found["memoryBytes"])
        world.expect(f"memory {before:.0f} MiB before, {most:.0f} MiB at its greatest (limit {GROWTH_MIB * 2} MiB more)", most - before <= GROWTH_MIB * 2)
        world.expect_alive()


class Sender:
    """Sends a body that is larger than it may be, for as long as it is let."""

    def __init__(self, world, head, is_chunked, bytes_most):
        self.stream = socket.create_connection(("127.0.0.1", world.port), timeout=30)
        self.stream.sendall(head)
        self.is_chunked, self.bytes_most, self.sent = is_chunked, bytes_most, 0
        self.began, self.status, self.answered_s, self.closed_s = time.monotonic(), None, None, None
        self.writer, self.reader = (threading.Thread(target=each, daemon=True) for each in (self.write, self.read))
        self.writer.start()
        self.reader.start()

    def write(self):
        framed = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if self.is_chunked else PIECE
        with contextlib.suppress(OSError):
            while self.sent < self.bytes_most:
                self.stream.sendall(framed)
                self.sent += len(PIECE)

    def read(self):
        heard = b""
        with contextlib.suppress(OSError):
            while octets := self.stream.recv(65_536):
                heard += octets
                if self.status is None and b"\r\n" in heard:
                    self.status, self.answered_s = int(heard.split(b" ", 2)[1]), time.monotonic() - self.began
        self.closed_s = time.monotonic() - self.began
        with contextlib.suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)

    def join(self):
        for thread in (self.reader, self.writer):
            thread.join(60)
        self.stream.close()


def head(path, token, kind, length):
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n".encode()


def bodies(trial):
    """Bodies that are larger than they may be, declared and in chunks, JSON and files. Each is answered 413 and closed by its deadline; others notice nothing; memory is bounded."""
    with World(trial) as world:
        _, token = world.person("sender")
        multipart = 'multipart/form-data; boundary=x'
        opening = b'--x\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
        in_a_chunk = b"%x\r\n%b\r\n" % (len(opening), opening)
        limits = {"JSON": MIB, "a file": 50 * MIB}
        kinds = {
            ("JSON", "declared"): (head("/api/content/posts", token, "application/json", 512 * MIB), False),
            ("JSON", "in chunks"): (head("/api/content/posts", token, "application/json", None), True),
            ("a file", "declared"): (head("/api/media/upload", token, multipart, 512 * MIB) + opening, False),
            ("a file", "in chunks"): (head("/api/media/upload", token, multipart, None) + in_a_chunk, True),
        }
        load = OpenLoop(world, 60 if world.judges_latency else 12, rate=world.pace[2])
        load.begin()
        world.record.under(load)
        time.sleep(2)
        since = time.monotonic()
        with Watched(world) as memory:
            for (what, how), (said, is_chunked) in kinds.items():
                world.mark(f"{SENDERS} bodies of {what}, {how}")
                judge(world, f"{what}, {how}", limits[what], [Sender(world, said, is_chunked, 512 * MIB) for _ in range(SENDERS)])
        until = time.monotonic()
        load.end()
        world.expect(f"memory grew by {memory.growth_mib:.0f} MiB at most (limit {GROWTH_MIB} MiB)", memory.growth_mib <= GROWTH_MIB)
        total = load.latency["total"]
        world.expect(f"of {total['arrivals']} other requests {total['arrivals'] - total['answered']} failed", total["arrivals"] == total["answered"])
        quiet, beside = load.p99_ms(load.run_began + 2, since) + load.p99_ms(until + 1, until + 1000), load.p99_ms(since, until)
        if quiet and beside:
            world.show(f"p99 of others: {sorted(quiet)[len(quiet) // 2]:.2f} ms, beside them {sorted(beside)[len(beside) // 2]:.2f} ms")
        world.expect_alive()


def judge(world, what, limit, senders):
    for sender in senders:
        sender.join()
    statuses = sorted({sender.status for sender in senders}, key=str)
    answered = [sender.answered_s for sender in senders if sender.answered_s is not None]
    lingered = [sender.closed_s - sender.answered_s for sender in senders if sender.answered_s is not None and sender.closed_s is not None]
    sent = max(sender.sent for sender in senders) / MIB
    world.expect(f"{what}: {len(answered)} of {len(senders)} were answered {'/'.join(map(str, statuses))} after {max(answered, default=0):.2f} s at most", statuses == [413])
    limit_s = LINGER_S + GRACE_S
    world.expect(f"{what}: closed {max(lingered, default=0):.1f} s after that at most (limit {limit_s} s), with {sent:.0f} MiB sent of a limit of {limit // MIB}",
                 len(lingered) == len(senders) and max(lingered) <= limit_s)
