"""A cluster under a small load with a Prometheus and an Alertmanager that watch it, each a real one, on loopback."""

import contextlib
import http.client
import http.server
import json
import math
import pathlib
import re
import subprocess
import threading
import urllib.parse

from servers.cluster import Cluster, eventually
from servers.postgres import Refused
from servers.process import begun, free_port, wait_for

from . import documents

# Alerts wait for minutes so that nobody is woken for nothing; here they are waited for.
WAIT = "2s"
# Longer than the rest takes.
LOAD_S = 240
IMAGE = "images/tests/corpus/exif6_small.jpg"
# Requests that each node may have in work: so few that a handful of people can be all of them.
IN_FLIGHT_MAX = 64
# A table that a stranger holds, by this statement, so that whoever writes to it waits.
HOLDING = "SELECT pg_sleep(120)"
# What separates the parts of an upload.
FORM = "watched-by-nobody"


class Receiver:
    """Hears what Alertmanager tells."""

    def __init__(self):
        heard = self.heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                told = json.loads(self.rfile.read(int(self.headers["content-length"])))
                heard.extend((alert["labels"]["alertname"], alert["status"], self.path) for alert in told["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def has_heard(self, alert, status, path):
        return (alert, status, path) in list(self.heard)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Prometheus:
    """A Prometheus that scrapes once a second and looks at its rules as often."""

    def __init__(self, folder, configuration, targets, alertmanager):
        self.port, self.folder = free_port(), folder
        config = configuration / "prometheus.yml"
        text = config.read_text().replace("scrape_interval: 15s", "scrape_interval: 1s").replace("scrape_timeout: 10s", "scrape_timeout: 1s")
        text = text.replace("evaluation_interval: 15s", "evaluation_interval: 1s").replace("127.0.0.1:9093", f"127.0.0.1:{alertmanager}")
        config.write_text(text)
        (configuration / "targets/nodes.yml").write_text(json.dumps([{"targets": targets}]))
        for file in (configuration / "rules").glob("*.yml"):
            file.write_text(re.sub(r"(?m)^(\s+for:) \S+$", rf"\1 {WAIT}", file.read_text()))
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'series'}", f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        self.log = open(folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        wait_for("/-/ready", self.port)

    def ask(self, path, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
            said = json.loads(connection.getresponse().read())
        if said["status"] != "success":
            raise ValueError(f"{parameters}: {said['error']}")
        return said["data"]

    def finds(self, query):
        """Whether a query finds anything that is a number."""
        # Grafana's window is four scrapes at least.
        found = self.ask("query", query=query.replace("$__rate_interval", "15s"))
        if found["resultType"] == "scalar":
            return True
        return any(not math.isnan(float(series["value"][1])) for series in found["result"])

    def rules(self):
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def rule_queries(self):
        """Of each recording rule: where it stands and what it asks. Of alerts the metrics that they compare: they themselves find nothing while all is well."""
        for rule in self.rules():
            if rule["type"] == "recording":
                yield f"rule {rule['name']}", "recording", rule["query"]
                yield f"what rule {rule['name']} recorded", "recorded", rule["name"]
            else:
                for metric in sorted(selectors(rule["query"])):
                    yield f"alert {rule['name']}", "alert", metric

    def failed_rules(self):
        return [f"{rule['name']}: {rule['lastError']}" for rule in self.rules() if rule["health"] != "ok"]

    def firing(self):
        return sorted({alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"})

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def selectors(query):
    """The parts of a query that look at series as they are: names with their matchers."""
    names = documents.metrics_of(query) | {name for name in documents.OF_PROMETHEUS if re.search(rf"\b{name}\b", query)}
    return {found[0] for found in re.finditer(r"[a-zA-Z_][\w:]*(?:\{[^}]*\})?", query) if re.match(r"[\w:]+", found[0])[0] in names}


class Alertmanager:
    """An Alertmanager that tells at once what it hears."""

    def __init__(self, folder, configuration, receiver):
        self.port = free_port()
        text = (configuration / "alertmanager.yml").read_text().replace("127.0.0.1:9095", f"127.0.0.1:{receiver}")
        text = re.sub(r"(group_wait|group_interval): \S+", r"\1: 1s", text)
        config = folder / "alertmanager.yml"
        config.write_text(text)
        command = ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=warn"]
        self.log = open(folder / "alertmanager.log", "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        wait_for("/-/ready", self.port)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class Scene:
    """All of it. What was started is ended with the block."""

    def __init__(self, folder, binaries, here):
        self.folder, self.binaries, self.root = folder, binaries, here.parents[1]
        self.configuration = documents.copied(here, folder / "monitoring")

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.cluster = Cluster(self.folder, self.binaries / "lets-connect", 3, settings=[f"http.requests_in_flight_max={IN_FLIGHT_MAX}"])
            stack.callback(self.cluster.stop)
            if self.cluster.wait_settled(60) is None:
                raise SystemExit(f"the cluster does not settle: {(self.folder / 'node-1.log').read_text()[-3000:]}")
            self.receiver = Receiver()
            stack.callback(self.receiver.stop)
            alertmanager = Alertmanager(self.folder, self.configuration, self.receiver.port)
            stack.callback(alertmanager.stop)
            targets = [f"127.0.0.1:{node.links[1] - 1}" for node in self.cluster.nodes]
            self.prometheus = Prometheus(self.folder, self.configuration, targets, alertmanager.port)
            stack.callback(self.prometheus.stop)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def is_scraped(self):
        """Waits until it is."""
        return eventually(lambda: self.prometheus.finds(f'count(up{{job="lets-connect"}} == 1) == {len(self.cluster.nodes)}'), 20) is not None

    def use(self):
        """A load that lasts as long as the scene does, and an image now and then."""
        bases = [word for node in self.cluster.nodes for word in ("--base", node.base)]
        command = [self.binaries / "loadtest", "run", "mixed", *bases, "--rate", "60", "--warmup", "1s", "--duration", f"{LOAD_S}s", "--people", "10", "--posts", "30", "--products", "30"]
        load = begun(command)
        self.stack.callback(load.wait)
        self.stack.callback(load.terminate)
        account = json.dumps({"username": "watched", "email": "watched@example.org", "password": "a long password"})
        _, _, opened = self.cluster.nodes[0].ask("/api/user/register", method="POST", body=account, headers={"content-type": "application/json"})
        over, self.token = threading.Event(), json.loads(opened)["token"]
        uploads = threading.Thread(target=self.upload, args=(self.token, over), daemon=True)
        uploads.start()
        self.stack.callback(uploads.join)
        self.stack.callback(over.set)

    def fill(self):
        """Has a stranger lock the posts, and as many people write as the first node may have requests in work; each again when it is refused."""
        self.is_full = threading.Event()
        holding = threading.Thread(target=self.hold, daemon=True)
        holding.start()
        writers = [threading.Thread(target=self.write, daemon=True) for _ in range(IN_FLIGHT_MAX)]
        for writer in writers:
            writer.start()
        self.filling = [holding, *writers]

    def hold(self):
        with contextlib.suppress(Refused):
            self.cluster.sql("content", f"BEGIN; LOCK TABLE post IN ACCESS EXCLUSIVE MODE; {HOLDING};")

    def write(self):
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.token}"}
        while not self.is_full.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.cluster.nodes[0].ask("/api/content/posts", method="POST", body='{"content": "Hello"}', headers=headers, timeout=30)

    def empty(self):
        """Ends the stranger's transaction, and nobody writes any more."""
        self.is_full.set()
        self.cluster.sql("content", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '{HOLDING}%'")
        for one in self.filling:
            one.join()

    def upload(self, token, over):
        """An image every two seconds, each another one by a comment in it."""
        image = (self.root / IMAGE).read_bytes()
        headers = {"content-type": f"multipart/form-data; boundary={FORM}", "authorization": f"Bearer {token}"}
        for number in range(LOAD_S // 2):
            other = image[:2] + b"\xff\xfe\x00\x06%04d" % number + image[2:]
            head = f'--{FORM}\r\ncontent-disposition: form-data; name="file"; filename="{number}.jpg"\r\n\r\n'
            with contextlib.suppress(OSError):
                self.cluster.nodes[0].ask("/api/media/upload", method="POST", body=head.encode() + other + f"\r\n--{FORM}--\r\n".encode(), headers=headers, timeout=30)
            if over.wait(2):
                return
