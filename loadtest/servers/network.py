"""A network of our own: namespaces that only a switch in user space (servers/switch.py) connects, so that it can be delayed, lossy and cut.

Needs root. Namespaces have no names and no way out, and go with the process that made them.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFTXQLEN = 0x8914, 0x8916, 0x891C, 0x8943
IFF_UP = 1
# Beyond it the kernel drops what the switch has not fetched yet.
QUEUED_PACKETS_MAX = 5000
SUBNET = "10.77.0"

libc = ctypes.CDLL(None, use_errno=True)


def called(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def this_thread_s_network():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """A network namespace with a device of its own, and loopback."""

    def __init__(self, name, number):
        self.name, self.number, self.host = name, number, f"{SUBNET}.{number}"
        home = this_thread_s_network()
        try:
            called(libc.unshare(CLONE_NEWNET))
            self.descriptor = this_thread_s_network()
            self.device = self.furnish()
        finally:
            called(libc.setns(home, CLONE_NEWNET))
            os.close(home)

    def furnish(self):
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            def configure(request, interface, form, *values):
                fcntl.ioctl(control, request, struct.pack("16s" + form, interface, *values).ljust(40, b"\0"))

            for request, address in ((SIOCSIFADDR, self.host), (SIOCSIFNETMASK, "255.255.255.0")):
                configure(request, b"wire", "HH4s", socket.AF_INET, 0, socket.inet_aton(address))
            configure(SIOCSIFTXQLEN, b"wire", "i", QUEUED_PACKETS_MAX)
            for interface in (b"lo", b"wire"):
                configure(SIOCSIFFLAGS, interface, "H", IFF_UP)
        return device

    @contextlib.contextmanager
    def entered(self):
        """What this thread starts or connects in this block is in the namespace, and stays there."""
        home = this_thread_s_network()
        called(libc.setns(self.descriptor, CLONE_NEWNET))
        try:
            yield
        finally:
            called(libc.setns(home, CLONE_NEWNET))
            os.close(home)

    def close(self):
        os.close(self.device)
        os.close(self.descriptor)


def is_possible():
    """Whether this process may make namespaces, and devices in them: root may, where nothing else confines it."""
    try:
        probe = Namespace("probe", 250)
    except OSError:
        return False
    os.close(probe.device)
    os.close(probe.descriptor)
    return True


class Network:
    """Namespaces by their names, and the switch between them."""

    def __init__(self, names, seed=1):
        self.places = {name: Namespace(name, number) for number, name in enumerate(names, start=1)}
        devices = [place.device for place in self.places.values()]
        command = [sys.executable, pathlib.Path(__file__).with_name("switch.py"), str(seed)]
        command += [f"{place.device}:{place.number}" for place in self.places.values()]
        self.switch = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=devices)
        self.rules = {}
        self.heal()

    def __getitem__(self, name):
        return self.places[name]

    def obey(self):
        rules = [[self[sender].number, self[to].number, rule] for (sender, to), rule in self.rules.items()]
        self.switch.stdin.write(json.dumps(rules).encode() + b"\n")
        self.switch.stdin.flush()
        return json.loads(self.switch.stdout.readline())

    def treat(self, senders, to, both_ways=True, **rule):
        """Puts each direction between two groups of names under a rule (see servers/switch.py), in place of the one that it had."""
        for sender in senders:
            for other in to:
                if sender != other:
                    self.rules[sender, other] = rule
                    if both_ways:
                        self.rules[other, sender] = rule
        return self.obey()

    def heal(self):
        """Everything passes at once; answers what was done to packets since the last change."""
        self.rules = {}
        return self.obey()

    def stop(self):
        self.switch.stdin.close()
        self.switch.wait(10)
        for place in self.places.values():
            place.close()
