"""A TCP proxy in front of a server, through which it is there, slow, or gone."""

import contextlib
import socket
import struct
import threading
import time

# Closed with it, a connection is reset: nothing is sent that is left.
RESET = struct.pack("ii", 1, 0)
BYTES_AT_A_TIME = 65_536


class Proxy:
    """Listens on loopback and hands on what comes. `delay_s` holds back each answer's bytes; while it is down, whoever connects or is connected is reset."""

    def __init__(self, port):
        self.target, self.delay_s, self.is_down, self.is_over = port, 0, False, False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.pairs, self.lock = set(), threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.is_over:
            with contextlib.suppress(OSError):
                near, _ = self.listener.accept()
                if self.is_down:
                    reset(near)
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                except OSError:
                    reset(near)
                    continue
                far.settimeout(None)
                with self.lock:
                    self.pairs.add((near, far))
                for source, to, waits in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self.hand_on, args=(source, to, waits, (near, far)), daemon=True).start()

    def hand_on(self, source, to, waits, pair):
        with contextlib.suppress(OSError):
            while octets := source.recv(BYTES_AT_A_TIME):
                due = time.monotonic() + (self.delay_s if waits else 0)
                while (left := due - time.monotonic()) > 0 and waits and self.delay_s:
                    time.sleep(min(left, 0.1))
                to.sendall(octets)
        self.end(pair)

    def end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for stream in pair:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
            stream.close()

    def go_down(self):
        """Everybody is reset, and so is who comes."""
        self.is_down = True
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for stream in pair:
                with contextlib.suppress(OSError):
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    stream.shutdown(socket.SHUT_RDWR)

    def be_slow(self, delay_s):
        self.delay_s = delay_s

    def heal(self):
        self.is_down, self.delay_s = False, 0

    def stop(self):
        self.is_over = True
        self.go_down()
        self.listener.close()


def reset(stream):
    with contextlib.suppress(OSError):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    stream.close()
