"""Bad days: each fault with what held, and latency over time with marks where something was done."""

from .. import plot
from ..figure import slug
from ..markup import Markup, details, paragraph, table, tag
from ..number import counted, shown

LATENCIES = (("p99", "p99Us", 1), ("p50", "p50Us", 3), ("max", "maxUs", 2))
ENDINGS = ("refused", "failed", "unanswered", "dropped")


def faults(parts, chapter):
    """The faults that have a load beside them, drawn over time."""
    for run in runs_of(parts):
        figures_of(run, chapter)
        chapter.add(tag("h3", run["fault"], " ", verdict(run["held"])), paragraph(run["what"]), timeline(run), lines_of(run))


def bad_day(parts, chapter):
    """Every row of the table of faults, and whether it held."""
    rows, seen = [], set()
    for run in runs_of(parts):
        # Both tools have a fault of the same name here and there.
        name = run["fault"] if run["fault"] not in seen else f"{run['fault']}, cluster"
        seen.add(name)
        figures_of(run, chapter, name)
        broken = [line["what"] for line in run["lines"] if line["held"] is False]
        judged = sum(line["held"] is not None for line in run["lines"])
        rows.append([run.get("row", name), verdict(run["held"]), f"{judged - len(broken)} of {judged}", shown(run["tookS"], "s"), run.get("seed", "–"), run.get("leftOut") or "; ".join(broken)])
    every = list(runs_of(parts))
    held, broke = (sum(run["held"] is what for run in every) for what in (True, False))
    left_out = len(every) - held - broke
    chapter.figure("held", f"faults of {len(every)} under which all held", held, "faults")
    chapter.figure("broken", "faults under which something did not hold", broke, "faults")
    rest = f"; {left_out} left out" if left_out else ""
    chapter.add(
        paragraph(f"{held} of {len(every)} held{rest}."),
        table(["fault", "verdict", "lines that held", "took", "seed", "what broke, or why it was left out"], rows, "Every fault of this run", words=2),
        *(details(tag("span", run.get("row", run["fault"]), " ", verdict(run["held"])), paragraph(run["what"]), timeline(run), lines_of(run, open_=True)) for run in every),
    )


def runs_of(parts):
    """Runs of all parts, in their order."""
    for part in parts.values():
        yield from part["runs"]


def verdict(held):
    """In words and in colour."""
    if held is None:
        return tag("span", "left out", class_="open")
    return tag("span", "held" if held else "BROKEN", class_="held" if held else "missed")


def figures_of(run, chapter, name=None):
    """What a fault came to: lines that broke, the longest wait, and what failed. Of what was left out nothing is known."""
    if run["held"] is None:
        return
    name = slug(name or run["fault"])
    broken = sum(line["held"] is False for line in run["lines"])
    chapter.figure(f"{name}.broken", f"{run['fault']}: lines that did not hold", broken, "lines")
    if load := run.get("load"):
        total = load["total"]
        chapter.figure(f"{name}.longest", f"{run['fault']}: the longest wait of the load", total["maxUs"], "µs")
        chapter.figure(f"{name}.p99", f"{run['fault']}: p99 of the whole run", total["p99Us"], "µs")
        chapter.figure(f"{name}.errors", f"{run['fault']}: requests of {total['arrivals']:,} that were not answered with 2xx or 3xx", sum(total.get(how, 0) for how in ENDINGS), "requests")
    if check := run.get("check"):
        chapter.figure(f"{name}.violations", f"{run['fault']}: violations that the history checker found", check["violations"], "violations")
        chapter.figure(f"{name}.reads", f"{run['fault']}: reads that it checked", check["readsChecked"], "reads")


def timeline(run):
    """Latency over time with marks; of the checker's waits where there was no load."""
    marks = [(mark["atS"], mark["what"]) for mark in run.get("marks", [])]
    title = "latency of each second's requests"
    if load := run.get("load"):
        series = load["series"]
        lines = [plot.Line(name, [(one["second"], one[key] or None if one["ended"] else None) for one in series], colour) for name, key, colour in LATENCIES]
        errors = [(one["second"], one["errors"]) for one in series]
        return plot.lines(title, f"{run['what']} Marks: {spoken(marks)}", lines, "µs", x_name="seconds since the load began", log=True, marks=marks, errors=errors)
    seconds = (run.get("check") or {}).get("seconds")
    # Marks may be on the clock of a load of the fault's own, whose series is not here.
    marks = marks if run.get("clock", "check") == "check" else []
    if not seconds:
        return paragraph("Nothing was measured over time under this fault.", class_="lacking")
    waits = (("reads", "readWaitMsMax", 1), ("writes", "writeWaitMsMax", 2))
    lines = [plot.Line(name, [(number, one[key] or None) for number, one in enumerate(seconds)], colour) for name, key, colour in waits]
    errors = [(number, sum(one["errors"].values()) + one["notConnected"]) for number, one in enumerate(seconds)]
    return plot.lines("longest wait that ended in each second", f"{run['what']} Marks: {spoken(marks)}", lines, "ms", x_name="seconds since the check began", log=True, marks=marks, errors=errors)


def spoken(marks):
    return "; ".join(f"{what} at {at:.0f} s" for at, what in marks) or "none."


def lines_of(run, open_=False):
    """What was judged, as the command printed it."""
    words = {True: tag("span", "held", class_="held"), False: tag("span", "BROKEN", class_="missed"), None: Markup("shown")}
    lines = table(["verdict", "what"], [[words[line["held"]], line["what"]] for line in run["lines"]], words=2)
    return lines if open_ else details(counted(len(run["lines"]), "line"), lines)
