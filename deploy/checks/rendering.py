"""What a folder of manifests comes to, as `kubectl kustomize` renders it offline."""

import dataclasses
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Rendering:
    """The objects of one folder."""

    name: str
    objects: list

    def of(self, kind, name=None):
        """The objects of a kind, or of one name."""
        return [one for one in self.objects if one["kind"] == kind and name in (None, one["metadata"]["name"])]

    def pods(self):
        """What runs: (kind and name, template of the pod) of each."""
        for one in self.objects:
            template = one.get("spec", {}).get("jobTemplate", one).get("spec", {}).get("template")
            if template and one["kind"] in ("StatefulSet", "DaemonSet", "Deployment", "Job", "CronJob"):
                yield f"{one['kind']} {one['metadata']['name']}", template

    def text(self):
        """As YAML."""
        return yaml.safe_dump_all(self.objects)


def platform(pod):
    """The container of a pod that is the platform, if there is one."""
    return next((one for one in pod["spec"]["containers"] if "/lets-connect:" in one["image"] or "/lets-connect@" in one["image"]), None)


def selects(selector, labels):
    """Whether a selector of labels fits."""
    wanted = (selector or {}).get("matchLabels", {})
    listed = (selector or {}).get("matchExpressions", [])
    if any(one["operator"] != "In" for one in listed):
        raise ValueError(f"only In is understood here: {listed}")
    return all(labels.get(key) == value for key, value in wanted.items()) and all(labels.get(one["key"]) in one["values"] for one in listed)


def folders():
    """Every folder that is rendered by itself. A component is rendered with what includes it."""
    for file in sorted(ROOT.rglob("kustomization.yaml")):
        if yaml.safe_load(file.read_text())["kind"] == "Kustomization":
            yield file.parent


def render(kubectl, folder):
    """Renders a folder. What it refers to is in this repository, or it fails."""
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise SystemExit(f"{folder.relative_to(ROOT)} is not rendered: {done.stderr.strip()}")
    return Rendering(str(folder.relative_to(ROOT)), [one for one in yaml.safe_load_all(done.stdout) if one])
