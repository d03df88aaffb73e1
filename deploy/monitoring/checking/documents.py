"""Rules, their tests, the runbook and the list of metrics, as far as they refer to each other. Files are read as text: their form is what promtool looks at."""

import re
import shutil

# What PromQL has of its own, and what Prometheus adds.
WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "offset", "bool", "inf", "nan"}
OF_PROMETHEUS = {"up", "ALERTS"}
# A histogram is documented once, and asked for by its parts.
PARTS = ("_bucket", "_sum", "_count")


def copied(folder, place):
    """The configuration where it may be changed, with the file of the token that it names. Debian's Prometheus is built without the discovery of pods, so
    that part of one file is left out, which an indentation tells."""
    shutil.copytree(folder, place)
    (place / "admin-token").write_text("none\n")
    kubernetes = place / "prometheus-kubernetes.yml"
    kubernetes.write_text(re.sub(r"^    kubernetes_sd_configs:\n(?:      .*\n)+", "", kubernetes.read_text(), flags=re.MULTILINE))
    return place


def block(lines, first, indent):
    """The text of a YAML value that begins behind a colon in this line and may go on in lines that are further in."""
    text = [lines[first].split(":", 1)[1].strip()]
    for line in lines[first + 1 :]:
        if len(line) - len(line.lstrip()) <= indent:
            break
        text.append(line.strip())
    return " ".join(text).removeprefix(">-").strip()


class Rules:
    """What the files of rules define."""

    def __init__(self, folder):
        self.alerts, self.recorded, self.queries, self.runbook = set(), set(), [], {}
        for file in sorted(folder.glob("*.yml")):
            lines, alert = file.read_text().splitlines(), None
            for number, line in enumerate(lines):
                if found := re.match(r"\s+- (alert|record): (\S+)$", line):
                    alert = found[2] if found[1] == "alert" else None
                    (self.alerts if alert else self.recorded).add(found[2])
                    if alert:
                        self.runbook.setdefault(alert, None)
                elif re.match(r"\s+expr:", line):
                    self.queries.append(block(lines, number, len(line) - len(line.lstrip())))
                elif found := re.match(r"\s+runbook_url: (\S+)$", line):
                    self.runbook[alert] = found[1]


def tested(folder):
    """Alerts that a test sees fire, and another look, or another test, does not."""
    fires, rests = set(), set()
    for file in folder.glob("*.yml"):
        for name, expected in re.findall(r"alertname: (\w+)[,\n]\s*exp_alerts:( \[\])?", file.read_text()):
            (rests if expected else fires).add(name)
    return fires & rests


def without_section(rules, runbook):
    """Alerts that lead nowhere, and sections of alerts that there are not."""
    text = runbook.read_text() if runbook.is_file() else ""
    headings = {heading.lower(): heading for heading in re.findall(r"^### (\w+)$", text, re.MULTILINE)}
    wrong = [f"{alert} names {where}" for alert, where in rules.runbook.items() if where != f"docs/runbook.md#{alert.lower()}" or alert.lower() not in headings]
    return wrong + [f"there is no alert {heading}" for low, heading in headings.items() if low not in {alert.lower() for alert in rules.alerts}]


def documented(page):
    """The metrics that the page describes."""
    return set(re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE))


def metrics_of(query):
    """The metrics that a query names."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    names = set(re.findall(r"(?<![\w:.$])[a-zA-Z_][\w:]*(?![\w:]*\s*\()", bare)) - WORDS - OF_PROMETHEUS
    return {next((name.removesuffix(part) for part in PARTS if name.endswith(part) and ":" not in name), name) for name in names}
