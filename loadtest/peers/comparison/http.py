"""A client as small as it can be, so that it and not only the server can be asked much: HTTP/1.1, keep-alive, bodies with a length."""

import json
import re
import socket
import sys

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection:
    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = port

    def send(self, method, path, body=None, token=None):
        text = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(text)}\r\n" if body is not None else ""
        head += f"authorization: Bearer {token}\r\n" if token else ""
        self.socket.sendall(head.encode() + b"\r\n" + text)

    def receive(self):
        """The status and the body."""
        got = b""
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += self.more()
        head, body = got[:end], got[end + 4:]
        status, length = int(head[9:12]), LENGTH.search(head)
        if status == 204:
            return status, b""
        if length is None:
            sys.exit(f"an answer without a length: {head!r}")
        while len(body) < int(length[1]):
            body += self.more()
        return status, body

    def more(self):
        got = self.socket.recv(65536)
        if not got:
            raise ConnectionError("the server closed the connection")
        return got

    def ask(self, method, path, body=None, token=None):
        """What is answered; anything but success ends the program, because a figure about errors would be none."""
        self.send(method, path, body, token)
        status, answer = self.receive()
        if not 200 <= status < 300:
            sys.exit(f"{method} {path} answered {status}: {answer[:300]!r}")
        return answer

    def close(self):
        self.socket.close()
