"""Dashboards as pages: the same queries, asked of a Prometheus, drawn as plain SVG where Grafana would draw them.

What Grafana does beyond that — colours of a series by hand, tooltips, zoom — is left out: this shows what the panels say.
"""

import datetime
import html
import json
import math

from reporting.number import BYTES, rounded, scaled

WIDTH, COLUMN, ROW, GAP = 1400, 1400 / 24, 38, 6
COLOURS = ["#7eb26d", "#6ed0e0", "#eab839", "#ef843c", "#e24d42", "#5195ce", "#ba43a9", "#b7dbab", "#9fa7b3", "#f9ba8f"]
NAMED = {"green": "#56a64b", "red": "#e02f44", "orange": "#ff780a", "yellow": "#f2cc0c", "blue": "#3274d9"}
# Series that a panel draws at most: further ones are counted.
SERIES_MAX = 10
STYLE = """
body { margin: 0; background: #111217; color: #ccccdc; font: 12px/1.4 "DejaVu Sans", sans-serif; }
h1 { font-size: 18px; margin: 14px 12px 10px; font-weight: 500; }
main { position: relative; }
section { position: absolute; background: #181b1f; border: 1px solid #2a2d33; border-radius: 3px; overflow: hidden; box-sizing: border-box; }
h2 { font-size: 12px; font-weight: 500; margin: 6px 8px 0; white-space: nowrap; }
p { font-size: 26px; margin: 0; text-align: center; font-weight: 500; }
text { fill: #9da5b8; font-size: 10px; }
.key { position: absolute; left: 8px; bottom: 4px; right: 8px; white-space: nowrap; overflow: hidden; font-size: 10px; }
.key i { display: inline-block; width: 10px; height: 3px; margin: 0 4px 2px 0; }
.key span { margin-right: 10px; }
"""


