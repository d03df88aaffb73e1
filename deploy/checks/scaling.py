"""The HPA of overlays/production at work, on processes: two nodes, a load for which they are too few, then one for which ten are too many.

Minimum, maximum, targets and behaviour are the manifest's; what nodes use is what the kernel says of their processes, in percent of `--request`, which is small here so
that ten nodes have room on one machine; memory goes by the pod's own request. Clients go to whom the readiness probe found ready, as by a Service. Judged are

* that it goes from the least to the most that it may, and back;
* that no request of these clients fails, and that no read that `loadtest check` makes beside them misses an acknowledged write;
* that slots move at most 1.2 times as often as they have to.

Times are those of the manifest, divided by `--faster` on the way down.
"""

import argparse
import contextlib
import http.client
import json
import pathlib
import random
import sys
import tempfile
import threading
import time
import uuid

from scenarios.load import Told
from servers.cluster import SLOTS, Cluster, eventually
from servers.place import LOOPBACK
from servers.process import clean_up_when_ended, cpu

from checks import consistency, hpa, node
from checks.rendering import ROOT, render

CLIENTS, PACE_S, ANSWER_MAX_S = 4, 0.05, 15
# What `loadtest check` reads and writes each second, while there is much to do.
READS_EACH_S, WRITES_EACH_S = 1500, 100
# How long there is much to do, of which the most nodes are there at the end; and how long the way back may take, which is 300 s and then a node a minute.
BUSY_S, HOLD_S, QUIET_S = 180, 60, 1200
MOVED_FACTOR_MAX = 1.2


class Pods:
    """The StatefulSet: ordinals that are there, in order, and which of them are ready."""

    def __init__(self, cluster, readiness_s, count):
        self.cluster, self.readiness_s, self.count = cluster, readiness_s, count
        self.ready, self.leaving, self.over = [], [], threading.Event()
        self.gained, self.unclean = {}, []
        self.prober = threading.Thread(target=self.probe, daemon=True)
        self.prober.start()

    def probe(self):
        """As often as the manifest asks."""
        while not self.over.wait(self.readiness_s):
            self.look()

    def look(self):
        """Which are ready, and what each process says of the slots that it ever gained."""
        running = [one for one in self.cluster.nodes if one.process and one.process.poll() is None]
        self.ready = [one for one in running if one.is_ready()]
        for one in running:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.gained[one.process.pid] = figure(one, "slots_gained_total")

    def scale(self, wished):
        """Starts or stops the highest ordinals."""
        for one in self.cluster.nodes[self.count : wished]:
            one.start()
        for one in self.cluster.nodes[wished : self.count]:
            one.terminate()
            self.leaving.append((one, one.process))
        self.count = wished

    def gone(self):
        """Waits for those who were asked to stop; answers whether each ended well."""
        for one, process in self.leaving:
            process.wait(60)
            if process.returncode:
                self.unclean.append(f"{one.name} ended with status {process.returncode}")
        return not self.unclean


def figure(one, name):
    """A figure that a node shows, all its series together."""
    connection = http.client.HTTPConnection(LOOPBACK.host, one.links[1] - 1, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)


class Uses:
    """What the pods use of what they asked for, in percent, from one look to the next; None of one whose time between two looks is not whole yet."""

    def __init__(self, request_cpu, memory):
        self.request_cpu, self.memory, self.seen = request_cpu, memory, {}

    def look(self, nodes):
        now, cpus, memories, seen = time.monotonic(), [], [], {}
        for one in nodes:
            pid, spent = one.process.pid, cpu(one.process.pid)
            before = self.seen.get(pid)
            cpus.append(None if before is None else (spent - before[1]) / (now - before[0]) / self.request_cpu * 100)
            memories.append(one.rss_mib() * 1024**2 / self.memory * 100)
            seen[pid] = (now, spent)
        self.seen = seen
        return cpus, memories


