"""The logging of overlays/logging: whether it reads what nodes write, hands it to who is there, and keeps it as long as is said."""

import fnmatch

import yaml

from checks import node
from checks.rendering import platform

KEPT = "720h"


def container(rendering, kind, name):
    """The configuration and the mounts of one of the two."""
    (workload,) = rendering.of(kind, name)
    pod = workload["spec"]["template"]
    (one,) = pod["spec"]["containers"]
    files, at = node.mounted(rendering, pod, one), one["args"][0].split("=", 1)[1]
    if at not in files:
        raise node.Unresolved(f"{name} has no {at}")
    return yaml.safe_load(files[at]), {mount["mountPath"]: mount for mount in one["volumeMounts"]}


def of_fluent_bit(rendering, pods):
    """It reads the files of the platform's containers and no others, as JSON, remembers where it was, and hands over to a service."""
    configuration, mounts = container(rendering, "DaemonSet", "fluent-bit")
    (tail,), (parse,), (output,) = (configuration["pipeline"][part] for part in ("inputs", "filters", "outputs"))
    for pod, namespace, name in pods:
        if not fnmatch.fnmatch(f"/var/log/containers/{pod}_{namespace}_{name}-{'0' * 64}.log", tail["path"]):
            yield f"the log of {pod} is not read"
    if fnmatch.fnmatch(f"/var/log/containers/fluent-bit-x_{rendering.of('DaemonSet')[0]['metadata']['namespace']}_fluent-bit-{'0' * 64}.log", tail["path"]):
        yield "it reads itself"
    parsers = {one["name"]: one for one in configuration["parsers"]}
    if parsers.get(parse["parser"], {}).get("format") != "json" or parse["reserve_data"] is not True or parse["key_name"] != "log":
        yield "what a runtime wrote around a line of JSON is not taken off"
    if not any(tail["db"].startswith(f"{path}/") and not mount.get("readOnly") for path, mount in mounts.items()):
        yield f"{tail['db']} is nowhere that it may write"
    if not any(str(port["port"]) == str(output["port"]) for service in rendering.of("Service", output["host"]) for port in service["spec"]["ports"]):
        yield f"it hands over to {output['host']}:{output['port']}, which is not there"


def of_loki(rendering):
    """It removes what is older than is said, and writes to its volume alone."""
    configuration, mounts = container(rendering, "StatefulSet", "loki")
    if configuration["limits_config"]["retention_period"] != KEPT or configuration["compactor"]["retention_enabled"] is not True:
        yield f"what is older than {KEPT} is not removed"
    if configuration["common"]["path_prefix"] not in mounts:
        yield f"{configuration['common']['path_prefix']} is no volume"


def faults(rendering, production, settings):
    """Everything that is wrong with the logging of a rendering, for the platform of another, with the settings of its nodes."""
    if settings["log"]["format"] != "json":
        yield f"nodes write {settings['log']['format']}, and JSON is read"
    pods = [(one["metadata"]["name"] + "-0", one["metadata"]["namespace"], platform(one["spec"]["template"])["name"]) for one in production.of("StatefulSet")]
    try:
        yield from of_fluent_bit(rendering, pods)
        yield from of_loki(rendering)
    except node.Unresolved as missing:
        yield str(missing)
