"""What of the ingress follows from the route table, by way of docs/openapi.json, which the tests of the route table keep true: a prefix for each service, and the description itself.

    deploy/routes            writes it
    deploy/check             says when it is not current
"""

import json

from checks.rendering import ROOT

FILE = ROOT / "kubernetes/components/ingress/routes.yaml"
HEAD = """# Made by deploy/routes from docs/openapi.json: the services of the route table, each by the gateway. Health and metrics are for the inside, and not here.
- op: add
  path: /spec/rules/0/http
  value:
    paths:
"""
# What the description does not have: another name of a service, and where the description itself is.
ALIASES, PAGES = {"/api/users"}, ("/docs", "/openapi.json")


def paths():
    """Path and kind of each route of the ingress: services in the order of their names. A prefix is of whole parts of a path."""
    described = json.loads((ROOT.parent / "docs/openapi.json").read_text())["paths"]
    services = {"/".join(path.split("/")[:3]) for path in described if path.startswith("/api/")}
    return [(path, "Prefix") for path in sorted(services | ALIASES)] + [(path, "Exact") for path in PAGES]


def text():
    """The file, as it is to be."""
    entry = "      - path: {}\n        pathType: {}\n        backend:\n          service:\n            name: lets-connect\n            port:\n              name: http\n"
    return HEAD + "".join(entry.format(*one) for one in paths())


def faults():
    """Whether the file is another one."""
    if FILE.read_text() != text():
        yield f"{FILE.relative_to(ROOT.parent)} is not what docs/openapi.json says: deploy/routes writes it"


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"{FILE.relative_to(ROOT.parent)}: {len(paths())} routes")
