"""What a pod's process would be: its environment and files, as Kubernetes makes them, given to the binary itself."""

import base64
import pathlib
import re
import subprocess
import tempfile
import tomllib

from checks.rendering import platform

# For a secret that somebody else fills in: something of its form, by the name that a template has for it.
SAMPLES = {
    "adminToken": "0123456789abcdef0123456789abcdef",
    "postgresUrl": "postgres://app:password@db.example.org:5432/app?sslmode=verify-full",
    "redisUrl": "rediss://:password@cache.example.org:6379/0",
    "storageUrl": "s3://KEY:SECRET@bucket?region=eu-central-1",
    "smtpUrl": "smtps://user:password@mail.example.org",
    "mailFrom": "Let's Connect <no-reply@example.org>",
}
# The secret of one node by itself is made by hand, as docs/deploy.md shows it.
BY_HAND = f'[listen]\nadmin_token = "{SAMPLES["adminToken"]}"\n'
CONFIG = "LETS_CONNECT_CONFIG"


class Unresolved(Exception):
    """Something that a container names is not there."""


def environment(rendering, container, pod_name):
    """The variables of a container, in Kubernetes' order: maps first, then its own, each of which may name those before it."""
    variables = {}
    for source in container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        maps = rendering.of("ConfigMap", name)
        if not maps:
            raise Unresolved(f"there is no ConfigMap {name}")
        variables |= maps[0]["data"]
    for one in container.get("env", []):
        if "valueFrom" in one:
            field = one["valueFrom"].get("fieldRef", {}).get("fieldPath")
            if field != "metadata.name":
                raise Unresolved(f"{one['name']} comes from {one['valueFrom']}")
            variables[one["name"]] = pod_name
            continue
        value = re.sub(r"\$\((\w+)\)", lambda match: variables.get(match[1], match[0]), one["value"])
        if "$(" in value:
            raise Unresolved(f"{one['name']} is {value}: a variable is known only to those after it")
        variables[one["name"]] = value
    return variables


def secrets(rendering, name):
    """The files of a secret, with samples for what is not known here."""
    for one in rendering.of("Secret", name):
        return {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
    for one in rendering.of("ExternalSecret", name):
        template = one["spec"].get("target", {}).get("template", {}).get("data", {})
        fill = lambda text: re.sub(r"{{ \.(\w+) }}", lambda match: SAMPLES.get(match[1], "sample"), text)  # noqa: E731
        return {key: fill(value) for key, value in template.items()} | {entry["secretKey"]: "sample" for entry in one["spec"].get("data", [])}
    for one in rendering.of("Certificate"):
        if one["spec"]["secretName"] == name:
            return dict.fromkeys(("ca.crt", "tls.crt", "tls.key"), "sample")
    return {"secrets.toml": BY_HAND} if name == "secrets" else None


def maps(rendering, name):
    """The files of a ConfigMap."""
    return next((one["data"] for one in rendering.of("ConfigMap", name)), None)


def sources(volume):
    """What a volume's files come from: (how it is looked up, reference to it) of each."""
    of_kinds = {"secret": secrets, "configMap": maps}
    for source in [*volume.get("projected", {}).get("sources", []), volume]:
        for kind, look_up in of_kinds.items():
            if kind in source:
                yield look_up, source[kind]


def mounted(rendering, pod, container):
    """The files that a container finds, by path; a folder ends with a slash, and holds whatever it will."""
    files, volumes = {}, {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        at = mount["mountPath"]
        files[f"{at}/"] = None
        for look_up, source in sources(volumes.get(mount["name"], {})):
            name = source.get("name") or source["secretName"]
            content = look_up(rendering, name)
            if content is None and source.get("optional"):
                continue
            if content is None:
                raise Unresolved(f"nothing makes {name}")
            for item in source.get("items") or [{"key": key, "path": key} for key in content]:
                if item["key"] not in content:
                    raise Unresolved(f"{name} has no {item['key']}")
                files[f"{at}/{item['path']}"] = content[item["key"]]
    return files


def configuration(binary, rendering, pod, pod_name):
    """The settings in force in a pod of this name, as the binary says them. Raises what it says against them."""
    container = platform(pod)
    variables, files = environment(rendering, container, pod_name), mounted(rendering, pod, container)
    with tempfile.TemporaryDirectory() as folder:
        if CONFIG in variables:
            if variables[CONFIG] not in files:
                raise Unresolved(f"{variables[CONFIG]} is not mounted")
            file = pathlib.Path(folder) / "secrets.toml"
            file.write_text(files[variables[CONFIG]])
            variables[CONFIG] = str(file)
        # Whatever else is in the environment of whoever runs this is no part of the pod's.
        done = subprocess.run([binary, "config"], env=variables, cwd=folder, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise Unresolved(done.stderr.strip())
    return tomllib.loads(done.stdout)


def size(text):
    """Bytes of a size as the binary has it (`64 KiB`) or as Kubernetes has it (`64Ki`)."""
    number, unit = re.fullmatch(r"(\d+)\s*([KMGT]?)i?B?", str(text)).groups()
    return int(number) * 1024 ** " KMGT".index(unit or " ")
