"""The compose file: its form, by the specification's own schema, and its nodes, by what the binary says of them."""

import pathlib
import subprocess
import tempfile
import tomllib

import yaml

from checks.rendering import ROOT

FILE = ROOT / "compose.yaml"


def read():
    """The file, with what it says once put where it belongs."""
    return yaml.safe_load(FILE.read_text())


def form(validator, document):
    """What the specification's schema has against it. What begins with `x-` has been used by now, and has no place in copies."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as copy:
        yaml.safe_dump(document, copy)
        copy.flush()
        done = subprocess.run([validator, "--builtin-schema", "vendor.compose-spec", copy.name], capture_output=True, text=True, timeout=60)
    if done.returncode:
        yield f"compose schema: {done.stdout.strip()[-400:]}"


def nodes(document):
    """The services that are nodes."""
    return {name: one for name, one in document["services"].items() if "LETS_CONNECT_CLUSTER_NAME" in one.get("environment", {})}


def in_force(binary, document, service):
    """The settings of a service, as the binary says them, or why it takes none."""
    variables = {name: str(value) for name, value in service["environment"].items()}
    mounted = {f"/run/secrets/{name}": FILE.parent / document["secrets"][name]["file"] for name in service["secrets"]}
    if variables["LETS_CONNECT_CONFIG"] not in mounted:
        return None, f"{variables['LETS_CONNECT_CONFIG']} is not mounted"
    variables["LETS_CONNECT_CONFIG"] = str(mounted[variables["LETS_CONNECT_CONFIG"]])
    done = subprocess.run([binary, "config"], env=variables, cwd=pathlib.Path("/"), capture_output=True, text=True, timeout=30)
    return (tomllib.loads(done.stdout), None) if done.returncode == 0 else (None, done.stderr.strip())


def of_node(binary, document, name, service):
    """What is wrong with one node."""
    settings, refused = in_force(binary, document, service)
    if refused:
        yield refused
        return
    cluster = settings["cluster"]
    if cluster["name"] != name or name not in document["services"]["certificates"]["command"]:
        yield f"it is called {cluster['name']}, and the others dial {name}"
    if cluster["credentials"] != f"/etc/lets-connect/link/{name}" or "link:/etc/lets-connect/link:ro" not in service["volumes"]:
        yield f"its credentials are not at {cluster['credentials']}"
    (published,) = service["ports"]
    gateway = settings["gateway"]["public_url"].removeprefix("http://localhost:")
    if published != f"127.0.0.1:{gateway}:{settings['listen']['gateway'].rsplit(':', 1)[1]}":
        yield f"it is published at {published}, and answers say {settings['gateway']['public_url']}"
    if not service.get("read_only") or service.get("cap_drop") != ["ALL"] or service.get("user") != "10001:10001":
        yield "it is not hardened"
    if service.get("stop_grace_period") != "60s" or "mem_limit" not in service:
        yield "it has no time to stop, or no limit of memory"


def monitoring(binary, document):
    """What is wrong with Prometheus and those beside it: whom it looks at, with which token, and whether the files are there."""
    by_target = {mount["target"]: document["configs"][mount["source"]]["content"] for mount in document["services"]["prometheus"]["configs"]}
    wanted = set()
    for name, service in nodes(document).items():
        settings, refused = in_force(binary, document, service)
        if refused is None:
            wanted.add(f"{name}:{settings['listen']['admin'].rsplit(':', 1)[1]}")
    groups = yaml.safe_load(by_target["/etc/prometheus/targets/nodes.yml"])
    if {target for group in groups for target in group["targets"]} != wanted:
        yield f"it looks at {groups}, and the admin listeners are {sorted(wanted)}"
    secrets = tomllib.loads((FILE.parent / document["secrets"]["secrets.toml"]["file"]).read_text())
    if by_target["/etc/prometheus/admin-token"] != secrets["listen"]["admin_token"]:
        yield "its token is not the nodes'"
    configuration = yaml.safe_load((FILE.parent / "monitoring/prometheus.yml").read_text())
    (alertmanager,) = [target for one in configuration["alerting"]["alertmanagers"] for group in one["static_configs"] for target in group["targets"]]
    if not alertmanager.startswith("127.0.0.1:") or document["services"]["alertmanager"].get("network_mode") != "service:prometheus":
        yield f"nobody is at {alertmanager}"
    for service in document["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and not (FILE.parent / source).exists():
                yield f"there is no {source}"


def faults(binary, validator, document):
    """Everything that is wrong."""
    found = list(form(validator, document))
    if found:
        return found
    for name, service in nodes(document).items():
        found += [f"compose: {name}: {fault}" for fault in of_node(binary, document, name, service)]
    if len(nodes(document)) != 3:
        found.append("compose: there are not three nodes")
    found += [f"compose: prometheus: {fault}" for fault in monitoring(binary, document)]
    hosts = [url.split("@")[-1].split("//")[-1].split(":")[0] for url in _urls(document)]
    return found + [f"compose: a URL leads to {host}, which is no service" for host in hosts if host not in document["services"]]


def _urls(document):
    settings = tomllib.loads((FILE.parent / document["secrets"]["secrets.toml"]["file"]).read_text())
    return [settings["postgres"]["url"], settings["redis"]["url"], settings["media"]["storage_url"]]
