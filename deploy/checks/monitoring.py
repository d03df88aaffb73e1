"""The monitoring of overlays/monitoring: whether it has the files of deploy/monitoring, finds the nodes of the other overlays, and is let in there."""

import re

import yaml

from checks import node
from checks.rendering import ROOT, selects

FOLDER = ROOT / "monitoring"
# What docs/deploy.md promises.
SCRAPED_EVERY, KEPT = "15s", "30d"


class Server:
    """One of the three: its pod, its container, and the files that this finds."""

    def __init__(self, rendering, name):
        workloads = [one for kind in ("StatefulSet", "Deployment") for one in rendering.of(kind, name)]
        self.rendering, self.name, (self.workload,) = rendering, name, workloads
        self.pod = self.workload["spec"]["template"]
        (self.container,) = self.pod["spec"]["containers"]
        self.files = node.mounted(rendering, self.pod, self.container)
        self.variables = {one["name"]: one["value"] for one in self.container.get("env", [])}


def same(server, at, files):
    """Whether a folder of the container holds these files of deploy/monitoring, and no others of their kind."""
    expected = {f"{at}/{name}": file.read_text() for name, file in files.items()}
    folder = {path: text for path, text in server.files.items() if path.rsplit("/", 1)[0] == at and text is not None}
    for path in expected.keys() ^ {path for path in folder if path.endswith((".yml", ".json"))}:
        yield f"{server.name}: {path} is {'missing' if path in expected else 'of nobody'}"
    for path in expected.keys() & folder.keys():
        if expected[path] != folder[path]:
            yield f"{server.name}: {path} is another one"


def named(folder, pattern="*.yml"):
    """The files of a folder, by their names."""
    return {file.name: file for file in (FOLDER / folder).glob(pattern)}


def served(rendering, address):
    """Whether an address, `name:port`, is a service's."""
    name, port = address.split(":")
    return any(str(one["port"]) == port for service in rendering.of("Service", name) for one in service["spec"]["ports"])


def of_prometheus(server):
    """It has the rules, scrapes as often and keeps as long as is said, on a volume; it knows the token, and an Alertmanager that is there."""
    yield from same(server, "/etc/prometheus", {"prometheus.yml": FOLDER / "prometheus-kubernetes.yml"})
    yield from same(server, "/etc/prometheus/rules", named("rules"))
    options = dict(one.removeprefix("--").split("=", 1) for one in server.container["args"])
    configuration = yaml.safe_load(server.files["/etc/prometheus/prometheus.yml"])
    (job,) = configuration["scrape_configs"]
    if options.get("storage.tsdb.retention.time") != KEPT or configuration["global"]["scrape_interval"] != SCRAPED_EVERY:
        yield f"prometheus does not look every {SCRAPED_EVERY}, or does not keep {KEPT}"
    claimed = [one["metadata"]["name"] for one in server.workload["spec"].get("volumeClaimTemplates", [])]
    if options.get("storage.tsdb.path") not in [mount["mountPath"] for mount in server.container["volumeMounts"] if mount["name"] in claimed]:
        yield "prometheus keeps its series on no volume of their own"
    if f"/etc/prometheus/{job['authorization']['credentials_file']}" not in server.files:
        yield f"prometheus has no {job['authorization']['credentials_file']}"
    for address in (target for one in configuration["alerting"]["alertmanagers"] for group in one["static_configs"] for target in group["targets"]):
        if not served(server.rendering, address):
            yield f"prometheus tells {address}, which is not there"


def of_grafana(server):
    """It has the dashboards, where it was told that they are, and sources that are there; who signs in is in a secret."""
    for kind in ("datasources", "dashboards"):
        yield from same(server, f"/etc/grafana/provisioning/{kind}", named(f"grafana/provisioning/{kind}"))
    for path, text in server.files.items():
        if path.startswith("/etc/grafana/provisioning/dashboards/") and text:
            for provider in yaml.safe_load(text)["providers"]:
                yield from same(server, provider["options"]["path"], named("grafana/dashboards", "*.json"))
        if path.startswith("/etc/grafana/provisioning/datasources/") and text:
            missing = set(re.findall(r"\$(\w+)", text)) - server.variables.keys()
            if missing:
                yield f"grafana: {path} names {', '.join(missing)}, which is in no environment"
    if not served(server.rendering, server.variables["PROMETHEUS_URL"].removeprefix("http://")):
        yield f"grafana asks {server.variables['PROMETHEUS_URL']}, which is not there"
    for name in ("USER", "PASSWORD"):
        if server.variables.get(f"GF_SECURITY_ADMIN_{name}__FILE") not in server.files or f"GF_SECURITY_ADMIN_{name}" in server.variables:
            yield f"grafana's {name.lower()} is in no secret"


