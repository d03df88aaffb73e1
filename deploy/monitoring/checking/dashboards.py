"""What dashboards ask."""

import json


def queries(folder):
    """Of each query in the dashboards: where it stands, how it is asked (`panel` or `annotation`), and the query."""
    for file in sorted(folder.glob("*.json")):
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield f"{dashboard['uid']}, {panel['title']}", "panel", target["expr"]
        for annotation in dashboard["annotations"]["list"]:
            yield f"{dashboard['uid']}, {annotation['name']}", "annotation", annotation["expr"]
