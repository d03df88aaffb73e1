"""Shows that the checks find something: fields are spoilt in copies, one at a time, and the check that is about the field has to say so."""

import copy
import dataclasses

from checks import between, compose, consistency, policy, schema
from checks.between import DEVELOPMENT, KEDA, LINKERD, LOGGING, MIGRATION, MONITORING, PRODUCTION, SINGLE, STORES

NODE = ("StatefulSet", "lets-connect")
CONTAINER = "spec.template.spec.containers.0"
# Folder, object, path of a field, what is put there (REMOVED: nothing), and how what is said of it begins.
REMOVED = object()
SPOILT = [
    # Schemas.
    (PRODUCTION, NODE, "spec.replicaCount", 3, "schema:"),
    (PRODUCTION, NODE, f"{CONTAINER}.ports.0.containerPort", "8000", "schema:"),
    (PRODUCTION, ("HorizontalPodAutoscaler", "lets-connect"), "spec.maxReplicas", REMOVED, "schema:"),
    (PRODUCTION, ("Certificate", "link-3"), "spec.dnsName", "lets-connect-3", "schema:"),
    (PRODUCTION, ("Certificate", "link-3"), "spec.issuerRef", REMOVED, "schema:"),
    (PRODUCTION, ("ExternalSecret", "cookie"), "spec.secretStoreRef.kind", "Store", "schema:"),
    # Settings, by the binary itself.
    (PRODUCTION, ("ConfigMap", "settings"), "data.LETS_CONNECT_CACHE_BYTE_MAX", "1 MiB", "configuration:"),
    (PRODUCTION, ("ConfigMap", "settings"), "data.LETS_CONNECT_CACHE_BYTES_MAX", "lots", "configuration:"),
    (PRODUCTION, NODE, f"{CONTAINER}.env.0.name", "NAME_OF_POD", "configuration:"),
    (DEVELOPMENT, ("Secret", "secrets"), "data", {"secrets.toml": "W3Bvc3RncmVzXQo="}, "configuration:"),
    (SINGLE, NODE, f"{CONTAINER}.envFrom.0.configMapRef.name", "others", "configuration:"),
    (MIGRATION, ("Job", "migration"), f"{CONTAINER}.args", ["migrate", "--grants", "app"], "commands:"),
    # What must agree.
    (SINGLE, ("ConfigMap", "settings"), "data.LETS_CONNECT_LISTEN_GATEWAY", "127.0.0.1:8000", "ports:"),
    (SINGLE, ("ConfigMap", "settings"), "data.LETS_CONNECT_LISTEN_SHOP", "0.0.0.0:8006", "ports:"),
    (PRODUCTION, NODE, f"{CONTAINER}.livenessProbe.httpGet.path", "/healthz", "probes:"),
    (PRODUCTION, NODE, f"{CONTAINER}.readinessProbe.httpGet.port", "metrics", "probes:"),
    (PRODUCTION, NODE, f"{CONTAINER}.readinessProbe.periodSeconds", 10, "probes:"),
    (PRODUCTION, NODE, "spec.template.spec.terminationGracePeriodSeconds", 30, "grace:"),
    (PRODUCTION, ("ConfigMap", "settings"), "data.LETS_CONNECT_CACHE_BYTES_MAX", "1 GiB", "memory:"),
    (PRODUCTION, NODE, f"{CONTAINER}.resources.limits.cpu", "2", "memory:"),
    (PRODUCTION, NODE, f"{CONTAINER}.resources.limits.memory", "3Gi", "memory:"),
    (PRODUCTION, ("ConfigMap", "settings"), "data.LETS_CONNECT_NODE_WORKER_THREADS", "0", "memory:"),
    (PRODUCTION, ("ConfigMap", "settings"), "data.LETS_CONNECT_NODE_DATA_DIR", "/data", "files:"),
    (PRODUCTION, ("Certificate", "link-1"), "spec.dnsNames", ["lets-connect-0"], "names:"),
    (PRODUCTION, ("Service", "nodes"), "spec.publishNotReadyAddresses", False, "names:"),
    (PRODUCTION, NODE, "spec.serviceName", "members", "names:"),
    (PRODUCTION, ("HorizontalPodAutoscaler", "lets-connect"), "spec.maxReplicas", 20, "names:"),
    (PRODUCTION, ("HorizontalPodAutoscaler", "lets-connect"), "spec.behavior.scaleDown.stabilizationWindowSeconds", 0, "scaling:"),
    (PRODUCTION, NODE, "spec.replicas", 3, "scaling:"),
    (PRODUCTION, ("Ingress", "lets-connect"), "spec.rules.0.http.paths.0.path", "/metrics", "ingress:"),
    (PRODUCTION, ("Ingress", "lets-connect"), "spec.rules.0.host", "other.example.org", "ingress:"),
    (PRODUCTION, ("ConfigMap", "settings"), "data.LETS_CONNECT_HTTP_TRUSTED_PROXIES", "", "ingress:"),
    (PRODUCTION, ("Service", "lets-connect"), "spec.ports.0.targetPort", "web", "references:"),
    (PRODUCTION, ("NetworkPolicy", "nodes"), "spec.ingress.0.from", REMOVED, "references:"),
    (PRODUCTION, ("NetworkPolicy", "default-deny"), "spec.podSelector", {"matchLabels": {"a": "b"}}, "references:"),
    (PRODUCTION, ("NetworkPolicy", "links"), "spec.ingress.0.from", [{"namespaceSelector": {}}], "link_port:"),
    (PRODUCTION, ("PodDisruptionBudget", "lets-connect"), "spec.selector.matchLabels", {"app": "other"}, "references:"),
    (PRODUCTION, ("CronJob", "backup"), "spec.jobTemplate.spec.template.spec.volumes.2.secret.secretName", "backups", "references:"),
    # Monitoring, with the files of deploy/monitoring and with the platform.
    (MONITORING, ("ConfigMap", "prometheus"), "data.symptoms.yml", "groups: []", "monitoring:"),
    (MONITORING, ("ConfigMap", "grafana-dashboards"), "data.store.json", REMOVED, "monitoring:"),
    (MONITORING, ("StatefulSet", "prometheus"), "spec.template.spec.volumes.0.projected.sources.0.configMap.items.1.path", "recording.yml", "monitoring:"),
    (MONITORING, ("StatefulSet", "prometheus"), f"{CONTAINER}.args.2", "--storage.tsdb.retention.time=15d", "monitoring:"),
    (MONITORING, ("StatefulSet", "prometheus"), f"{CONTAINER}.volumeMounts.1.name", "configuration", "monitoring:"),
    (MONITORING, ("StatefulSet", "prometheus"), "spec.template.spec.automountServiceAccountToken", False, "monitoring:"),
    (MONITORING, ("ExternalSecret", "prometheus"), "spec.data.0.secretKey", "token", "monitoring:"),
    (MONITORING, ("Service", "alertmanager"), "spec.ports.0.port", 9094, "monitoring:"),
    (MONITORING, ("Deployment", "grafana"), f"{CONTAINER}.env.0.value", "http://metrics:9090", "monitoring:"),
    (MONITORING, ("Deployment", "grafana"), f"{CONTAINER}.env.3.name", "GF_SECURITY_ADMIN_PASSWORD", "monitoring:"),
    (MONITORING, ("NetworkPolicy", "prometheus"), "spec.egress.0.to.0.podSelector.matchLabels", {"app": "other"}, "monitoring:"),
    (PRODUCTION, ("NetworkPolicy", "nodes"), "spec.ingress.1.from.0.namespaceSelector.matchLabels", {"kubernetes.io/metadata.name": "metrics"}, "monitoring:"),
    (PRODUCTION, ("Role", "discovery"), "rules.0.resources", ["pods", "secrets"], "monitoring:"),
    # Scaling by the platform's own signals.
    (KEDA, ("ScaledObject", "lets-connect"), "spec.triggers.2.metadata.querry", "up", "schema:"),
    (KEDA, ("ScaledObject", "lets-connect"), "spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.stabilizationWindowSeconds", 0, "scaling:"),
    (KEDA, ("ScaledObject", "lets-connect"), "spec.maxReplicaCount", 12, "names:"),
    (KEDA, ("ScaledObject", "lets-connect"), "spec.triggers.2.metadata.query", "owner_mailbox_wait_seconds", "signals:"),
    (KEDA, ("ScaledObject", "lets-connect"), "spec.triggers.3.metadata.serverAddress", "http://prometheus:9090", "signals:"),
    (MONITORING, ("NetworkPolicy", "prometheus"), "spec.ingress.0.from.1.namespaceSelector.matchLabels", {"kubernetes.io/metadata.name": "other"}, "signals:"),
    # The mesh.
    (LINKERD, ("Server", "link"), "spec.protocol", "opaque", "schema:"),
    (LINKERD, ("Server", "link"), "spec.proxyProtocol", "HTTP/2", "mesh:"),
    (LINKERD, ("Server", "admin"), "spec.port", "metrics", "mesh:"),
    (LINKERD, ("AuthorizationPolicy", "link"), "spec.requiredAuthenticationRefs.0.name", "meshed", "mesh:"),
    (LINKERD, ("AuthorizationPolicy", "gateway"), "spec.targetRef.name", "http", "mesh:"),
    (LINKERD, NODE, "spec.template.metadata.annotations", {"linkerd.io/inject": "enabled"}, "mesh:"),
    (LINKERD, ("Service", "nodes"), "metadata.annotations", {}, "mesh:"),
    (LINKERD, ("NetworkPolicy", "mesh"), "spec.egress.0.ports.0.port", 8020, "mesh:"),
    # Logging.
    (LOGGING, ("ConfigMap", "fluent-bit"), "data.fluent-bit.yaml", REMOVED, "logs:"),
    (LOGGING, ("Service", "loki"), "spec.ports.0.port", 80, "logs:"),
    (LOGGING, ("DaemonSet", "fluent-bit"), f"{CONTAINER}.volumeMounts.2.readOnly", True, "logs:"),
    (LOGGING, ("StatefulSet", "loki"), f"{CONTAINER}.volumeMounts.1.mountPath", "/data", "logs:"),
    (PRODUCTION, ("ConfigMap", "settings"), "data.LETS_CONNECT_LOG_FORMAT", "human", "logs:"),
    (PRODUCTION, NODE, f"{CONTAINER}.name", "node", "logs:"),
    # Stores.
    (STORES, ("Cluster", "postgres"), "spec.postgres", {}, "schema:"),
    (STORES, ("ScheduledBackup", "postgres"), "spec.schedule", "37 1 * * *", "schema:"),
    (STORES, ("Cluster", "postgres"), "spec.postgresql.parameters.max_connections", "500", "stores:"),
    (STORES, ("Cluster", "postgres"), "spec.postgresql.synchronous.dataDurability", "preferred", "stores:"),
    (STORES, ("Cluster", "postgres"), "spec.managed.roles.0.createdb", False, "stores:"),
    (STORES, ("Cluster", "postgres"), "spec.managed.roles.1.name", "nodes", "stores:"),
    (STORES, ("Cluster", "postgres"), "spec.plugins.0.parameters.barmanObjectName", "other", "stores:"),
    (STORES, ("ExternalSecret", "postgres-backup"), "metadata.name", "backup", "stores:"),
    (PRODUCTION, ("ConfigMap", "settings"), "data.LETS_CONNECT_POSTGRES_CONNECTIONS_MAX", "20", "stores:"),
    # Policies.
    (PRODUCTION, NODE, f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False, "CKV_K8S_22 "),
    (PRODUCTION, NODE, f"{CONTAINER}.securityContext.capabilities", REMOVED, "CKV_K8S_37 "),
    (PRODUCTION, NODE, "spec.template.spec.automountServiceAccountToken", True, "CKV_K8S_38 "),
    (PRODUCTION, NODE, "spec.template.spec.hostNetwork", True, "CKV_K8S_19 "),
    (DEVELOPMENT, ("Deployment", "redis"), f"{CONTAINER}.resources", REMOVED, "CKV_K8S_11 "),
    (MIGRATION, ("Job", "migration"), "metadata.annotations", {"checkov.io/skip1": "CKV_K8S_43=no"}, "CKV_K8S_43 "),
]

