"""Whether the test's own network does what it is told, and what it can carry."""

import contextlib
import socket
import statistics
import threading
import time

from servers.network import Network

EXCHANGES = 3000


def check(record):
    """The switch in user space carries what the scenarios need, and does to it what it is told."""
    network, expect = Network(["one", "two"]), record.expect
    try:
        serve_echoes(network["two"])
        stream = connect(network)
        began, quiet = time.monotonic(), round_trips(stream, EXCHANGES)
        rate = EXCHANGES / (time.monotonic() - began)
        expect(f"{rate:.0f} exchanges one after another a second, {statistics.median(quiet):.2f} ms each", rate > 1000)
        network.treat(["one"], ["two"], delay_ms=40, jitter_ms=20)
        shaped = round_trips(stream, 30)
        expect(f"with 40 ms ± 20 each way they take {min(shaped):.0f} to {max(shaped):.0f} ms", 40 <= min(shaped) and 60 <= statistics.median(shaped) and max(shaped) <= 140)
        network.treat(["one"], ["two"], loss=0.2)
        round_trips(stream, 30)
        done = network.heal()
        expect(f"with 20 % loss {done['lost']} packets were lost of {done['lost'] + done['passed']}, and all arrived in the end", done["lost"] > 3)
        network.treat(["one"], ["two"], both_ways=False, cut="drop")
        expect("what is cut in one direction does not arrive", not arrives(stream))
        network.heal()
        expect("and does when it is healed", arrives(stream, send=False))
        network.treat(["one"], ["two"], cut="reset")
        with contextlib.suppress(OSError):
            stream.sendall(b"x")
        expect("a connection that is reset is told so", is_reset(stream))
        expect("and a new one is refused", is_refused(network))
        network.heal()
        expect("until it is healed", arrives(connect(network)))
    finally:
        network.stop()


def serve_echoes(place):
    with place.entered():
        listener = socket.create_server((place.host, 9000))

    def echo(stream):
        with contextlib.suppress(OSError):
            while octets := stream.recv(65_536):
                stream.sendall(octets)

    def accept():
        while True:
            threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def connect(network, timeout=3):
    with network["one"].entered():
        stream = socket.create_connection((network["two"].host, 9000), timeout=timeout)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def round_trips(stream, count):
    """Milliseconds each."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        stream.sendall(b"x" * 100)
        heard = 0
        while heard < 100:
            heard += len(stream.recv(1000))
        took.append((time.perf_counter() - began) * 1000)
    return took


def arrives(stream, send=True):
    with contextlib.suppress(TimeoutError):
        if send:
            stream.sendall(b"y")
        stream.settimeout(3)
        return stream.recv(1) != b""
    return False


def is_reset(stream):
    try:
        stream.recv(1)
    except ConnectionResetError:
        return True
    except OSError:
        pass
    return False


def is_refused(network):
    try:
        connect(network)
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False
