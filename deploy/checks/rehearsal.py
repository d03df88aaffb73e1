"""The part of Kubernetes, played with containers of the real image: the rendered StatefulSet says what each gets and how it is asked, stopped and replaced.

Environment, files, limits, hardening, probes, grace and order are the manifest's. Nodes find each other by DNS; clients are sent to whom the readiness probe found
ready. Certificates are made by `lets-connect certs`, PostgreSQL and Redis are this machine's, and there is no object storage. Shown are

* the join: three nodes that start at the same time are one cluster;
* a rolling update, the highest ordinal first, under load: no request fails;
* a node that is killed, one that hangs, one that nothing reaches and one that takes more memory than it may: the others go on within seconds, and it is back as another
  life of itself.
"""

import contextlib
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid

from servers.postgres import Postgres
from servers.redis import Redis

from checks import node
from checks.rendering import ROOT, platform, render

NETWORK, PODS, STORES = "nodes", "10.89.7.0/24", "10.89.8.1"
# How long a node may take to be ready, and how often it is looked.
READY_MAX_S, LOOK_EVERY_S = 60, 0.1
CLIENTS, PACE_S = 4, 0.05
ANSWER_MAX_S = 15
# What a node owned is others' 5 s after nobody heard of it (docs/cluster.md), and a write of it waits for that.
TAKEN_OVER_MAX_S = 7
# What a password takes to be hashed, in KiB: one fits into what a node of the manifest may have, and two at a time, which it does, do not.
GREEDY = ("LETS_CONNECT_ACCOUNT_ARGON2_MEMORY_KIB=655360",)


class Stores:
    """Where PostgreSQL and Redis are: an address that containers reach."""

    host = STORES

    @staticmethod
    def entered():
        return contextlib.nullcontext()


def podman(*words):
    done = subprocess.run(["podman", *map(str, words)], capture_output=True, text=True, timeout=120)
    if done.returncode:
        sys.exit(f"podman {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout.strip()


def asked(address, port, method, path, body=None, token=None, wait_s=ANSWER_MAX_S):
    """Status and JSON of one request, on a connection of its own. Raises OSError or HTTPException where there is no answer."""
    connection = http.client.HTTPConnection(address, port, timeout=wait_s)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())} if token else {})
    with contextlib.closing(connection):
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    return answer.status, json.loads(text) if text.startswith(b"{") else None


