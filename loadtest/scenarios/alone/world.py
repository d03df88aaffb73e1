"""Where a scenario plays: one platform on servers of its own, and what must hold of it."""

import contextlib
import http.client
import json
import random
import signal
import subprocess
import sys
import time

from servers.place import LOOPBACK, ask
from servers.postgres import Postgres
from servers.process import eventually, free_ports, rss_mib, wait_for
from servers.redis import Redis

from ..load import Load
from ..record import Recorded

ADMIN = 10
# Hashing is not what is judged here, and limits of single callers would judge the load.
SETTINGS = ["account.argon2_memory_kib=64", "account.hashing_queue_max=4096", "log.filter=warn"]
SETTINGS += [f"rate.{kind}_per_s=0" for kind in ("read", "write", "search")]
# In shorter runs, which other work on the machine may disturb as a whole, limits of time are this much wider.
SHORT_SLACK, SHORT_S = 3, 30
# Runs as long as this are judged by their 99th percentiles, too: of a few seconds on a machine that others use the slowest answers say little.
JUDGED_FROM_S = 60


class World(Recorded):
    """A platform, by default on the embedded store and alone; `core` is the processor that all of it is pinned to."""

    def __init__(self, trial, with_postgres=False, with_redis=False, data=None, settings=(), core=None):
        self.folder, self.binaries, self.record, self.options, self.seed = trial.folder, trial.binaries, trial.record, trial.options, trial.record.seed
        self.clients, self.nodes, self.chance, self.core = LOOPBACK, [self], random.Random(self.seed), core
        # Reads and writes of the checker, and requests of the open-loop load, each a second.
        self.pace = (10_000, 400, 200)
        self.data, self.settings = data or self.folder / "data", [*SETTINGS, "cache.bytes_max=16MiB", *settings]
        self.postgres, self.redis, self.platform = None, None, None
        self.port = free_ports()
        try:
            if with_postgres:
                self.postgres = Postgres(self.folder)
                self.settings += [f"postgres.url={self.postgres.url('app')}?sslmode=disable"]
            if with_redis:
                self.redis = Redis(self.folder)
                self.settings += [f"redis.url={self.redis.url}"]
            self.start()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def judges_latency(self):
        return self.options.seconds >= JUDGED_FROM_S

    @property
    def slack(self):
        return SHORT_SLACK if self.options.seconds < SHORT_S else 1

    def start(self):
        pinned = [] if self.core is None else ["taskset", "-c", str(self.core)]
        command = [*pinned, self.binaries / "lets-connect", "--data-dir", self.data, "--listen-port-base", str(self.port)]
        with open(self.folder / "log", "ab") as log:
            self.platform = subprocess.Popen([*command, *(word for setting in self.settings for word in ("--set", setting))], stderr=log)
        wait_for("/health/ready", self.port)

    def kill(self):
        """At once, and start another one."""
        self.mark("the platform is killed")
        self.platform.kill()
        self.platform.wait()
        self.start()
        self.mark("the next one is ready")

    def judge_latency(self, what, holds):
        """In short runs it is only shown."""
        if self.judges_latency:
            self.expect(what, holds)
        else:
            self.show(what)

    def ask(self, path, method="GET", body=None, token=None, timeout=10, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if isinstance(body, dict):
            body, headers["content-type"] = json.dumps(body), "application/json"
        return ask(LOOPBACK, "127.0.0.1", self.port, path, method, body, headers, timeout)

    def made(self, path, body, token=None):
        """What a POST that must succeed was answered."""
        status, _, answer = self.ask(path, "POST", body, token)
        if status != 201:
            raise RuntimeError(f"POST {path} was answered {status}: {answer[:300]}")
        return json.loads(answer)

    def person(self, name):
        """Somebody who is registered: their id and token."""
        made = self.made("/api/user/register", {"username": name, "email": f"{name}@load.example", "password": "correct horse battery staple"})
        return made["user"]["id"], made["token"]

    def ready(self):
        status, _, body = self.ask("/health/ready")
        return status, json.loads(body)["status"]

    def rss_mib(self):
        return rss_mib(self.platform.pid)

    def panics(self):
        return (self.folder / "log").read_text(errors="replace").count("panicked")

    def expect_alive(self):
        self.expect(f"the process lives, and nothing in it panicked ({self.panics()} times)", self.platform.poll() is None and self.panics() == 0)

    def expect_recovery(self, what):
        """What no memory can answer is answered again soon after the server accepts."""
        took = eventually(lambda: self.ask(f"/api/shop/public/products?search=never{time.time_ns()}")[0] == 200, pause_s=0.02)
        self.mark(f"recovered after {what}")
        self.expect(f"recovered {-1 if took is None else took:.1f} s after {what} (limit 3 s)", took is not None and took <= 3)

    def metric(self, series):
        status, _, body = ask(LOOPBACK, "127.0.0.1", self.port + ADMIN, "/metrics")
        if status != 200:
            raise http.client.HTTPException(f"/metrics was answered {status}")
        return sum(float(line.rsplit(" ", 1)[1]) for line in body.decode().splitlines() if line.startswith(series))

    def commits(self, outcome):
        return sum(self.metric(f'store_commits_total{{database="{database}",outcome="{outcome}"}}') for database in ("users", "content", "shop"))

    @contextlib.contextmanager
    def under_load(self, seconds, judged=True, **how):
        """The checker, and an open-loop load beside it, for at least as long as the block; what they found is judged at its end."""
        load = Load(self, seconds, **how).begin()
        self.record.under(load)
        try:
            yield load
        finally:
            load.end()
        if judged:
            self.judge(load)

    def judge(self, load):
        found, total = load.found, load.latency["total"]
        self.show(f"{found['readsChecked']} reads, {found['readsFresh']} of them within 1 ms of an acknowledgement, {found['readsLabelledStale']} labelled as stale, "
                  f"{found['readsRefused']} refused; {found['writesAcknowledged']} writes, {found['writesUnknown']} of unknown outcome")
        self.show(f"{total['arrivals']} requests beside them, p99 {total['p99Us'] / 1000:.2f} ms, {total['arrivals'] - total['answered']} not answered as wished")
        self.expect(f"no read misses an acknowledged write ({found['violations']} violations)", found["violations"] == 0 and found["answersUnusable"] == 0)
        self.expect("there was something to judge", found["readsChecked"] > 1000 and found["writesAcknowledged"] > 50)
        self.expect_alive()

    def flood(self, name, requests, *how, core=None, seconds=60):
        """`loadtest flood` with these requests: what it found, or None if nothing was answered."""
        written, report = self.folder / f"{name}.json", self.folder / f"{name}-result.json"
        written.write_text(json.dumps(requests))
        report.unlink(missing_ok=True)
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        command = [*pinned, self.binaries / "loadtest", "flood", "--base", self.base, "--requests", written, "--json", report, *how]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=seconds + 60)
        if not report.exists():
            raise RuntimeError(f"the flood did not come: {done.stderr[-500:]}")
        return json.loads(report.read_text())

    def stop(self):
        if self.platform and self.platform.poll() is None:
            self.platform.send_signal(signal.SIGTERM)
            try:
                self.platform.wait(60)
            except subprocess.TimeoutExpired:
                self.platform.kill()
                print("          it did not end when it was asked to, and was killed", file=sys.stderr)
        for server in (self.redis, self.postgres):
            if server:
                server.stop()
