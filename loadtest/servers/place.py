"""Where a process runs: on this machine's loopback, or in a network namespace of its own (servers/network.py)."""

import contextlib
import http.client


class Loopback:
    host = "127.0.0.1"

    def entered(self):
        """What is started or connected in this block is so from there."""
        return contextlib.nullcontext()


LOOPBACK = Loopback()


def ask(place, host, port, path, method="GET", body=None, headers=None, timeout=10):
    """One HTTP exchange from a place: status, headers with names in lower case, body."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        with place.entered():
            connection.connect()
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()
