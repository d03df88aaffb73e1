"""Whether the manifests agree with the binary and with each other: names, ports, paths, times and memory. Each rule yields what is wrong."""

import json
import subprocess

from checks import mesh, node, routes
from checks.rendering import ROOT, platform, selects

# What the process takes beside what its settings bound (64 MB at start: docs/performance.md), and how much more than its own estimate the cache takes (1.3: 181 MB
# for an estimate of 140 MB there).
AT_START, CACHE_FACTOR, HASHING = 64 * 1024**2, 1.3, 19 * 1024**2
# A leaving node's own limit (nodes/src/cluster/mod.rs), and its owners' end (nodes/src/node.rs).
LEAVING_S, OWNERS_END_S = 30, 5
# By the port's name in a pod, the setting that listens on it.
LISTENERS = {"gateway": ("listen", "gateway"), "admin": ("listen", "admin"), "link": ("cluster", "listen")}
PATHS = {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/health/ready"}


def autoscaler(rendering):
    """What an HPA of the rendering says, or the one that KEDA would make; None if there is neither."""
    for one in rendering.of("HorizontalPodAutoscaler"):
        return one["spec"]
    for spec in (one["spec"] for one in rendering.of("ScaledObject")):
        resources = [(one["type"], one["metadata"]["value"]) for one in spec["triggers"] if one["metricType"] == "Utilization"]
        return {
            "scaleTargetRef": spec["scaleTargetRef"],
            "minReplicas": spec["minReplicaCount"],
            "maxReplicas": spec["maxReplicaCount"],
            "metrics": [{"resource": {"name": name, "target": {"averageUtilization": int(value)}}} for name, value in resources],
            "behavior": spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
        }
    return None


class Node:
    """The StatefulSet of a rendering, and what a node of it would have in force."""

    def __init__(self, binary, rendering, stateful_set):
        self.rendering, self.stateful_set = rendering, stateful_set
        self.pod = stateful_set["spec"]["template"]
        self.container = platform(self.pod)
        self.pod_name = f"{stateful_set['metadata']['name']}-1"
        self.settings = node.configuration(binary, rendering, self.pod, self.pod_name)
        self.ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.autoscaler = autoscaler(rendering)


def ports(one):
    """Each listener has its port, and nothing else has."""
    listening = {}
    for name, (section, setting) in LISTENERS.items():
        address = one.settings[section][setting]
        if address != "off":
            host, port = address.rsplit(":", 1)
            listening[name] = int(port)
            if host in ("127.0.0.1", "[::1]"):
                yield f"{section}.{setting} is on loopback, where nobody reaches it"
    if listening != one.ports:
        yield f"the binary listens on {listening}, and the container says {one.ports}"
    for service in ("user", "content", "media", "shop"):
        if one.settings["listen"][service] != "off":
            yield f"listen.{service} is a way past the gateway"


def probes(one):
    """Probes ask what the binary answers, and soon enough."""
    described = json.loads((ROOT.parent / "docs/openapi.json").read_text())["paths"]
    for probe, path in PATHS.items():
        asked = one.container[probe]["httpGet"]
        if asked["path"] != path or path not in described:
            yield f"{probe} asks for {asked['path']}"
        if asked["port"] not in one.ports:
            yield f"{probe} asks at the port {asked['port']}, which there is not"
    if "cluster" in one.settings and one.settings["cluster"]["listen"] != "off":
        readiness, wait_s = one.container["readinessProbe"], one.settings["cluster"]["drain_wait_ms"] / 1000
        if readiness["periodSeconds"] * readiness["failureThreshold"] >= wait_s:
            yield f"that a node is not ready is noticed only after the {wait_s:g} s for which it serves on"


def grace(one):
    """Whoever is asked to stop has the time for it."""
    needed = one.settings["cluster"]["drain_wait_ms"] / 1000 + one.settings["http"]["drain_timeout_s"] + LEAVING_S + OWNERS_END_S
    given = one.pod["spec"]["terminationGracePeriodSeconds"]
    if given < needed:
        yield f"a node may take {needed:g} s to stop, and is killed after {given} s"
    if "lifecycle" in one.container:
        yield "the wait is in the process: a preStop would come on top of it"


def memory(one):
    """What is asked for is what may be used, and what settings let a node take does not look like load."""
    resources = one.container["resources"]
    asked, limit = resources["requests"].get("memory"), resources["limits"].get("memory")
    if asked != limit:
        yield f"memory: {asked} is asked for, and {limit} may be used"
    if "cpu" in resources["limits"]:
        yield "a CPU limit throttles owners, and with them everybody who waits"
    settings = one.settings
    if 0 in (settings["node"]["worker_threads"], settings["media"]["workers"], settings["account"]["hashing_permits"]):
        yield "without a CPU limit, one per core is one per core of the machine"
    takes = (
        AT_START
        + CACHE_FACTOR * node.size(settings["cache"]["bytes_max"])
        + node.size(settings["media"]["memory_bytes_max"])
        + node.size(settings["media"]["serving_bytes_max"])
        + HASHING * settings["account"]["hashing_permits"]
    )
    share = takes / node.size(limit)
    if share > 0.8:
        yield f"what the settings allow is {share:.0%} of the memory: an HPA at 80 % would stay at its maximum"
    spooled = settings["media"]["uploads_max"] * node.size(settings["media"]["upload_bytes_max"])
    for volume in one.pod["spec"]["volumes"]:
        if volume["name"] == "data" and spooled > node.size(volume["emptyDir"]["sizeLimit"]):
            yield f"uploads may take {spooled} bytes, and the volume has fewer"


def files(one):
    """What settings name is mounted, where it may be written if it has to be."""
    there = node.mounted(one.rendering, one.pod, one.container)
    data = one.settings["node"]["data_dir"]
    mounts = {mount["mountPath"]: mount for mount in one.container["volumeMounts"]}
    if data not in mounts or mounts[data].get("readOnly"):
        yield f"the data directory, {data}, is on no volume that can be written"
    folder = one.settings["cluster"]["credentials"]
    missing = [name for name in ("ca.crt", "tls.crt", "tls.key", "cookie") if f"{folder}/{name}" not in there]
    if folder != "off" and missing:
        yield f"{folder} lacks {', '.join(missing)}"


def names(one):
    """A node is called as its certificate calls it, and is reached by a name that is published before it is ready."""
    cluster, spec = one.settings["cluster"], one.stateful_set["spec"]
    service = one.rendering.of("Service", spec["serviceName"])
    if not service or service[0]["spec"].get("clusterIP") != "None":
        yield f"there is no headless service {spec['serviceName']}"
        return
    if cluster["listen"] == "off":
        return
    certified = [name for one in one.rendering.of("Certificate") for name in one["spec"].get("dnsNames", [])]
    if cluster["name"] not in certified:
        yield f"no certificate is for {cluster['name']}, only for {certified}"
    expected = f"{one.pod_name}.{spec['serviceName']}:{one.ports.get('link')}"
    if cluster["address"] != expected:
        yield f"others would dial {cluster['address']}, and the node is at {expected}"
    if not service[0]["spec"].get("publishNotReadyAddresses"):
        yield "a node that joins is not ready, and would have no name"
    if one.autoscaler and one.autoscaler["maxReplicas"] > len(certified):
        yield f"there may be {one.autoscaler['maxReplicas']} nodes, and {len(certified)} have a certificate"
    if spec["podManagementPolicy"] != "Parallel":
        yield "nodes would wait for each other to be ready"


def scaling(one):
    """As the platform is to be scaled: two to ten nodes, quickly up, slowly down."""
    if one.autoscaler is None:
        return
    if "replicas" in one.stateful_set["spec"]:
        yield "replicas are the HPA's to say"
    spec = one.autoscaler
    if spec["scaleTargetRef"]["name"] != one.stateful_set["metadata"]["name"]:
        yield "the HPA scales something else"
    wanted = {"cpu": 70, "memory": 80}
    found = {metric["resource"]["name"]: metric["resource"]["target"]["averageUtilization"] for metric in spec["metrics"]}
    if found != wanted or (spec["minReplicas"], spec["maxReplicas"]) != (2, 10):
        yield f"the HPA goes by {found}"
    up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
    if down["stabilizationWindowSeconds"] < 300 or up["selectPolicy"] != "Max" or any(one["periodSeconds"] > 15 for one in up["policies"]):
        yield "the HPA is to go up within 15 s, and down after 300 s"


def ingress(one):
    """Every service is reached, by the gateway, under the address that answers name; and nothing for operators is."""
    for spec in (one["spec"] for one in one.rendering.of("Ingress")):
        (rule,), (tls,) = spec["rules"], spec["tls"]
        paths = [(path["path"], path["pathType"]) for path in rule["http"]["paths"]]
        if paths != routes.paths():
            yield f"the ingress has {paths}, and the routes are {routes.paths()}"
        public = one.settings["gateway"]["public_url"]
        if tls["hosts"] != [rule["host"]] or public != f"https://{rule['host']}":
            yield f"the ingress is for {rule['host']}, its certificate for {tls['hosts']}, and answers say {public}"
        if not one.settings["http"]["trusted_proxies"]:
            yield "without http.trusted_proxies everybody behind the ingress shares one address' limits"
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            target = [port["targetPort"] for port in one.rendering.of("Service", backend["name"])[0]["spec"]["ports"] if port["name"] == backend["port"]["name"]]
            if target != ["gateway"]:
                yield f"{path['path']} leads to {target}, not to the gateway"


NODE_RULES = (ports, probes, grace, memory, files, names, scaling, ingress)


def references(rendering):
    """What objects say of each other: selectors select, ports are there, accounts exist, every pod's files come from somewhere."""
    pods = list(rendering.pods())
    bare = [(name, pod["metadata"]["labels"], {port["name"]: port["containerPort"] for one in pod["spec"]["containers"] for port in one.get("ports", [])}) for name, pod in pods]
    for service in rendering.of("Service"):
        chosen = [ports for _, labels, ports in bare if selects({"matchLabels": service["spec"]["selector"]}, labels)]
        for port in service["spec"]["ports"]:
            if len(chosen) != 1 or port["targetPort"] not in chosen[0]:
                yield f"Service {service['metadata']['name']}: {port['targetPort']} is a port of {len(chosen)} workloads"
    for policy in rendering.of("NetworkPolicy"):
        for peer in policy["spec"].get("ingress", []):
            chosen = [ports for _, labels, ports in bare if selects(policy["spec"]["podSelector"], labels)]
            known = {value for ports in chosen for pair in ports.items() for value in pair} | {mesh.PROXY}
            if chosen and not {port["port"] for port in peer["ports"]} <= known:
                yield f"NetworkPolicy {policy['metadata']['name']}: lets in at {peer['ports']}, where nobody listens"
            if not peer.get("from"):
                yield f"NetworkPolicy {policy['metadata']['name']}: lets everybody in"
    for budget in rendering.of("PodDisruptionBudget"):
        if not any(selects(budget["spec"]["selector"], labels) for _, labels, _ in bare):
            yield f"PodDisruptionBudget {budget['metadata']['name']} is for no pod"
    if pods and rendering.of("Namespace") and not any(one["spec"]["podSelector"] == {} and set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"} and not one["spec"].get("ingress") and not one["spec"].get("egress") for one in rendering.of("NetworkPolicy")):
        yield "nothing denies what no policy allows"
    for name, pod in pods:
        if rendering.of("Namespace") and not rendering.of("ServiceAccount", pod["spec"]["serviceAccountName"]):
            yield f"{name}: there is no account {pod['spec']['serviceAccountName']}"
        for container in pod["spec"]["containers"]:
            try:
                node.mounted(rendering, pod, container)
            except node.Unresolved as missing:
                yield f"{name}: {missing}"


def link_port(rendering):
    """The cluster's port is for nodes alone."""
    for policy in rendering.of("NetworkPolicy"):
        for peer in policy["spec"].get("ingress", []):
            if any(port["port"] in ("link", 8020) for port in peer["ports"]) and peer.get("from") != [{"podSelector": policy["spec"]["podSelector"]}]:
                yield f"NetworkPolicy {policy['metadata']['name']} lets others than nodes in at the cluster's port"


def commands(binary, rendering):
    """What a job asks of the binary is something that it does, with a configuration that it takes."""
    for name, pod in rendering.pods():
        container = platform(pod)
        if container is None or name.startswith("StatefulSet"):
            continue
        asked = [binary, *container["args"], "--help"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=30)
        if done.returncode:
            yield f"{name}: {done.stderr.strip().splitlines()[0]}"
        try:
            node.configuration(binary, rendering, pod, "job")
        except node.Unresolved as refused:
            yield f"{name}: {refused}"


def faults(binary, rendering):
    """Everything that does not fit together."""
    for rule, found in (("references", references(rendering)), ("link_port", link_port(rendering)), ("commands", commands(binary, rendering))):
        yield from (f"{rule}: {fault}" for fault in found)
    for stateful_set in rendering.of("StatefulSet"):
        if platform(stateful_set["spec"]["template"]) is None:
            continue
        try:
            one = Node(binary, rendering, stateful_set)
        except node.Unresolved as refused:
            yield f"configuration: {refused}"
            continue
        for rule in NODE_RULES:
            yield from (f"{rule.__name__}: {fault}" for fault in rule(one))
