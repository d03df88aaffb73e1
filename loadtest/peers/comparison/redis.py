"""A Redis server of our own, in memory only."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time

from .process import free_port


class Redis:
    def __init__(self, folder, core=None):
        program = shutil.which("redis-server") or sys.exit("no redis-server: install Redis")
        self.port = free_port()
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
        self.server = subprocess.Popen([*pinned, *command], stdout=subprocess.DEVNULL)
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.command("PING")
                return
            time.sleep(0.1)
        sys.exit("Redis does not answer")

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, *words):
        """Sends one command whose answer is a line, and returns that."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.makefile().readline().strip()

    def stop(self):
        self.server.terminate()
        self.server.wait(30)
