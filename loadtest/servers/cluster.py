"""A cluster of real nodes with PostgreSQL and Redis of its own: started, hurt, watched, started again."""

import collections
import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from .place import LOOPBACK, ask
from .postgres import Postgres
from .process import eventually, free_ports, rss_mib
from .redis import Redis

SLOTS = 4096
# The server's databases begin with it: DATABASE_users, DATABASE_content, DATABASE_shop.
DATABASE = "app"
# What runs nodes starts one that ended again after so long, as a StatefulSet would.
RESTART_AFTER_S = 0.5
# Of a node's listeners, behind the gateway's port.
ADMIN, LINKS, PORTS_EACH = 10, 11, 12
# Nodes begin to move slots each tenth of a second.
LOTS_EVERY_S = 0.3
# Of one cluster, those included that are added to it.
NODES_MAX = 12
# Hashing is not what is judged here, and limits would judge the load.
SETTINGS = ["account.argon2_memory_kib=64", "account.hashing_queue_max=4096", "account.failures_per_address_max=1000000", "log.filter=info", "cache.bytes_max=16MiB"]
# What stands before the edges here learns at once where to go.
SETTINGS += ["cluster.drain_wait_ms=1000"]
SETTINGS += [f"rate.{kind}=0" for kind in ("read_per_s", "write_per_s", "search_per_s", "sign_in_per_min")] + [f"listen.{name}=off" for name in ("user", "content", "shop", "media")]


@dataclass
class Exit:
    """A process of a node that ended."""

    name: str
    status: int
    at: float
    # Whether the harness ended it.
    is_wished: bool


class Node:
    """One node: its place, and the process that stands for it at the moment."""

    def __init__(self, cluster, name, place, port):
        self.cluster, self.name, self.place, self.port = cluster, name, place, port
        self.data, self.log = cluster.folder / name, cluster.folder / f"{name}.log"
        self.process, self.is_wanted, self.ends_by_wish, self.restart_after_s = None, False, False, RESTART_AFTER_S
        self.more, self.env, self.binary = [], {}, cluster.binary

    @property
    def base(self):
        return f"http://{self.place.host}:{self.port}"

    @property
    def links(self):
        return self.place.host, self.port + LINKS

    def start(self):
        settings = [*SETTINGS, f"postgres.url={self.cluster.postgres.url(DATABASE)}?sslmode=disable", f"redis.url={self.cluster.redis.url}"]
        settings += [f"listen.gateway={self.place.host}:{self.port}", f"listen.admin=127.0.0.1:{self.port + ADMIN}"]
        settings += [f"cluster.name={self.name}", f"cluster.listen={self.place.host}:{self.port + LINKS}"]
        settings += [f"cluster.credentials={self.cluster.certificates / self.name}", *self.cluster.settings, *self.more]
        command = [self.binary, "--data-dir", self.data, *(word for setting in settings for word in ("--set", setting))]
        self.is_wanted, self.ends_by_wish, self.started_at = True, False, time.monotonic()
        with open(self.log, "ab") as log, self.place.entered():
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **self.env})

    def ask(self, path, **how):
        """Through the gateway, from this node's own place: no fault of the network lies between."""
        return ask(self.place, self.place.host, self.port, path, **how)

    def inside(self, path="/cluster"):
        """What the admin listener says, or None if it says nothing."""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            status, _, body = ask(self.place, "127.0.0.1", self.port + ADMIN, path, timeout=2)
            return json.loads(body) if status == 200 else None

    def is_ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("/health/ready", timeout=2)[0] == 200
        return False

    def kill(self, restart_after_s=RESTART_AFTER_S):
        """At once. It is started again after a while, or never (None)."""
        self.end(signal.SIGKILL, restart_after_s)

    def terminate(self, restart_after_s=None):
        """As it is asked to by whoever runs it."""
        self.end(signal.SIGTERM, restart_after_s)

    def end(self, how, restart_after_s):
        self.is_wanted, self.restart_after_s, self.ends_by_wish = restart_after_s is not None, restart_after_s, True
        self.process.send_signal(how)

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def rss_mib(self):
        return rss_mib(self.process.pid)


