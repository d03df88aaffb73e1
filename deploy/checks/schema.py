"""The form of every object: Kubernetes' own schemas, strictly, and for what others define the fields that are used here."""

import json
import pathlib

import jsonschema
import kubernetes_validate

# The oldest release that the manifests are for, and the newest whose schemas are at hand.
RELEASES = ("1.31.0", "1.34.0", "1.37.0")
# What operators define, a file each. Their schemas have some ten thousand lines; these have the fields that are used, closed, so that a field that is new here is looked up there.
OTHERS = [json.loads(file.read_text()) for file in sorted((pathlib.Path(__file__).parent / "crds").glob("*.json"))]
KINDS = {kind: {"$defs": others["$defs"], **form} for others in OTHERS for kind, form in others["kinds"].items()}


def faults(rendering):
    """Fields that do not exist, are missing, or are of another type."""
    for one in rendering.objects:
        name = f"{one['kind']} {one['metadata']['name']}"
        other = KINDS.get(f"{one['apiVersion']}/{one['kind']}")
        if other is not None:
            for error in jsonschema.Draft202012Validator(other).iter_errors({"spec": one.get("spec")}):
                yield f"{name}: {error.json_path}: {error.message}"
            continue
        for release in RELEASES:
            try:
                kubernetes_validate.validate(one, release, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}, Kubernetes {release}: {'.'.join(map(str, error.path))}: {error.message[:200]}"
            except kubernetes_validate.SchemaNotFoundError:
                yield f"{name}: Kubernetes {release} has no {one['apiVersion']} {one['kind']}"