def discovery(prometheus, platform):
    """Where nodes are: Prometheus may ask for them, is let out to them, and is let in by them."""
    configuration = yaml.safe_load(prometheus.files["/etc/prometheus/prometheus.yml"])
    found = [name for job in configuration["scrape_configs"] for one in job["kubernetes_sd_configs"] for name in one["namespaces"]["names"]]
    own = prometheus.workload["metadata"]["namespace"]
    (stateful_set,) = platform.of("StatefulSet", "lets-connect")
    if found != [stateful_set["metadata"]["namespace"]]:
        yield f"prometheus looks for nodes in {found}, and they are in {stateful_set['metadata']['namespace']}"
    account = {"kind": "ServiceAccount", "name": prometheus.pod["spec"]["serviceAccountName"], "namespace": own}
    allowed = [one for one in platform.of("RoleBinding") if account in one["subjects"]]
    rules = [rule for one in allowed for role in platform.of("Role", one["roleRef"]["name"]) for rule in role["rules"]]
    if rules != [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]:
        yield f"prometheus may do {rules or 'nothing'} where nodes are: it is to find pods"
    if not prometheus.pod["spec"]["automountServiceAccountToken"]:
        yield "prometheus has no token to ask Kubernetes with"
    labels = stateful_set["spec"]["template"]["metadata"]["labels"]
    leaves = [peer for one in prometheus.rendering.of("NetworkPolicy", "prometheus") for rule in one["spec"]["egress"] for peer in rule["to"] if rule["ports"] == [{"port": "admin"}]]
    if not any(selects(peer["podSelector"], labels) and selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": found[0]}) for peer in leaves):
        yield "prometheus is not let out to nodes"
    enters = [peer for one in platform.of("NetworkPolicy", "nodes") for rule in one["spec"]["ingress"] for peer in rule["from"] if rule["ports"] == [{"port": "admin"}]]
    if not any(selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": own}) for peer in enters):
        yield "prometheus is not let in by nodes"


def signals(rendering, monitoring):
    """What is wrong with what KEDA scales by: it asks a Prometheus that is there and lets it in, for what that records."""
    recorded = {rule.get("record") for file in named("rules").values() for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]}
    (service,) = monitoring.of("Service", "prometheus")
    address = f"http://{service['metadata']['name']}.{service['metadata']['namespace']}:{service['spec']['ports'][0]['port']}"
    asked = [one["metadata"] for scaled in rendering.of("ScaledObject") for one in scaled["spec"]["triggers"] if one["type"] == "prometheus"]
    for one in asked:
        if one["serverAddress"] != address:
            yield f"{one['serverAddress']} is asked, and Prometheus is at {address}"
        if one["query"].split("{")[0] not in recorded:
            yield f"nothing records {one['query']}"
    if {re.split(r"[:_]", one["query"])[1] for one in asked} != {"owner", "media"}:
        yield f"it goes by {[one['query'] for one in asked]}: it is to go by what waits for owners, and by images that wait"
    (policy,) = monitoring.of("NetworkPolicy", "prometheus")
    if not any(selects(peer.get("namespaceSelector"), {"kubernetes.io/metadata.name": "keda"}) for rule in policy["spec"]["ingress"] for peer in rule["from"] if "namespaceSelector" in peer):
        yield "Prometheus does not let KEDA in"


def faults(rendering, platform):
    """Everything that is wrong with the monitoring of a rendering, for the platform of another."""
    try:
        prometheus, grafana = Server(rendering, "prometheus"), Server(rendering, "grafana")
        alertmanager = Server(rendering, "alertmanager")
    except node.Unresolved as missing:
        return [str(missing)]
    told = same(alertmanager, "/etc/alertmanager", {"alertmanager.yml": FOLDER / "alertmanager.yml"})
    return [*of_prometheus(prometheus), *of_grafana(grafana), *told, *discovery(prometheus, platform)]