class Clients:
    """People who read and write at whoever is ready, a connection each time."""

    def __init__(self, pods):
        self.pods, self.over, self.failed, self.count, self.longest_s = pods, threading.Event(), [], 0, 0.0
        self.people = [self.registered(number) for number in range(CLIENTS)]
        self.threads = [threading.Thread(target=self.client, args=(person,), daemon=True) for person in self.people]
        for thread in self.threads:
            thread.start()

    def registered(self, number):
        body = {"username": f"person{number}", "email": f"person{number}@example.org", "password": "a long password"}
        _, _, person = self.pods.cluster.nodes[0].ask("/api/user/register", method="POST", body=json.dumps(body), headers={"content-type": "application/json"})
        return json.loads(person)

    def client(self, person):
        written = 0
        while not self.over.wait(PACE_S):
            if random.random() < 0.2:
                written += 1
                headers = {"authorization": f"Bearer {person['token']}", "content-type": "application/json", "idempotency-key": str(uuid.uuid4())}
                self.request("POST", "/api/content/posts", json.dumps({"content": f"{written}"}), headers)
            else:
                self.request("GET", f"/api/user/profile/{random.choice(self.people)['user']['id']}")

    def request(self, method, path, body=None, headers=None):
        one, since = random.choice(self.pods.ready), time.monotonic()
        try:
            status, _, _ = one.ask(path, method=method, body=body, headers=headers, timeout=ANSWER_MAX_S)
            wrong = None if status < 300 else f"{status}"
        except (OSError, http.client.HTTPException) as error:
            wrong = f"{type(error).__name__} {error}"
        self.count += 1
        self.longest_s = max(self.longest_s, time.monotonic() - since)
        if wrong:
            self.failed.append(f"{method} {path} at {one.name}: {wrong}")

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(2 * ANSWER_MAX_S)


