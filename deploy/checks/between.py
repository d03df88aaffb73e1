"""What renderings say of each other: monitoring, logging, stores and the variants of production, each with the platform that it is for."""

from checks import consistency, logs, mesh, monitoring, stores

SINGLE, DEVELOPMENT, PRODUCTION, MIGRATION, KEDA, LINKERD, MONITORING, LOGGING, STORES = (
    f"kubernetes/overlays/{name}"
    for name in ("single-node", "development", "production", "production/migration", "production-keda", "production-linkerd", "monitoring", "logging", "stores")
)


def _node(binary, rendering):
    (stateful_set,) = rendering.of("StatefulSet", "lets-connect")
    return consistency.Node(binary, rendering, stateful_set)


# By what its faults begin with: the rendering that they are of, and how they are found among all of them.
RULES = {
    "monitoring": (MONITORING, lambda _, all: monitoring.faults(all[MONITORING], all[PRODUCTION])),
    "signals": (KEDA, lambda _, all: monitoring.signals(all[KEDA], all[MONITORING])),
    "mesh": (LINKERD, lambda _, all: mesh.faults(all[LINKERD])),
    "logs": (LOGGING, lambda binary, all: logs.faults(all[LOGGING], all[PRODUCTION], _node(binary, all[PRODUCTION]).settings)),
    "stores": (STORES, lambda binary, all: stores.faults(all[STORES], all[PRODUCTION], all[MIGRATION], _node(binary, all[PRODUCTION]))),
}


def faults(rule, binary, by_name):
    """What one of the rules finds."""
    return [f"{rule}: {fault}" for fault in RULES[rule][1](binary, by_name)]