class Cluster:
    """Nodes on loopback, or each in a namespace of `network`, and what they need. What ends by itself is started again."""

    def __init__(self, folder, binary, nodes=3, network=None, settings=()):
        self.folder, self.binary, self.network, self.settings = folder, binary, network, list(settings)
        self.certificates, self.exits, self.nodes = folder / "certificates", [], []
        self.postgres = Postgres(folder, "max_connections=300", "shared_preload_libraries=pg_stat_statements", place=self.place("postgres"))
        self.redis = Redis(folder, place=self.place("redis"))
        names = [f"node-{number}" for number in range(1, nodes + 1)]
        self.certify(*names)
        self.of_binary("migrate", "--set", f"postgres.url={self.postgres.url(DATABASE)}?sslmode=disable")
        self.first_port = 8000 if network else free_ports(PORTS_EACH * NODES_MAX)
        self.is_watched = True
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        for name in names:
            self.add(name)
        self.watcher.start()

    def place(self, name):
        return self.network[name] if self.network else LOOPBACK

    def of_binary(self, *arguments):
        with self.place("postgres").entered():
            subprocess.run([self.binary, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def sql(self, domain, statement):
        """As somebody who writes beside the platform: users, content or shop."""
        return self.postgres.run("psql", *self.postgres.where(f"{DATABASE}_{domain}"), text=statement, name="psql").strip()

    def store_reads(self):
        """How often the platform has asked the databases, by what it asked, but for what each node asks by the clock, or as a member of the cluster."""
        self.postgres.sql("postgres", "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        of_the_nodes = "cluster_|slot_epoch|outbox|foreign_write|schema_migration|errand|checkout|instance|pg_"
        counted = "SELECT json_object_agg(query, calls) FROM (SELECT query, sum(calls) AS calls FROM pg_stat_statements "
        counted += f"WHERE query ~* '^\\s*select' AND query !~ '{of_the_nodes}' GROUP BY query) AS each_query"
        return collections.Counter(json.loads(self.postgres.sql("postgres", counted) or "{}"))

    def certify(self, *names):
        self.of_binary("certs", self.certificates, *names)

    def add(self, name, start=True):
        """One more node; its certificate must be there."""
        port = self.first_port + (0 if self.network else PORTS_EACH * len(self.nodes))
        node = Node(self, name, self.place(name), port)
        self.nodes.append(node)
        if start:
            node.start()
        return node

    def watch(self):
        """Starts again what ended, as whoever runs nodes does."""
        ended = {}
        while self.is_watched:
            for node in self.nodes:
                if node.process is None or node.process.poll() is None:
                    continue
                if node.process.pid not in ended:
                    ended[node.process.pid] = time.monotonic()
                    self.exits.append(Exit(node.name, node.process.returncode, ended[node.process.pid], node.ends_by_wish))
                    if not node.ends_by_wish:
                        node.restart_after_s = RESTART_AFTER_S
                if node.is_wanted and time.monotonic() - ended[node.process.pid] >= node.restart_after_s:
                    node.start()
            time.sleep(0.02)

    def members(self, among=None):
        """What a node says of the cluster: the first of these that answers."""
        for node in among or self.nodes:
            if node.process and node.process.poll() is None and (said := node.inside()):
                return said
        return None

    def unserved(self, among=None, without=None):
        """How many slots nobody who is up owns, `without` not counted, as one of these nodes knows it; None if none of them answers."""
        said = self.members(among)
        if said is None:
            return None
        up = {member["boot"] for member in said["members"] if member["status"] in ("up", "leaving")} - {without}
        return SLOTS - sum(count for boot, count in said["slots"]["by_owner"].items() if boot in up)

    def is_served(self):
        """Every node that should be there is up and ready, all of them know the same members, and somebody who is up owns each slot."""
        wanted = [node for node in self.nodes if node.is_wanted]
        said = [node.inside() for node in wanted]
        # Numbers of views may differ by a change that concerns nobody else: what they say of members is compared.
        if None in said or len({frozenset((member["boot"], member["status"]) for member in one["members"]) for one in said}) != 1:
            return False
        up = {member["boot"] for member in said[0]["members"] if member["status"] == "up"}
        return up == {one["boot"] for one in said} and all(node.is_ready() and self.unserved([node]) == 0 for node in wanted)

    def shares(self):
        """How many slots each node owns, if every one that should be there is up and owns its share, and all of them say the same; else None."""
        wanted = [node for node in self.nodes if node.is_wanted]
        said = [node.inside() for node in wanted]
        if None in said or len({json.dumps(one["slots"]["by_owner"], sort_keys=True) for one in said}) != 1:
            return None
        boots, owned = {one["boot"] for one in said}, said[0]["slots"]["by_owner"]
        up = {member["boot"] for member in said[0]["members"] if member["status"] == "up"}
        even = SLOTS / len(wanted)
        return owned if up == boots == set(owned) and sum(owned.values()) == SLOTS and min(owned.values()) > even * 0.7 else None

    def wait_settled(self, seconds=60):
        """How long it took until everything was as it should be, and nothing moved any more; None if it was not."""
        return eventually(lambda: (owned := self.shares()) and all(node.is_ready() for node in self.nodes if node.is_wanted) and self.rests(owned), seconds)

    def rests(self, owned):
        """Whether each node still owns as much after longer than nodes pause between two lots of slots that move."""
        time.sleep(LOTS_EVERY_S)
        return self.shares() == owned

    def deaths(self, since):
        """Nodes that ended since then though the harness did not end them."""
        return [exit for exit in self.exits if exit.at >= since and not exit.is_wished]

    def stop(self):
        self.is_watched = False
        if self.watcher.is_alive():
            self.watcher.join()
        running = [node for node in self.nodes if node.process and node.process.poll() is None]
        for node in running:
            node.go_on()
            node.kill(None)
        for node in running:
            node.process.wait()
        self.redis.stop()
        self.postgres.stop()