# The same of the compose file.
NODE_2 = "services.node-2"
SPOILT_COMPOSE = [
    (f"{NODE_2}.memory", "1g", "compose schema:"),
    (f"{NODE_2}.environment.LETS_CONNECT_CLUSTER_NAMES", "node-2", "compose: node-2:"),
    (f"{NODE_2}.environment.LETS_CONNECT_CLUSTER_NAME", "node-1", "compose: node-2:"),
    (f"{NODE_2}.environment.LETS_CONNECT_CLUSTER_CREDENTIALS", "/etc/lets-connect/link/node-1", "compose: node-2:"),
    (f"{NODE_2}.ports", ["8100:8000"], "compose: node-2:"),
    (f"{NODE_2}.read_only", False, "compose: node-2:"),
    (f"{NODE_2}.stop_grace_period", "10s", "compose: node-2:"),
    ("services.postgres", REMOVED, "compose: a URL"),
    ("configs.targets.content", "- targets: [node-1:8010]", "compose: prometheus:"),
    ("configs.admin-token.content", "none", "compose: prometheus:"),
    ("services.alertmanager.network_mode", "bridge", "compose: prometheus:"),
    ("services.grafana.volumes.2", "./grafana/dashboards:/etc/grafana/dashboards:ro", "compose: prometheus:"),
]