class Pod:
    """One ordinal of the StatefulSet."""

    def __init__(self, stage, ordinal):
        self.stage, self.name = stage, f"{stage.stateful_set['metadata']['name']}-{ordinal}"
        self.address, self.ready = None, False

    def start(self, variables=()):
        """A container as the manifest has it, on a data directory that is new; with variables beside the manifest's."""
        stage, spec = self.stage, self.stage.template["spec"]
        container, security = platform(stage.template), spec["securityContext"]
        words = ["--read-only", "--user", f"{security['runAsUser']}:{security['runAsGroup']}", "--memory", node.size(container["resources"]["limits"]["memory"])]
        words += [word for capability in container["securityContext"]["capabilities"]["drop"] for word in ("--cap-drop", capability.lower())]
        words += ["--security-opt", "no-new-privileges", "--hostname", self.name, "--network", f"{NETWORK}:alias={self.name}.{stage.stateful_set['spec']['serviceName']}"]
        for name in ("postgres", "redis"):
            words += ["--add-host", f"{name}:{STORES}"]
        for name, value in node.environment(stage.rendering, container, self.name).items():
            words += ["--env", f"{name}={value}"]
        words += [word for variable in variables for word in ("--env", variable)]
        for mount in container["volumeMounts"]:
            if mount["name"] != "data":
                words += ["--volume", f"{stage.folder / mount['name']}:{mount['mountPath']}:ro"]
        podman("run", "--detach", "--name", self.name, *words, *container.get("args", []), "lets-connect")
        self.address = podman("inspect", self.name, "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")

    def probe(self, which):
        """Whether a probe of the manifest succeeds."""
        probe = platform(self.stage.template)[which]
        port = next(port["containerPort"] for port in platform(self.stage.template)["ports"] if port["name"] == probe["httpGet"]["port"])
        try:
            return asked(self.address, port, "GET", probe["httpGet"]["path"], wait_s=probe["timeoutSeconds"])[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        """Asks it to end, within the grace that the manifest gives; answers its exit status and how long it took."""
        since = time.monotonic()
        podman("stop", "--time", self.stage.template["spec"]["terminationGracePeriodSeconds"], self.name)
        took = time.monotonic() - since
        status = int(podman("inspect", self.name, "--format", "{{.State.ExitCode}}"))
        podman("rm", "--volumes", self.name)
        return status, took


class Endpoints(threading.Thread):
    """Looks which pods are ready as often as the manifest says, as a Service would."""

    def __init__(self, pods, period_s):
        super().__init__(daemon=True)
        self.pods, self.period_s = pods, period_s

    def run(self):
        while True:
            for pod in self.pods:
                pod.ready = pod.address is not None and pod.probe("readinessProbe")
            time.sleep(self.period_s)

    def one(self):
        """Some pod that is ready."""
        while True:
            ready = [pod for pod in self.pods if pod.ready]
            if ready:
                return random.choice(ready)
            time.sleep(LOOK_EVERY_S)


class Load:
    """Clients who read and write at whichever node they are sent to, and what they were answered."""

    def __init__(self, stage):
        self.stage, self.over = stage, threading.Event()
        self.failed, self.count, self.longest_s = [], 0, 0.0
        self.clients = [threading.Thread(target=self.client, args=(number,), daemon=True) for number in range(CLIENTS)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for client in self.clients:
            client.join(2 * ANSWER_MAX_S)

    def client(self, number):
        person, written = self.stage.people[number], 0
        while not self.over.wait(PACE_S):
            if random.random() < 0.2:
                written += 1
                self.request("POST", "/api/content/posts", {"content": f"{number}-{written}"}, person["token"])
            else:
                self.request("GET", f"/api/user/profile/{random.choice(self.stage.people)['user']['id']}")

    def request(self, method, path, body=None, token=None):
        pod, since = self.stage.endpoints.one(), time.monotonic()
        try:
            status, _ = asked(pod.address, 8000, method, path, body, token)
            wrong = None if status < 300 else f"{status}"
        except (OSError, http.client.HTTPException) as error:
            wrong = f"{type(error).__name__} {error}"
        self.count += 1
        self.longest_s = max(self.longest_s, time.monotonic() - since)
        if wrong:
            self.failed.append(f"{method} {path} at {pod.name}: {wrong}")


class Stage:
    """The cluster that is played, and what came of it."""

    def __init__(self, rendering, folder, binary):
        self.rendering, self.folder, self.wrong = rendering, folder, 0
        (self.stateful_set,) = rendering.of("StatefulSet")
        self.template = self.stateful_set["spec"]["template"]
        self.pods = [Pod(self, ordinal) for ordinal in range(self.stateful_set["spec"]["replicas"])]
        self.endpoints = Endpoints(self.pods, platform(self.template)["readinessProbe"]["periodSeconds"])
        self.people = []
        subprocess.run([binary, "certs", folder / "link", *(pod.name for pod in self.pods)], check=True, stdout=subprocess.DEVNULL)

    def expect(self, what, holds):
        print(f"  {'ok' if holds else 'WRONG'}: {what}", flush=True)
        self.wrong += not holds

    def secrets(self, postgres, redis):
        """The overlay's secrets, with the addresses of what is there instead."""
        volume = next(one for one in self.template["spec"]["volumes"] if one["name"] == "secrets")
        content = node.secrets(self.rendering, volume["secret"]["secretName"])["secrets.toml"]
        content = content.replace("postgres:development@postgres:5432", f"postgres@postgres:{postgres.port}").replace("redis:6379", f"redis:{redis.port}")
        content = "\n".join(line for line in content.splitlines() if not line.startswith("storage_url"))
        (self.folder / "secrets").mkdir()
        (self.folder / "secrets/secrets.toml").write_text(content)
        user = self.template["spec"]["securityContext"]["runAsUser"]
        for path in [self.folder, *self.folder.joinpath("secrets").rglob("*"), *self.folder.joinpath("link").rglob("*"), self.folder / "link", self.folder / "secrets"]:
            if path != self.folder:
                os.chown(path, user, user)
        os.chmod(self.folder, 0o755)

    def until_ready(self, pods):
        """Waits until the readiness probe says so of all of them; answers how long it took."""
        since = time.monotonic()
        while not all(pod.ready for pod in pods):
            if time.monotonic() - since > READY_MAX_S:
                for pod in pods:
                    print(subprocess.run(["podman", "logs", pod.name], capture_output=True, text=True).stderr[-3000:])
                sys.exit(f"not ready within {READY_MAX_S} s")
            time.sleep(LOOK_EVERY_S)
        return time.monotonic() - since

    def members(self, pod):
        """The cluster, as a node shows it to who asks inside of its container."""
        return json.loads(podman("exec", pod.name, "/usr/local/bin/lets-connect", "cluster", "status", "--json"))["members"]

    def until_whole(self):
        """Waits until every node sees all nodes up, under their names, with a share each."""
        deadline, names = time.monotonic() + READY_MAX_S, {pod.name for pod in self.pods}
        while time.monotonic() < deadline:
            seen = [{one["name"] for one in self.members(pod) if one["status"] == "up" and one["slots"] > 0} for pod in self.pods]
            if all(one == names for one in seen):
                return True
            time.sleep(LOOK_EVERY_S)
        return False

    def boot(self, pod):
        """Which life of a node it is, by what the first of the others that can be asked says."""
        return next(one["boot"] for one in self.members(self.pods[-1]) if one["name"] == pod.name and one["status"] == "up")

    def register(self):
        for number in range(CLIENTS):
            body = {"username": f"person{number}", "email": f"person{number}@example.org", "password": "a long password"}
            status, person = asked(self.endpoints.one().address, 8000, "POST", "/api/user/register", body)
            self.people.append(person)
            if status != 201:
                sys.exit(f"nobody can register: {status} {person}")


def joins(stage):
    """All start at once, as podManagementPolicy has it."""
    print("== three nodes that start at the same time")
    for pod in stage.pods:
        pod.start()
    stage.endpoints.start()
    took = stage.until_ready(stage.pods)
    stage.expect(f"all are ready after {took:.1f} s", True)
    stage.expect("each sees all of them, by the names of their pods, with a share", stage.until_whole())
    stage.register()


def updates(stage):
    """One after the other, the highest ordinal first."""
    print("== a rolling update under load")
    with Load(stage) as load:
        for pod in reversed(stage.pods):
            status, took = stage_out(pod)
            stage.expect(f"{pod.name} ended with status {status} after {took:.1f} s", status == 0)
            pod.start()
            stage.until_ready([pod])
            # As Kubernetes waits before it goes on.
            time.sleep(stage.stateful_set["spec"]["minReadySeconds"])
    for failure in load.failed[:5]:
        print(f"    {failure}")
    stage.expect(f"{load.count} requests, {len(load.failed)} failed; the longest took {load.longest_s * 1000:.0f} ms", not load.failed and load.count > 500)
    stage.expect("all are one cluster again", stage.until_whole())


def stage_out(pod):
    """Stops a pod; it is no endpoint any more when it is gone."""
    ended = pod.stop()
    pod.address, pod.ready = None, False
    return ended


def fails(stage, what, begin, end=None):
    """Something happens to a node: the others take over what it owned, and it is started again when it ended, as restartPolicy has it."""
    print(f"== a node that {what}")
    failing, others = stage.pods[0], stage.pods[1:]
    before = stage.boot(failing)
    begin(failing)
    since = time.monotonic()
    # By several people, whose posts have several owners; with keys, as clients send them that want to know what came of a write.
    statuses = [written(others[0], what, person) for person in stage.people]
    took = time.monotonic() - since
    stage.expect(f"writes at another node are answered {sorted(set(statuses))}, the last one after {took:.1f} s", set(statuses) == {201} and took < TAKEN_OVER_MAX_S)
    if end is not None:
        end(failing)
    status = int(podman("wait", failing.name))
    podman("rm", "--volumes", failing.name)
    failing.address, failing.ready = None, False
    failing.start()
    stage.until_ready([failing])
    stage.expect(f"it ended with status {status}, and is one of the cluster again", status != 0 and stage.until_whole())
    stage.expect("as another life of itself", stage.boot(failing) != before)


def written(pod, content, person):
    """The status of a post, or 0 where there is no answer."""
    try:
        return asked(pod.address, 8000, "POST", "/api/content/posts", {"content": content}, person["token"])[0]
    except (OSError, http.client.HTTPException):
        return 0


def killed(stage):
    """Nothing is left of it at once."""
    fails(stage, "is killed", lambda pod: podman("kill", "--signal", "KILL", pod.name))


def hung(stage):
    """It stands still until others own what it had, and then goes on as if nothing had been."""
    fails(stage, "hangs", lambda pod: podman("pause", pod.name), lambda pod: podman("unpause", pod.name))


def cut_off(stage):
    """It neither reaches anybody nor is reached, and hears that it is dead when it does again."""

    def silence(pod, how):
        inside = ["nsenter", "--net", "--target", podman("inspect", pod.name, "--format", "{{.State.Pid}}"), "iptables"]
        for chain, interface in (("INPUT", "--in-interface"), ("OUTPUT", "--out-interface")):
            subprocess.run([*inside, how, chain, interface, "eth0", "--jump", "DROP"], check=True)

    fails(stage, "is cut off", lambda pod: silence(pod, "--append"), lambda pod: silence(pod, "--delete"))


def outgrown(stage):
    """It takes more memory than it may, and the kernel ends it: with a setting that the manifest does not have, for what it has a node keeps to."""
    failing = stage.pods[0]
    stage_out(failing)
    failing.start(GREEDY)
    stage.until_ready([failing])
    stage.until_whole()
    before = out_of_memory()

    def register(pod, number):
        person = {"username": f"greedy{number}", "email": f"greedy{number}@example.org", "password": "a long password"}
        with contextlib.suppress(OSError, http.client.HTTPException):
            asked(pod.address, 8000, "POST", "/api/user/register", person)

    def hash_passwords(pod):
        clients = [threading.Thread(target=register, args=(pod, number)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    fails(stage, "takes more memory than it may", hash_passwords)
    stage.expect("it was the kernel that ended it, for its memory", out_of_memory() > before)


def out_of_memory():
    """How many processes this machine's kernel has ended for their memory."""
    counted = dict(line.split() for line in pathlib.Path("/proc/vmstat").read_text().splitlines())
    return int(counted["oom_kill"])


def main(kubectl, binary):
    subprocess.run(["ip", "address", "add", f"{STORES}/32", "dev", "lo"], check=True)
    podman("network", "create", "--subnet", PODS, NETWORK)
    rendering = render(kubectl, ROOT / "kubernetes/overlays/development")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as after:
        postgres = Postgres(pathlib.Path(folder), "fsync=off", "max_connections=500", place=Stores)
        after.callback(postgres.stop)
        with open(postgres.data / "pg_hba.conf", "a") as rules:
            rules.write(f"host all all {PODS} trust\n")
        postgres.sql("postgres", "SELECT pg_reload_conf()")
        redis = Redis(pathlib.Path(folder), place=Stores)
        after.callback(lambda: (redis.server.terminate(), redis.server.wait(10)))
        own = pathlib.Path(folder) / "pods"
        own.mkdir()
        stage = Stage(rendering, own, binary)
        stage.secrets(postgres, redis)
        after.callback(lambda: subprocess.run(["podman", "rm", "--force", "--time", "0", *(pod.name for pod in stage.pods)], capture_output=True))
        for act in (joins, updates, killed, hung, cut_off, outgrown):
            act(stage)
    sys.exit(1 if stage.wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