def shown(value, unit):
    """A figure as Grafana writes it in that unit."""
    if value is None or math.isnan(value):
        return "–"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "percent":
        return f"{value:.3g} %"
    if unit == "bool_yes_no":
        return "yes" if value else "no"
    if unit == "bytes":
        return scaled(value, *BYTES)
    if unit == "s":
        return scaled(value, (86_400, "days"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")) if value else "0 s"
    suffix = {"reqps": " req/s", "ops": " /s"}.get(unit, "")
    return f"{rounded(value)}{suffix}" if abs(value) < 1e6 else scaled(value, (1e9, f"G{suffix}"), (1e6, f"M{suffix}"))


def legend(target, labels):
    """What a series is called: the panel's form, filled in."""
    form = target.get("legendFormat") or ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")
    for name, value in labels.items():
        form = form.replace("{{" + name + "}}", value)
    return form


def colour_of(panel, value):
    """The colour that the panel's thresholds give a value."""
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    found = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return NAMED.get(found[-1], found[-1]) if found else COLOURS[0]


class Asked:
    """What a dashboard's queries find between two instants."""

    def __init__(self, prometheus, began, ended, step):
        self.prometheus, self.began, self.ended, self.step = prometheus, began, ended, step

    def __call__(self, target):
        query = target["expr"].replace("$__rate_interval", "15s").replace("$__range", f"{int(self.ended - self.began)}s")
        if target.get("instant"):
            found = self.prometheus.ask("query", query=query, time=self.ended)
            if found["resultType"] == "scalar":
                return [({}, [(self.ended, float(found["result"][1]))])]
            return [(series["metric"], [(self.ended, float(series["value"][1]))]) for series in found["result"]]
        found = self.prometheus.ask("query_range", query=query, start=self.began, end=self.ended, step=self.step)["result"]
        return [(series["metric"], [(at, float(value)) for at, value in series["values"]]) for series in found]


def stat(panel, series, height):
    value = series[0][1][-1][1] if series else None
    unit = panel["fieldConfig"]["defaults"].get("unit")
    colour = "#9da5b8" if value is None or math.isnan(value) else colour_of(panel, value)
    return f'<p style="color:{colour};line-height:{height - 34}px">{html.escape(shown(value, unit))}</p>'


def states(panel, series, width, height, asked):
    """A row a series: what it was, over time."""
    left, top, rows = 110, 4, series[:SERIES_MAX]
    tall = (height - 44) / max(len(rows), 1)
    across = (width - left - 12) / (asked.ended - asked.began)
    parts = []
    for number, (name, points) in enumerate(rows):
        y = top + number * tall
        parts.append(f'<text x="{left - 6}" y="{y + tall / 2 + 3:.0f}" text-anchor="end">{html.escape(name)}</text>')
        for at, value in points:
            x = left + (at - asked.began) * across
            parts.append(f'<rect x="{x:.1f}" y="{y + 2:.1f}" width="{asked.step * across + 0.5:.1f}" height="{tall - 4:.1f}" fill="{colour_of(panel, value)}"/>')
    return f'<svg width="{width - 2}" height="{height - 40}">{"".join(parts)}</svg>'


def lines(panel, series, width, height, asked):
    unit = panel["fieldConfig"]["defaults"].get("unit")
    left, top, bottom = 64, 6, 40
    tall, wide = height - 28 - top - bottom, width - left - 14
    # Those that reach highest are worth a line; of the rest it is said how many there are.
    series = sorted(series, key=lambda one: -max((value for _, value in one[1] if math.isfinite(value)), default=-math.inf))
    values = [value for _, points in series for _, value in points if math.isfinite(value)]
    low, high = min([0, *values]), max([*values, 0])
    high = high if high > low else low + 1
    x = lambda at: left + (at - asked.began) / (asked.ended - asked.began) * wide  # noqa: E731
    y = lambda value: top + (high - value) / (high - low) * tall  # noqa: E731
    parts = []
    for part in range(5):
        value = low + (high - low) * part / 4
        parts.append(f'<line x1="{left}" x2="{left + wide}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#2a2d33"/>')
        parts.append(f'<text x="{left - 6}" y="{y(value) + 3:.1f}" text-anchor="end">{html.escape(shown(value, unit))}</text>')
    for part in range(5):
        at = asked.began + (asked.ended - asked.began) * part / 4
        clock = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%H:%M:%S")
        anchor = "end" if part == 4 else "middle"
        parts.append(f'<text x="{x(at):.1f}" y="{top + tall + 14}" text-anchor="{anchor}">{clock}</text>')
    for number, (_, points) in enumerate(series[:SERIES_MAX]):
        path, before = [], 0
        for at, value in points:
            if math.isfinite(value):
                # Where nothing was known there is no line.
                path.append(f"{'L' if at - before <= 1.5 * asked.step else 'M'}{x(at):.1f} {y(value):.1f}")
                before = at
        parts.append(f'<path d="{" ".join(path)}" fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="1.4"/>')
    keys = [f'<span><i style="background:{COLOURS[n % len(COLOURS)]}"></i>{html.escape(name)}</span>' for n, (name, _) in enumerate(series[:SERIES_MAX])]
    more = f"<span>and {len(series) - SERIES_MAX} more</span>" if len(series) > SERIES_MAX else ""
    return f'<svg width="{width - 2}" height="{height - 28}">{"".join(parts)}</svg><div class="key">{"".join(keys)}{more}</div>'


def page(dashboard, asked):
    """A dashboard as a page, and how tall it is in pixels."""
    sections, end = [], 0
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        width, height = at["w"] * COLUMN - GAP, at["h"] * ROW - GAP
        series = [(legend(target, labels), points) for target in panel["targets"] for labels, points in asked(target)]
        draw = {"stat": lambda: stat(panel, series, height), "state-timeline": lambda: states(panel, series, width, height, asked)}
        inside = draw.get(panel["type"], lambda: lines(panel, series, width, height, asked))()
        where = f"left:{at['x'] * COLUMN + GAP:.0f}px;top:{at['y'] * ROW}px;width:{width:.0f}px;height:{height:.0f}px"
        sections.append(f'<section style="{where}"><h2>{html.escape(panel["title"])}</h2>{inside}</section>')
        end = max(end, (at["y"] + at["h"]) * ROW)
    title = html.escape(dashboard["title"])
    text = f'<!doctype html><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style><h1>{title}</h1><main>{"".join(sections)}</main>'
    return text, end + 60


def pages(folder, asked):
    """Of each dashboard: its file's name, its page, and how tall that is."""
    for file in sorted(folder.glob("*.json")):
        yield file.stem, *page(json.loads(file.read_text()), asked)
