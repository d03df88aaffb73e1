"""What of the ingress follows from the route table, by way of docs/openapi.json, which the tests of the route table keep true: a prefix for each service, and the description itself; and from
the front-end's table of screens.

    deploy/routes            writes it
    deploy/check             says when it is not current
"""

import json
import re

from checks.rendering import ROOT

FILE = ROOT / "kubernetes/components/ingress/routes.yaml"
HEAD = """# Made by deploy/routes from docs/openapi.json and web/src/routes.ts: services, each by the gateway, and the front-end. Health and metrics are for the inside, and not here.
- op: add
  path: /spec/rules/0/http
  value:
    paths:
"""
# What the description does not have: another name of a service, and where the description itself is.
ALIASES, PAGES = {"/api/users"}, ("/docs", "/openapi.json")
# The front-end's first screen and what its page names; other screens are in its table.
FRONT, FRONT_FILES = ("/", "/icon.svg"), {"/assets"}


def screens():
    """What the addresses of the front-end's screens begin with."""
    table = (ROOT.parent / "web/src/routes.ts").read_text()
    return {"/" + path.split("/")[1] for path in re.findall(r"row\('(/[^']+)'", table)}


def paths():
    """Path and kind of each route of the ingress: services in the order of their names. A prefix is of whole parts of a path."""
    described = json.loads((ROOT.parent / "docs/openapi.json").read_text())["paths"]
    services = {"/".join(path.split("/")[:3]) for path in described if path.startswith("/api/")}
    return [(path, "Prefix") for path in sorted(services | ALIASES | screens() | FRONT_FILES)] + [(path, "Exact") for path in PAGES + FRONT]


def text():
    """The file, as it is to be."""
    entry = "      - path: {}\n        pathType: {}\n        backend:\n          service:\n            name: lets-connect\n            port:\n              name: http\n"
    return HEAD + "".join(entry.format(*one) for one in paths())


def faults():
    """Whether the file is another one."""
    if FILE.read_text() != text():
        yield f"{FILE.relative_to(ROOT.parent)} is not what docs/openapi.json and web/src/routes.ts say: deploy/routes writes it"


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"{FILE.relative_to(ROOT.parent)}: {len(paths())} routes")
