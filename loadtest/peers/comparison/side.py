"""The platform and its peers: how each is started, and by which paths each answers the same."""

import json
import pathlib
import subprocess
from dataclasses import dataclass, field

from servers.process import free_port, free_ports

PEERS = pathlib.Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Side:
    name: str
    command: list
    port: int
    ready: str
    env: dict = field(default_factory=dict)
    product: str = "/products/"
    profile: str = "/profile/"
    products: str = "/products"


def settings(postgres, *more):
    """Command-line settings of the platform: one worker thread, no limits, and nearly no memory unless `more` says otherwise."""
    pairs = [f"postgres.{name}_url={postgres.url(name)}?sslmode=disable" for name in ("users", "content", "shop", "media")]
    pairs += ["node.worker_threads=1", "cache.bytes_max=1048576", "log.filter=warn", *more]
    pairs += [f"rate.{kind}_per_s=0" for kind in ("read", "write", "search")]
    return [word for pair in pairs for word in ("--set", pair)]


def platform(postgres, binary, folder, *more):
    port = free_ports()
    command = [str(binary), "--data-dir", str(folder / "data"), "--listen-port-base", str(port), *settings(postgres, *more)]
    paths = {"product": "/api/shop/public/products/", "profile": "/api/user/profile/", "products": "/api/shop/public/products"}
    return Side("platform", command, port, "/health/ready", **paths)


def peer(name, command, postgres, redis=None):
    port = free_port()
    # What a peer writes is its own: a connection of another name would fire the triggers that tell the platform of it.
    database = {f"{name.upper()}_URL": f"{postgres.url(name)}?application_name=lets-connect-peer" for name in ("users", "shop")}
    env = {"NODE_ENV": "production", "PORT": str(port), **database, **({"REDIS_URL": redis.url} if redis else {})}
    return Side(name, command, port, "/health", env)


def fastify(postgres, redis=None):
    """With Redis cache-aside, without it a server that asks PostgreSQL each time."""
    return peer("Fastify", ["node", packages_of("fastify") / "server.js"], postgres, redis)


def express(postgres, redis):
    return peer("Express", ["node", packages_of("express") / "server.js"], postgres, redis)


def axum(postgres, redis):
    return peer("axum", [built("axum")], postgres, redis)


def packages_of(name):
    """The folder of a Node.js peer, with what it depends on."""
    folder = PEERS / name
    lock, installed = folder / "package-lock.json", folder / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def built(name):
    """The release binary of a Rust peer, built if it is older than its source."""
    command = ["cargo", "build", "--release", "--locked", "--message-format=json-render-diagnostics"]
    lines = subprocess.run(command, cwd=PEERS / name, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(message["executable"] for message in map(json.loads, lines) if message.get("executable"))