def spoil(rendering, wanted, path, value):
    """A copy in which one field is another. Generated objects have a hash behind their name, and are meant without."""
    spoilt = dataclasses.replace(rendering, objects=copy.deepcopy(rendering.objects))
    kind, name = wanted
    (at,) = [one for one in spoilt.of(kind) if one["metadata"]["name"] == name or (kind in ("ConfigMap", "Secret") and one["metadata"]["name"].rsplit("-", 1)[0] == name)]
    put(at, path, value)
    return spoilt


def put(at, path, value):
    """Changes the field at a path, whose steps are keys and places in lists. The data of a ConfigMap are files, whose names have dots."""
    *steps, last = path.split(".", 1) if path.startswith("data.") else path.split(".")
    for step in steps:
        at = at[int(step) if isinstance(at, list) else step]
    last = int(last) if isinstance(at, list) else last
    if value is REMOVED:
        del at[last]
    else:
        at[last] = value


def missed(options, renderings):
    """How many of the faults nobody found."""
    by_name = {one.name: one for one in renderings}
    copies = []
    for number, (folder, wanted, path, value, _) in enumerate(SPOILT):
        spoilt = spoil(by_name[folder], wanted, path, value)
        copies.append(dataclasses.replace(spoilt, name=f"{number}"))
    of_policies = [one for one, row in zip(copies, SPOILT, strict=True) if row[-1].startswith("CKV")]
    found = policy.faults(options.checkov, of_policies)
    count = 0
    for one, (folder, wanted, path, _, expected) in zip(copies, SPOILT, strict=True):
        if expected == "schema:":
            said = [f"schema: {fault}" for fault in schema.faults(one)]
        elif expected.rstrip(":") in between.RULES:
            said = between.faults(expected.rstrip(":"), options.binary, by_name | {folder: one})
        elif one.name in found:
            said = found[one.name]
        else:
            said = list(consistency.faults(options.binary, one))
        hit = any(fault.startswith(expected) for fault in said)
        count += not hit
        if not hit:
            print(f"  MISSED: {folder}: {' '.join(wanted)}: {path}: expected {expected} and heard {said or 'nothing'}")
    for path, value, expected in SPOILT_COMPOSE:
        spoilt = copy.deepcopy(compose.read())
        put(spoilt, path, value)
        said = compose.faults(options.binary, options.validator, spoilt)
        if not any(fault.startswith(expected) for fault in said):
            count += 1
            print(f"  MISSED: compose.yaml: {path}: expected {expected} and heard {said or 'nothing'}")
    total = len(SPOILT) + len(SPOILT_COMPOSE)
    print(f"{total} fields spoilt, {total - count} found")
    return count
