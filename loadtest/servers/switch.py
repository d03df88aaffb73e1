"""A switch in user space: hands IP packets from one TUN device to another, or does to them what a bad network does. Run by servers/network.py.

Arguments: a seed, and for each endpoint `FD:LAST_BYTE_OF_ITS_ADDRESS`. Each line on standard input is a JSON list of rules and replaces all rules; it is
answered by a line with what was done since the last one. A rule is `[from, to, {...}]` with last bytes of addresses, for that direction only:

    delay_ms, jitter_ms   packets take so long, give or take; in order, because real paths seldom change it
    loss                  the share of packets that are lost, 0 to 1
    cut                   "drop": nothing passes; "reset": nothing passes, and TCP is told so
"""

import heapq
import json
import os
import random
import selectors
import struct
import sys
import time

PACKET_BYTES_MAX = 65_536
# Read from one endpoint before the others have their turn.
PACKETS_A_TURN = 64
# How often the delay of a direction is drawn anew: what queues cause lasts for longer than one packet takes.
JITTER_EVERY_S = 0.1
TCP, FIN, SYN, RST, ACK = 6, 1, 2, 4, 16


class Direction:
    """From one endpoint to another, under a rule."""

    def __init__(self, rule, chance):
        self.delay_s, self.jitter_s = rule.get("delay_ms", 0) / 1000, rule.get("jitter_ms", 0) / 1000
        self.loss, self.cut = rule.get("loss", 0), rule.get("cut")
        self.chance, self.drawn_at, self.drawn_s, self.last_due = chance, 0.0, self.delay_s, 0.0

    def due(self, now):
        if self.jitter_s and now - self.drawn_at > JITTER_EVERY_S:
            self.drawn_at, self.drawn_s = now, max(0, self.delay_s + self.chance.uniform(-self.jitter_s, self.jitter_s))
        self.last_due = max(now + self.drawn_s, self.last_due)
        return self.last_due


class Switch:
    def __init__(self, seed, endpoints):
        self.chance, self.devices = random.Random(seed), endpoints
        self.directions, self.waiting, self.number = {}, [], 0
        self.passed = self.lost = self.cut = 0
        self.selector = selectors.DefaultSelector()
        for address, device in endpoints.items():
            os.set_blocking(device, False)
            self.selector.register(device, selectors.EVENT_READ, address)
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)

    def run(self):
        while True:
            timeout = None if not self.waiting else max(0, self.waiting[0][0] - time.monotonic())
            for key, _ in self.selector.select(timeout):
                if key.data is None:
                    line = sys.stdin.buffer.readline()
                    if not line:
                        return
                    self.obey(json.loads(line))
                else:
                    self.take_from(key.data, key.fd)
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                _, _, to, packet = heapq.heappop(self.waiting)
                self.hand_over(to, packet)

    def obey(self, rules):
        self.directions = {(sender, to): Direction(rule, self.chance) for sender, to, rule in rules}
        print(json.dumps({"passed": self.passed, "lost": self.lost, "cut": self.cut, "waiting": len(self.waiting)}), flush=True)
        self.passed = self.lost = self.cut = 0

    def take_from(self, sender, device):
        for _ in range(PACKETS_A_TURN):
            try:
                packet = os.read(device, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            # IPv4 only, and only to those who are there.
            if packet[0] >> 4 != 4 or packet[19] not in self.devices:
                continue
            direction = self.directions.get((sender, packet[19]))
            if direction is None:
                self.hand_over(packet[19], packet)
            else:
                self.treat(direction, sender, packet)

    def treat(self, direction, sender, packet):
        if direction.cut:
            self.cut += 1
            answer = reset(packet) if direction.cut == "reset" else None
            if answer:
                self.hand_over(sender, answer)
        elif self.chance.random() < direction.loss:
            self.lost += 1
        elif direction.delay_s or direction.jitter_s:
            self.number += 1
            heapq.heappush(self.waiting, (direction.due(time.monotonic()), self.number, packet[19], packet))
        else:
            self.hand_over(packet[19], packet)

    def hand_over(self, to, packet):
        self.passed += 1
        try:
            os.write(self.devices[to], packet)
        except BlockingIOError:
            self.lost += 1


def reset(packet):
    """What ends a connection at whoever sent this packet of it (RFC 9293, 3.10.7.1); None where that would answer a reset, or no TCP."""
    header = (packet[0] & 15) * 4
    if packet[9] != TCP or len(packet) < header + 20:
        return None
    source, target, sequence, acknowledged, offset, flags = struct.unpack_from("!HHIIBB", packet, header)
    if flags & RST:
        return None
    payload = len(packet) - header - (offset >> 4) * 4 + bool(flags & SYN) + bool(flags & FIN)
    if flags & ACK:
        fields = (target, source, acknowledged, 0, 5 << 4, RST, 0, 0, 0)
    else:
        fields = (target, source, 0, (sequence + payload) & 0xFFFFFFFF, 5 << 4, RST | ACK, 0, 0, 0)
    segment = struct.pack("!HHIIBBHHH", *fields)
    addresses = packet[16:20] + packet[12:16]
    total = checksum(addresses + struct.pack("!BBH", 0, TCP, len(segment)) + segment)
    segment = segment[:16] + struct.pack("!H", total) + segment[18:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, TCP, 0) + addresses
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + segment


def checksum(octets):
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    pairs = (argument.split(":") for argument in sys.argv[2:])
    Switch(int(sys.argv[1]), {int(address): int(device) for device, address in pairs}).run()
