"""Whoever else connects to the port of the links: silent, talkative, or with a certificate that may not do."""

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

from servers.process import eventually

ALPN = "lets-connect/1"
# Longer than a node waits for anybody (links/src/limit.rs).
CLOSED_WITHIN_S = 8
SILENT = 300
JOIN_S = 2


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certificate(folder, name, authority, days=None, until=None):
    """A certificate for a node of this name, by an authority; `until` an hour of the past, if it has ended."""
    key, request, signed = (folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-subj", f"/CN={name}", "-out", request)
    database = folder / f"{name}.db"
    (database).write_text("")
    settings = folder / f"{name}.cnf"
    settings.write_text(
        f"[ca]\ndefault_ca=a\n[a]\ndatabase={database}\nrand_serial=yes\nnew_certs_dir={folder}\ndefault_md=sha256\npolicy=p\nunique_subject=no\n"
        f"[p]\ncommonName=supplied\n[node]\nsubjectAltName=DNS:{name.split('_')[0]}\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n"
    )
    span = ["-startdate", "20200101000000Z", "-enddate", until] if until else ["-days", days or 30]
    openssl("ca", "-batch", "-config", settings, "-extensions", "node", "-cert", authority / "ca.crt", "-keyfile", authority / "ca.key", "-in", request, "-out", signed, "-notext", *span)
    return signed, key


def authority_of_strangers(folder):
    made = folder / "strangers"
    made.mkdir(exist_ok=True)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", made / "ca.key", "-out", made / "ca.crt", "-subj", "/CN=strangers", "-days", 30)
    return made


def context(pair=None):
    # Whom they talk to is no matter to strangers.
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_alpn_protocols([ALPN])
    if pair:
        made.load_cert_chain(*pair)
    return made


def greeting(name):
    """What a node that dials says first: ractor_cluster's NameMessage, behind its length."""
    def field(tag, octets):
        return bytes([tag, len(octets)]) + octets

    message = field(0x0A, field(0x0A, field(0x0A, name.encode()) + field(0x1A, b"x:1")))
    return struct.pack("!Q", len(message)) + message


def refused(stage, node, said, tls=None):
    """Whether a node closes the connection of someone who says this, and what it said to them before: (True, b"") is right."""
    heard, began = b"", time.monotonic()
    try:
        with stage.clients.entered():
            stream = socket.create_connection(node.links, timeout=CLOSED_WITHIN_S)
        with stream:
            if tls:
                stream = tls.wrap_socket(stream)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                stream.sendall(said)
            while time.monotonic() - began < CLOSED_WITHIN_S and (more := stream.recv(65_536)):
                heard += more
    except TimeoutError:
        return False, heard
    except OSError:
        # An alert or a reset is a refusal, too.
        pass
    return time.monotonic() - began < CLOSED_WITHIN_S, heard


def credentials(stage, node):
    own = stage.cluster.certificates / node.name
    return own / "tls.crt", own / "tls.key"


def kinds(stage, node):
    """Everybody who is to be refused, by what is wrong with them: what they say, and with which certificate."""
    folder = stage.cluster.folder
    ours, theirs = stage.cluster.certificates / "authority", authority_of_strangers(folder)
    member = credentials(stage, stage.cluster.nodes[-1])
    boot = node.inside()["boot"]
    first = f"{stage.cluster.nodes[0].name}@{boot}"
    return {
        "garbage without TLS": (os.urandom(4096), None),
        "an HTTP request": (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", None),
        "a TLS record that is larger than any": (b"\x16\x03\x01\xff\xff" + bytes(70_000), None),
        "no certificate": (greeting(first), context()),
        "another authority's certificate": (greeting(first), context(certificate(folder, "node-1_theirs", theirs))),
        "a certificate that has ended": (greeting(first), context(certificate(folder, "node-1_ended", ours, until="20210101000000Z"))),
        "another node's name": (greeting(first), context(member)),
        "a name of nobody": (greeting(f"node-99@{boot}"), context(certificate(folder, "node-99", ours))),
        "a frame that is too large": (struct.pack("!Q", 1 << 24) + bytes(1 << 16), context(member)),
        "garbage in a frame": (struct.pack("!Q", 512) + os.urandom(512), context(member)),
        "silence behind the handshake": (b"", context(member)),
    }


class Silent:
    """Connections that say nothing, opened again as they are closed."""

    def __init__(self, stage, node, count):
        self.stage, self.node, self.count, self.open, self.is_over, self.opened = stage, node, count, [], False, 0
        self.thread = threading.Thread(target=self.insist, daemon=True)
        self.thread.start()

    def insist(self):
        while not self.is_over:
            self.open = [stream for stream in self.open if not is_closed(stream)]
            while len(self.open) < self.count and not self.is_over:
                with contextlib.suppress(OSError), self.stage.clients.entered():
                    self.open.append(socket.create_connection(self.node.links, timeout=2))
                    self.opened += 1
            time.sleep(0.2)

    def end(self):
        self.is_over = True
        self.thread.join()
        for stream in self.open:
            stream.close()


def is_closed(stream):
    stream.setblocking(False)
    try:
        return stream.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def port(stage):
    """The port of the links meets silence, garbage and certificates that may not do. Each is refused; a node that joins meanwhile is up within 2 s."""
    joins = stage.victim()
    target = stage.others(joins)[0]
    began = time.monotonic()
    before = target.rss_mib()
    with stage.under_load(max(40, stage.options.seconds)) as load:
        stage.mark("connections that say nothing are opened")
        flood = [Silent(stage, node, SILENT) for node in stage.others(joins)]
        try:
            for what, (said, tls) in kinds(stage, target).items():
                is_refused, heard = refused(stage, target, said, tls)
                # TLS says why in an alert; nothing else may be said.
                unsealed = heard if tls else b""
                stage.expect(f"{what} is refused, with {len(unsealed)} bytes of answer", is_refused and not unsealed)
            stage.mark(f"{joins.name} leaves and joins")
            joins.terminate(restart_after_s=0)
            old = joins.process.pid
            eventually(lambda: joins.process.pid != old, 40, pause_s=0.005)
            took = eventually(lambda: is_up(target, joins), 30, pause_s=0.02)
            took = took and time.monotonic() - joins.started_at
            stage.expect_within(f"{joins.name} was up {{}} after its start", took, JOIN_S)
        finally:
            for silent in flood:
                silent.end()
        stage.show(f"{sum(silent.opened for silent in flood)} connections said nothing; {target.name} grew by {target.rss_mib() - before:.0f} MiB")
    stage.judge(load, waits=(None, None), hurt=[joins])
    stage.expect_deaths(began)


def is_up(seen_by, node):
    """Whether another node says that the process of this one is up."""
    said, own = seen_by.inside(), node.inside()
    return said and own and any(member["boot"] == own["boot"] and member["status"] == "up" for member in said["members"])
