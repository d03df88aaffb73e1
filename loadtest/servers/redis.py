"""A Redis server of our own, in memory only."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from .place import LOOPBACK
from .process import free_port


class Redis:
    def __init__(self, folder, core=None, place=LOOPBACK):
        self.program = shutil.which("redis-server") or sys.exit("no redis-server: install Redis")
        self.folder, self.port, self.place = folder, free_port(), place
        self.pinned = [] if core is None else ["taskset", "-c", str(core)]
        self.start()

    @property
    def url(self):
        return f"redis://{self.place.host}:{self.port}/0"

    def start(self):
        """Begins empty, at the same port."""
        command = [self.program, "--port", str(self.port), "--bind", self.place.host, "--dir", str(self.folder), "--save", "", "--appendonly", "no"]
        # It has no password, and takes nobody from beyond its namespace's own network.
        command += ["--protected-mode", "no"]
        with self.place.entered():
            self.server = subprocess.Popen([*self.pinned, *command], stdout=subprocess.DEVNULL)
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.command("PING")
                return
            time.sleep(0.1)
        sys.exit("Redis does not answer")

    def command(self, *words):
        """Sends one command, and returns the first line of the answer."""
        parts = [str(word).encode() for word in words]
        with self.place.entered():
            connection = socket.create_connection((self.place.host, self.port), timeout=10)
        with connection:
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
            answer = connection.makefile().readline().strip()
        if answer.startswith("-"):
            sys.exit(f"Redis refused {words[0]}: {answer}")
        return answer

    def script(self, text):
        return self.command("EVAL", text, 0)

    def hang(self):
        self.server.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.server.send_signal(signal.SIGCONT)

    def kill(self):
        self.server.kill()
        self.server.wait()

    def stop(self):
        self.server.terminate()
        self.server.wait(30)