class Stage:
    """The manifest's pods and autoscaler, and what came of them."""

    def __init__(self, rendering, options, folder):
        binary, (stateful_set,) = options.folder / "lets-connect", rendering.of("StatefulSet")
        manifest = consistency.Node(binary, rendering, stateful_set)
        spec, container = manifest.autoscaler, manifest.container
        self.options, self.wrong, self.least, self.most = options, 0, spec["minReplicas"], spec["maxReplicas"]
        self.targets = {one["resource"]["name"]: one["resource"]["target"]["averageUtilization"] for one in spec["metrics"]}
        self.uses = Uses(options.request / 1000, node.size(container["resources"]["requests"]["memory"]))
        # Ten nodes on one machine have less each; how they leave is the manifest's.
        settings = [f"cluster.drain_wait_ms={manifest.settings['cluster']['drain_wait_ms']}", "postgres.connections_max=2", "node.worker_threads=1", "log.filter=warn", *options.settings]
        self.cluster = Cluster(folder, binary, self.least, settings=settings)
        self.readiness_s = container["readinessProbe"]["periodSeconds"]
        # The autoscaler has a clock of its own, which may go faster than the world's.
        self.autoscaler, self.now = hpa.Autoscaler(spec), 0
        self.necessary, self.report = 0.0, folder / "check.json"

    def expect(self, what, holds):
        print(f"  {'ok' if holds else 'WRONG'}: {what}", flush=True)
        self.wrong += not holds

    def begin(self):
        cluster = self.cluster
        if cluster.wait_settled(60) is None:
            sys.exit("two nodes do not settle")
        names = [f"node-{number + 1}" for number in range(self.least, self.most)]
        cluster.certify(*names)
        for name in names:
            cluster.add(name, start=False)
        self.pods = Pods(cluster, self.readiness_s, self.least)
        eventually(lambda: len(self.pods.ready) == len(self.pods.gained) == self.least, 30)
        # What they shared out between themselves at their start is no move.
        self.at_start = sum(self.pods.gained.values())
        self.clients = Clients(self.pods)

    def follow(self, until, seconds, faster=1):
        """Lets the autoscaler work until a condition holds of how many there are, or for so many seconds of its own; answers the path that it took."""
        path, next_at, over_at = [self.pods.count], time.monotonic() + hpa.SYNC_S / faster, self.now + seconds
        self.uses.look(self.cluster.nodes[: self.pods.count])
        while self.now < over_at:
            time.sleep(max(0, next_at - time.monotonic()))
            next_at += hpa.SYNC_S / faster
            self.now += hpa.SYNC_S
            replicas = self.pods.count
            cpus, memories = self.uses.look(self.cluster.nodes[:replicas])
            wanted = max(hpa.round_up(replicas, cpus, self.targets["cpu"]), hpa.round_up(replicas, memories, self.targets["memory"]))
            wished = self.autoscaler.decide(self.now, replicas, wanted)
            shown = " ".join("–" if one is None else f"{one:.0f}" for one in cpus)
            print(f"  {self.now:5.0f} s: CPU {shown} %, memory {max(memories):.0f} % at most: {wanted} are asked for, {wished} are to be", flush=True)
            if wished != replicas:
                self.change(replicas, wished)
                path.append(wished)
            if until(self.pods.count):
                break
        return path

    def change(self, replicas, wished):
        """So many slots have to move: the share of those who come, and all that those own who go."""
        self.necessary += SLOTS * abs(wished - replicas) / max(wished, replicas)
        self.pods.scale(wished)

    def rises(self):
        """Much to do."""
        print(f"== more than {self.least} nodes can do", flush=True)
        bases = [word for one in self.cluster.nodes for word in ("--base", one.base)]
        command = [self.options.folder / "loadtest", "check", *bases, "--deadline", "10s", "--reads", "100000000", "--keys", "60", "--readers", "16", "--writers", "8"]
        command += ["--reads-per-second", READS_EACH_S, "--writes-per-second", WRITES_EACH_S, "--duration-max", f"{BUSY_S}s", "--json", self.report]
        load = Told(LOOPBACK, command)
        if load.wait_for("the check begins", 60) is None:
            sys.exit(f"the load does not begin: {load.last_words()}")
        held = {}

        def enough(count):
            held.setdefault("since", self.now) if count == self.most else held.clear()
            return "since" in held and self.now - held["since"] >= HOLD_S

        path = self.follow(enough, BUSY_S)
        self.expect(f"{' → '.join(map(str, path))}", path[-1] == self.most)
        self.expect("all of them are one cluster, with a share each", self.cluster.wait_settled(60) is not None)
        load.end()
        found = json.loads(self.report.read_text())
        self.expect(f"of {found['readsChecked']} reads {found['violations']} missed an acknowledged write", not found["violations"] and found["readsChecked"] > 10_000)

    def falls(self):
        """Little to do."""
        print(f"== what {self.least} nodes can do, {self.options.faster:g} times as fast", flush=True)
        path = self.follow(lambda count: count == self.least, QUIET_S, self.options.faster)
        self.expect(f"{' → '.join(map(str, path))}", path == list(range(self.most, self.least - 1, -1)))
        self.expect(f"{len(self.pods.leaving)} nodes left, each with status 0: {self.pods.unclean or 'yes'}", self.pods.gone())
        self.expect("the others are one cluster again", self.cluster.wait_settled(60) is not None)

    def judge(self):
        self.clients.end()
        self.pods.over.set()
        self.pods.prober.join()
        self.pods.look()
        for failure in self.clients.failed[:5]:
            print(f"    {failure}")
        self.expect(f"{self.clients.count} requests, {len(self.clients.failed)} failed; the longest took {self.clients.longest_s:.2f} s", not self.clients.failed)
        moved = sum(self.pods.gained.values()) - self.at_start
        self.expect(f"slots moved {moved:.0f} times, at least {self.necessary:.0f} had to: {moved / self.necessary:.2f} times", moved <= MOVED_FACTOR_MAX * self.necessary)
        self.expect("nobody died", not self.cluster.deaths(0))


def main():
    clean_up_when_ended()
    options = argparse.ArgumentParser(prog="deploy/scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("kubectl")
    options.add_argument("folder", type=pathlib.Path, help="the folder of the binaries")
    options.add_argument("--request", type=float, default=60, help="what a node asks for, in thousandths of a core (default 60)")
    options.add_argument("--faster", type=float, default=1, help="how many times as fast the way down is (default 1: a quarter of an hour)")
    options.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE", help="a setting of all nodes")
    options = options.parse_args()
    options.folder = options.folder.resolve()
    rendering = render(options.kubectl, ROOT / "kubernetes/overlays/production")
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        # PostgreSQL runs as somebody else where this is root.
        pathlib.Path(folder).chmod(0o755)
        stage = Stage(rendering, options, pathlib.Path(folder))
        try:
            stage.begin()
            stage.rises()
            stage.falls()
            stage.judge()
        finally:
            stage.cluster.stop()
    sys.exit(1 if stage.wrong else 0)


if __name__ == "__main__":
    main()
