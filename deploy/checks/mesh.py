"""The service mesh of overlays/production-linkerd: whether its proxies know the ports, and its policies say who may reach each."""

# Where a proxy takes what comes from another one.
PROXY = 4143
OPAQUE = "config.linkerd.io/opaque-ports"
NATIVE = "config.beta.linkerd.io/proxy-enable-native-sidecar"


def authentications(rendering, server):
    """Who may reach a server: the authentications of its policies, with what they say. Raises KeyError where one is named that is not there."""
    there = {(one["kind"], one["metadata"]["name"]): one["spec"] for kind in ("MeshTLSAuthentication", "NetworkAuthentication") for one in rendering.of(kind)}
    for policy in rendering.of("AuthorizationPolicy"):
        target = policy["spec"]["targetRef"]
        if (target["kind"], target["name"]) == ("Server", server):
            for one in policy["spec"]["requiredAuthenticationRefs"]:
                yield there[one["kind"], one["name"]]


def of_ports(rendering, container, labels):
    """Without a policy nobody is let in, so each port has one."""
    for port in container["ports"]:
        servers = [one for one in rendering.of("Server") if one["spec"]["port"] == port["name"] and one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()]
        if len(servers) != 1:
            yield f"{len(servers)} servers are for the port {port['name']}"
            continue
        try:
            if not list(authentications(rendering, servers[0]["metadata"]["name"])):
                yield f"nobody may reach the port {port['name']}"
        except KeyError as missing:
            yield f"the port {port['name']} is for {missing}, which is not there"


def faults(rendering):
    """Everything that is wrong."""
    (stateful_set,) = rendering.of("StatefulSet", "lets-connect")
    template = stateful_set["spec"]["template"]
    annotations, labels, container = template["metadata"].get("annotations", {}), template["metadata"]["labels"], template["spec"]["containers"][0]
    if annotations.get("linkerd.io/inject") != "enabled" or annotations.get("config.linkerd.io/default-inbound-policy") != "deny":
        yield "nodes are not in the mesh, or let in whoever no policy names"
    if annotations.get(NATIVE) != "true":
        yield "a proxy that is no native sidecar ends while its node still serves"
    link = next(str(port["containerPort"]) for port in container["ports"] if port["name"] == "link")
    (service,) = rendering.of("Service", stateful_set["spec"]["serviceName"])
    for where, said in (("pods", annotations), ("service", service["metadata"].get("annotations", {}))):
        if said.get(OPAQUE) != link:
            yield f"the {where} say that {said.get(OPAQUE)} is opaque, and the cluster's port is {link}"
    yield from of_ports(rendering, container, labels)
    for server in (one for one in rendering.of("Server") if one["spec"]["port"] == "link"):
        who = list(authentications(rendering, server["metadata"]["name"]))
        if server["spec"]["proxyProtocol"] != "opaque" or who != [{"identityRefs": [{"kind": "ServiceAccount", "name": template["spec"]["serviceAccountName"]}]}]:
            yield f"the cluster's port is for {who}, and not as bytes for nodes alone"
    ways = [one["spec"] for one in rendering.of("NetworkPolicy") if one["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items() and one["spec"]["podSelector"]]
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        if not any({"port": PROXY} in rule["ports"] and {"podSelector": spec["podSelector"]} in rule[peers] for spec in ways for rule in spec.get(direction, [])):
            yield f"proxies of nodes do not reach each other at {PROXY}: {direction}"
