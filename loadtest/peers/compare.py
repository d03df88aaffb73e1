#!/usr/bin/env python3
"""Measures the platform on Postgres beside what a good engineer would otherwise write, on the same rows, with the same answers, in one run.

    loadtest/peers/compare.py misses target/release     server CPU of a read that memory cannot answer, beside Fastify and pg
    loadtest/peers/compare.py search target/release     latency and CPU (server and database) of searches, beside ILIKE scans

The folder holds `lets-connect` and `loadtest`. Needs PostgreSQL 15's programs, Node.js 20 and npm; only Python's standard library. It makes people
and products by bulk load, starts everything on loopback, and ends what it started.
"""

import argparse
import contextlib
import glob
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

HERE = pathlib.Path(__file__).resolve().parent
MISSES = 4000
SEARCHES = 300


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_ports(count=32):
    """The first of so many ports in a row, below those that the system gives to clients."""
    while True:
        first = random.randrange(20_000, 32_000 - count)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def wait_for(path, port, seconds=60):
    for _ in range(seconds * 10):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    sys.exit(f"nothing answers {path} on port {port}")


class Postgres:
    """A server of our own in a temporary folder. It refuses root, so root runs it as the user postgres."""

    def __init__(self, folder):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        self.programs = pathlib.Path(programs[-1]) if programs else pathlib.Path(shutil.which("initdb") or sys.exit("no initdb")).parent
        self.data, self.port = folder / "postgres", free_port()
        self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        self.data.mkdir()
        if self.as_user:
            shutil.chown(self.data, "postgres", "postgres")
            os.chmod(folder, 0o755)
        self.run("initdb", "-A", "trust", "--no-sync", "--locale=C.UTF-8", "-U", "postgres", "-D", self.data)
        command = [*self.as_user, self.programs / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.data, "-h", "127.0.0.1"]
        settings = ["shared_buffers=512MB", "max_wal_size=4GB"]
        self.server = subprocess.Popen([*command, *(word for s in settings for word in ("-c", s))], stderr=subprocess.DEVNULL)
        for _ in range(300):
            with contextlib.suppress(subprocess.CalledProcessError):
                self.run("psql", *self.where("postgres"), "-c", "SELECT 1")
                break
            time.sleep(0.1)

    def where(self, database):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-qAt"]

    def url(self, database):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, program, *arguments, text=None, name="lets-connect"):
        command = [*self.as_user, self.programs / program, *arguments]
        # What is filled in here is not to be heeded as what others write, unless it has another name: the indexes are filled as well.
        env = {**os.environ, "PGAPPNAME": name}
        return subprocess.run(command, input=text, check=True, capture_output=True, text=True, cwd="/", env=env).stdout

    def sql(self, database, statement):
        return self.run("psql", *self.where(database), text=statement).strip()

    def cpu(self):
        """CPU seconds of all its processes, those that ended included."""
        pids = [self.server.pid, *map(int, pathlib.Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split())]
        return sum(cpu(pid) for pid in pids) + cpu(self.server.pid, ended=True)

    def stop(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(30)


def cpu(pid, ended=False):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    ticks = fields[13:15] if ended else fields[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def copy(postgres, file, database, tables, sources=None):
    """Moves rows of the embedded store: the columns have the same names, their types follow the target's. `sources` names tables that are called otherwise."""
    source = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    for table in tables:
        listed = postgres.sql(database, f"SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_name = '{table}' AND is_generated = 'NEVER'")
        types = dict(line.split(" ", 1) for line in listed.splitlines())
        named = (sources or {}).get(table, table)
        columns = [row[1] for row in source.execute(f'PRAGMA table_info("{named}")') if row[1] in types]
        rows = source.execute(f'SELECT {", ".join(columns)} FROM "{named}"')
        text = "".join("\t".join(field(value, types[name]) for name, value in zip(columns, row)) + "\n" for row in rows)
        postgres.run("psql", *postgres.where(database), "-c", f'COPY {table} ({", ".join(columns)}) FROM STDIN', text=text)
    postgres.sql(database, "ANALYZE;")


def field(value, kind):
    if value is None:
        return r"\N"
    if kind == "uuid":
        return str(uuid.UUID(bytes=value))
    if kind == "bytea":
        return r"\\x" + value.hex()
    if kind == "boolean":
        return "t" if value else "f"
    if kind.startswith("timestamp"):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(value // 1000)) + f".{value % 1000:03d}Z"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def settings(postgres, *more):
    pairs = [f"postgres.{name}_url={postgres.url(name)}?sslmode=disable" for name in ("users", "content", "shop")]
    pairs += ["node.worker_threads=1", "cache.bytes_max=1048576", "log.filter=warn", *more]
    pairs += [f"rate.{kind}_per_s=0" for kind in ("read", "write", "search")]
    return [word for pair in pairs for word in ("--set", pair)]


def prepare(folder, binary, people):
    """People and their products: made in an embedded store, moved to Postgres."""
    postgres = Postgres(folder)
    for database in ("users", "content", "shop"):
        postgres.sql("postgres", f"CREATE DATABASE {database}")
    print(f"making {people} people and their products", flush=True)
    embedded = folder / "embedded"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([binary, "demo", "--bulk", "--users", str(people), "--data-dir", embedded], **quiet)
    subprocess.run([binary, "migrate", *settings(postgres)], **quiet)
    copy(postgres, embedded / "users.db", "users", ["person", "credential", "relation", "skill"])
    copy(postgres, embedded / "shop.db", "shop", ["product"])
    index(postgres, embedded / "users.db")
    shutil.rmtree(embedded)
    return postgres


def index(postgres, users):
    """What the platform writes with each person and product (store/src/postgres/users/search.rs, shop/search.rs), for all at once."""
    def lexemes(parts):
        words = (f"SELECT '{part}/' || unnest(tsvector_to_array(to_tsvector('simple', coalesce({text}, ''))))" for part, text in parts)
        return f"array_to_tsvector(ARRAY({' UNION '.join(words)}))"

    texts = ("username", "name", "skills", "work", "about", "location")
    postgres.sql("users", f"CREATE TABLE found (person_id uuid, {', '.join(f'{text} text' for text in texts)})")
    copy(postgres, users, "users", ["found"], {"found": "person_search"})
    postgres.sql("users", f"""INSERT INTO person_search (person_id, strength, username, words, location)
        SELECT person_id, 0, username, {lexemes(zip("abcd", texts[1:5]))}, {lexemes([("a", "location")])} FROM found ORDER BY person_id;
        DROP TABLE found; VACUUM ANALYZE""")
    postgres.sql("shop", f"""INSERT INTO product_listing (product_id, category, price_cents, rating_rank, name, words)
        SELECT id, category, price_cents, rating_rank, lower(name), {lexemes(zip("abc", ("name", "category", "description")))} FROM product
        WHERE is_public AND is_active AND NOT deleted ORDER BY id;
        VACUUM ANALYZE""")


def install_peer():
    if not (HERE / "fastify/node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE / "fastify", check=True, stdout=subprocess.DEVNULL)


def peer_environment(postgres, port):
    return {"PORT": str(port), "USERS_URL": postgres.url("users"), "SHOP_URL": postgres.url("shop")}


def misses(postgres, binary, loadtest, folder, rounds):
    gateway, peer = free_ports(), free_port()
    platform = [str(binary), "--data-dir", str(folder / "data"), "--listen-port-base", str(gateway), *settings(postgres)]
    products = postgres.sql("shop", f"SELECT id FROM product WHERE is_public AND is_active ORDER BY md5(id::text) LIMIT {MISSES}").split()
    people = postgres.sql("users", f"SELECT id FROM person ORDER BY md5(id::text) LIMIT {MISSES}").split()

    def process(name, command, port, ready, env):
        env = ", ".join(f'{k} = "{v}"' for k, v in env.items())
        return f'[[process]]\nname = "{name}"\ncommand = {json.dumps(command)}\nbase = "http://127.0.0.1:{port}"\nready = "{ready}"\nenv = {{ {env} }}\n'

    def target(name, of, paths, beside=None):
        compare = f'compare_to = "{beside}"\n' if beside else ""
        return f'[[target]]\nname = "{name}"\nprocess = "{of}"\npaths = {json.dumps(paths)}\n{compare}'

    node = ["node", str(HERE / "fastify/server.js")]
    targets = folder / "targets.toml"
    targets.write_text("\n".join([
        process("platform", platform, gateway, "/health/ready", {}),
        process("fastify", node, peer, "/health", peer_environment(postgres, peer)),
        target("Fastify + pg: product", "fastify", [f"/products/{id}" for id in products]),
        target("platform: product, store miss", "platform", [f"/api/shop/public/products/{id}" for id in products], "Fastify + pg: product"),
        target("Fastify + pg: profile", "fastify", [f"/profile/{id}" for id in people]),
        target("platform: profile, store miss", "platform", [f"/api/user/profile/{id}" for id in people], "Fastify + pg: profile"),
    ]))
    subprocess.run([loadtest, "bench", "--targets", targets, "--rounds", str(rounds)], check=True)


def ask(connection, path):
    began = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        sys.exit(f"{path} answered {response.status}: {body[:200]}")
    return (time.perf_counter() - began) * 1000, len(json.loads(body)["items"])


def words(postgres, database, sql):
    """Words of the data, common ones and rare ones, and pairs of them: a different question each time."""
    text = postgres.sql(database, sql)
    found = sorted({word for word in "".join(c.lower() if c.isalpha() else " " for c in text).split() if len(word) > 2})
    rng = random.Random(1)
    asked = found + [" ".join(rng.sample(found, 2)) for _ in range(SEARCHES * 4)]
    rng.shuffle(asked)
    return asked[:SEARCHES]


def search(postgres, binary, folder):
    gateway, peer = free_ports(), free_port()
    servers = {
        "platform": subprocess.Popen([binary, "--data-dir", folder / "data", "--listen-port-base", str(gateway), *settings(postgres)]),
        "ILIKE": subprocess.Popen(["node", HERE / "fastify/server.js"], env={**os.environ, **peer_environment(postgres, peer)}),
    }
    try:
        wait_for("/health/ready", gateway)
        wait_for("/health", peer)
        ports = {"platform": gateway, "ILIKE": peer}
        cases = {
            "products": (words(postgres, "shop", "SELECT name || ' ' || coalesce(description, '') FROM product ORDER BY md5(id::text) LIMIT 200"),
                         {"platform": "/api/shop/public/products?search=", "ILIKE": "/search/products?q="}),
            "people": (words(postgres, "users", "SELECT username || ' ' || coalesce(first_name, '') || ' ' || coalesce(bio, '') FROM person ORDER BY md5(id::text) LIMIT 200"),
                       {"platform": "/api/user/search?q=", "ILIKE": "/search/people?q="}),
        }
        print(f"\n{SEARCHES} different searches of each kind, one at a time, in turns of 20; CPU is the server's and the database's together\n")
        print("| search | by | p50 ms | p99 ms | CPU ms/search | rows/search |\n|---|---|---:|---:|---:|---:|")
        for what, (asked, paths) in cases.items():
            times, rows, used = ({side: [] for side in ports} for _ in range(3))
            for begin in range(0, len(asked), 20):
                for side, port in ports.items():
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                    before = postgres.cpu() + cpu(servers[side].pid)
                    for query in asked[begin:begin + 20]:
                        took, found = ask(connection, paths[side] + urllib.parse.quote(query))
                        times[side].append(took)
                        rows[side].append(found)
                    used[side].append(postgres.cpu() + cpu(servers[side].pid) - before)
            for side in ports:
                p99 = sorted(times[side])[int(len(times[side]) * 0.99) - 1]
                print(f"| {what} | {side} | {statistics.median(times[side]):.2f} | {p99:.2f} | {sum(used[side]) * 1000 / len(asked):.2f} | {statistics.mean(rows[side]):.1f} |", flush=True)
    finally:
        for server in servers.values():
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=["misses", "search"])
    options.add_argument("folder", type=pathlib.Path, help="the folder of the release binaries")
    options.add_argument("--people", type=int, default=100_000, help="people, each with a product on average (default 100000)")
    options.add_argument("--rounds", type=int, default=5, help="rounds of the comparison of misses (default 5)")
    options = options.parse_args()
    binary, loadtest = options.folder.resolve() / "lets-connect", options.folder.resolve() / "loadtest"
    install_peer()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        postgres = prepare(folder, binary, options.people)
        try:
            if options.what == "misses":
                misses(postgres, binary, loadtest, folder, options.rounds)
            else:
                search(postgres, binary, folder)
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
