"""Server processes on loopback: where they listen, when they are ready, what CPU time they took."""

import contextlib
import http.client
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import time


def clean_up_when_ended():
    """Has SIGTERM end this program as an error would: what it started is ended by whoever started it. By itself Python just stops."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_ports(count=32):
    """The first of so many ports in a row, below those that the system gives to clients."""
    while True:
        first = random.randrange(20_000, 32_000 - count)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def wait_for(path, port, seconds=60):
    for _ in range(seconds * 10):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    sys.exit(f"nothing answers {path} on port {port}")


def eventually(condition, seconds=30, pause_s=0.05):
    """How long it took until the condition held; None if it did not. Whoever cannot be asked does not hold it."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if condition():
                return time.monotonic() - began
        time.sleep(pause_s)
    return None


def rss_mib(pid):
    """What a process has in memory; 0 of one that is not there."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024
    return 0.0


def cpu(pid, ended=False):
    """CPU seconds of a process, or of those that it started and that ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    ticks = fields[13:15] if ended else fields[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def begun(command):
    """A `loadtest run` whose first second is over: its data are there, and what it reads is warm."""
    load = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    for line in load.stderr:
        said.append(line)
        if re.match(r"\s*1 s\s", line):
            return load
    sys.exit("".join(said) + load.stdout.read())


def ended(load):
    """Waits for its end, and ends this program if it did not go well."""
    out, err = load.communicate()
    if load.returncode:
        sys.exit(out + err)


@contextlib.contextmanager
def serving(command, port, ready, env=None, core=None):
    """A server that runs, and answers, until the block ends."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    server = subprocess.Popen([*pinned, *map(str, command)], env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL)
    try:
        wait_for(ready, port)
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
