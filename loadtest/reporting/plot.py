"""Plots as plain SVG: lines over time, and bars with whiskers. Pure: what goes in is figures, what comes out is markup.

Each plot is drawn twice, for a wide screen and for a narrow one, and the page's style shows the one that fits: letters of a plot that a browser shrinks could not be read.
Colours are the page's (`var(--c1)` …), so that they suit a dark page as well; lines differ by more than their colour and are named where they end.
"""

import dataclasses
import itertools
import json
import math
import textwrap

from .markup import join, paragraph, tag
from .number import BYTES, shown

COLOURS = 6
LETTER = 0.57
# Points of a line at most: of more, each bucket keeps its greatest.
POINTS_MAX = 900
DASHES = [None, "6 3", "2 3", "9 3 2 3", "1 2", "12 4"]
_ids = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Size:
    """A form of a plot: its width and the height of its letters, in pixels, and about how many steps its axis across has."""

    name: str
    width: int
    letter: int
    ticks: int


WIDE = Size("wide", 760, 12, 9)
NARROW = Size("narrow", 328, 11, 4)


@dataclasses.dataclass(frozen=True)
class Line:
    """A line: `points` are (x, y) in order, and where y is `None` it has a gap."""

    name: str
    points: list
    colour: int = 1


@dataclasses.dataclass(frozen=True)
class Bar:
    """A bar with its whisker from `low` to `high`, and a tick where its target is."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    colour: int = 1
    target: float | None = None


class Scale:
    """From figures to pixels."""

    def __init__(self, low, high, start, end, log=False):
        if log and low <= 0:
            raise ValueError("a logarithmic scale begins above 0")
        if not high > low:
            high = low * 10 if log else low + 1
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, value):
        """Where a figure stands; what is beyond the scale stands at its end."""
        value = min(max(value, self.low), self.high)
        share = math.log(value / self.low) / math.log(self.high / self.low) if self.log else (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def linear_ticks(low, high, most):
    """Round figures from `low` to `high`, `most` steps between them at most."""
    if not high > low or most < 1:
        return [low]
    rough = (high - low) / most
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    ticks = [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
    return [float(f"{tick:.12g}") for tick in ticks]


def byte_ticks(low, high, most):
    """The same for bytes, which are counted in powers of 1024."""
    size = next((size for size, _ in BYTES if high >= size), 1)
    return [tick * size for tick in linear_ticks(low / size, high / size, most)]


def ticks_of(bounds, log, unit, most):
    """What an axis has ticks at."""
    if log:
        return log_ticks(*bounds)
    return byte_ticks(*bounds, most) if unit == "bytes" else linear_ticks(*bounds, most)


def log_ticks(low, high):
    """Powers of ten that the scale has; with less than two of them twos and fives as well."""
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    within = [10.0**exponent for exponent in exponents if low * (1 - 1e-9) <= 10.0**exponent <= high * (1 + 1e-9)]
    if len(within) >= 2:
        return within
    return [factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 5) if low * (1 - 1e-9) <= factor * 10.0**exponent <= high * (1 + 1e-9)]


def log_bounds(values):
    """One, two or five times a power of ten around what is above 0, a decade at least."""
    above = [value for value in values if value > 0]
    if not above:
        return 1.0, 10.0
    steps = [factor * 10.0**exponent for exponent in range(math.floor(math.log10(min(above))), math.ceil(math.log10(max(above))) + 2) for factor in (1, 2, 5)]
    low = max(step for step in steps if step <= min(above) * (1 + 1e-9))
    return low, max(min(step for step in steps if step >= max(above) * (1 - 1e-9)), low * 10)


def apart(wished, gap, low, high):
    """Where labels go that would like to be at `wished`: in the same order, `gap` apart, within the bounds as far as there is room."""
    order = sorted(range(len(wished)), key=lambda number: wished[number])
    placed = []
    for number in order:
        placed.append(max(wished[number], placed[-1] + gap if placed else low))
    beyond = high
    for number in reversed(range(len(placed))):
        placed[number] = min(placed[number], beyond)
        beyond = placed[number] - gap
    where = [0.0] * len(wished)
    for number, at in zip(order, placed):
        where[number] = at
    return where


def thinned(points, most=POINTS_MAX):
    """At most so many points: each bucket of neighbours keeps its greatest, so that no peak is lost. A bucket without a figure is a gap."""
    if len(points) <= most:
        return points
    size = math.ceil(len(points) / most)
    buckets = (points[begin:begin + size] for begin in range(0, len(points), size))
    return [max(bucket, key=lambda point: -math.inf if point[1] is None else point[1]) for bucket in buckets]


def pieces(points):
    """What is between the gaps."""
    for is_there, piece in itertools.groupby(points, key=lambda point: point[1] is not None and math.isfinite(point[1])):
        if is_there:
            yield list(piece)


def wide(what, size):
    """About how wide a text is, in pixels."""
    return len(str(what)) * size.letter * LETTER


def headed(size, title):
    """A plot's title, in as many lines as it takes, and where what is below it begins."""
    lines = textwrap.wrap(title, int((size.width - 8) / (size.letter * (LETTER + 0.04))))
    return [words(2, 12 + number * size.letter * 1.3, line, size, class_="name") for number, line in enumerate(lines)], 22 + (len(lines) - 1) * size.letter * 1.3


def words(x, y, what, size, anchor="start", **more):
    return tag("text", what, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, font_size=size.letter, **more)


def rule(x1, y1, x2, y2, class_):
    return tag("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=class_)


def picture(size, height, title, told, *parts):
    """An SVG with what it shows in words, for who does not see it."""
    number = next(_ids)
    named = [tag("title", title, id=f"t{number}"), tag("desc", told, id=f"d{number}")]
    return tag("svg", *named, *parts, class_=size.name, viewBox=f"0 0 {size.width} {height:.0f}", role="img", aria_labelledby=f"t{number} d{number}")


def lines(title, told, series, unit, x_unit="s", x_name="", log=False, marks=(), errors=(), high=None):
    """Lines over time (or another figure) on a linear axis from 0, or a logarithmic one. `marks` are (x, what): numbered on the plot, told beneath. `errors` are (x, count), on an axis of their own beneath."""
    series = [Line(line.name, thinned(line.points), line.colour) for line in series if any(True for _ in pieces(line.points))]
    if not series:
        return paragraph("There are no figures for this plot.", class_="lacking")
    told = f"{told} {spoken(series, unit)}".strip()
    drawn = [_lines(size, title, told, series, unit, x_unit, x_name, log, marks, errors, high) for size in (WIDE, NARROW)]
    legend = tag("ol", *(tag("li", f"{shown(at, x_unit)}: {what}") for at, what in marks), class_="marks") if marks else None
    figures = {"unit": unit, "xUnit": x_unit, "lines": [[line.name, [[x, y] for x, y in line.points]] for line in series]}
    return tag("figure", *drawn, tag("output", class_="readout"), legend, class_="plot", data_figures=json.dumps(figures, ensure_ascii=True, separators=(",", ":")))


def spoken(series, unit):
    """The lines in words."""
    sentences = []
    for line in series:
        values = [y for _, y in line.points if y is not None and math.isfinite(y)]
        sentences.append(f"{line.name}: {shown(min(values), unit)} to {shown(max(values), unit)}, {shown(values[-1], unit)} in the end.")
    return " ".join(sentences)


def _lines(size, title, told, series, unit, x_unit, x_name, log, marks, errors, high):
    values = [y for line in series for _, y in line.points if y is not None and math.isfinite(y)]
    across = [x for line in series for x, _ in line.points]
    # Marks that are close stand in rows above each other.
    bounds = log_bounds(values) if log else (min(0, *values), high or max(values) * 1.06 or 1)
    ticks = ticks_of(bounds, log, unit, 5)
    left = max(wide(shown(tick, unit), size) for tick in ticks) + 10
    # Names stand in bold.
    right = size.width - 1.15 * max(wide(name, size) for name in [*(line.name for line in series), "errors" if errors else ""]) - 10
    x = Scale(min([*across, *(at for at, _ in marks)]), max([*across, *(at for at, _ in marks)]), left, right)
    levels = staggered([x(at) for at, _ in marks], 2 * size.letter)
    parts, top = headed(size, f"{title}{', logarithmic' if log else ''}")
    head = top + 4 + (max(levels, default=-1) + 1) * (size.letter * 1.9)
    tall = 220 if size is WIDE else 190
    y = Scale(*bounds, head + tall, head, log)
    for tick in ticks:
        parts += [rule(left, y(tick), right, y(tick), "grid"), words(left - 6, y(tick) + 4, shown(tick, unit), size, "end")]
    foot = head + tall
    if errors:
        strip, foot = _errors(size, x, foot + 14, errors)
        parts.append(strip)
    for tick in linear_ticks(x.low, x.high, size.ticks):
        parts += [rule(x(tick), foot, x(tick), foot + 4, "axis"), words(x(tick), foot + size.letter + 7, _bare(tick), size, "middle")]
    parts += [rule(left, foot, right, foot, "axis"), words(right, foot + 2.4 * size.letter + 8, x_name or x_unit, size, "end")]
    for number, ((at, what), level) in enumerate(zip(marks, levels), 1):
        middle = top + size.letter * (0.8 + 1.9 * level)
        dot = tag("circle", tag("title", f"{shown(at, x_unit)}: {what}"), cx=f"{x(at):.1f}", cy=f"{middle:.1f}", r=f"{size.letter * 0.8:.1f}", class_="mark")
        parts += [rule(x(at), middle, x(at), foot, "mark"), dot, words(x(at), middle + size.letter * 0.36, number, size, "middle", class_="mark")]
    ends = []
    for number, line in enumerate(series):
        path = "".join("M" + "L".join(f"{x(at):.1f} {y(value):.1f}" for at, value in piece) + ("h.1" if len(piece) == 1 else "") for piece in pieces(line.points))
        parts.append(tag("path", d=path, class_="line", stroke=f"var(--c{line.colour})", stroke_dasharray=DASHES[number % len(DASHES)]))
        ends.append(y([value for _, value in line.points if value is not None and math.isfinite(value)][-1]))
    for line, at in zip(series, apart(ends, size.letter * 1.25, head + 4, head + tall)):
        parts.append(words(right + 6, at + 4, line.name, size, class_="direct", style=f"fill:var(--c{line.colour})"))
    parts.append(tag("line", x1=0, x2=0, y1=f"{head:.0f}", y2=f"{foot:.0f}", class_="cursor"))
    height = foot + 2.4 * size.letter + 14
    drawn = picture(size, height, title, told, parts)
    return tag("div", drawn, class_=f"drawn {size.name}", data_left=f"{x.start / size.width:.5f}", data_right=f"{x.end / size.width:.5f}", data_low=x.low, data_high=x.high)


def _bare(value):
    return shown(value, "")


def _errors(size, x, top, errors):
    """How many errors each second had, as a strip of bars."""
    most, tall = max(max(count for _, count in errors), 1), 34
    y = Scale(0, most, top + tall, top)
    parts = [words(x.start - 6, top + 9, shown(most, ""), size, "end"), words(x.start - 6, top + tall, "0", size, "end")]
    parts.append(words(x.end + 6, top + tall, "errors", size, class_="direct", style="fill:var(--bad)"))
    broad = max((x.end - x.start) / max(x.high - x.low, 1) * 0.8, 1)
    for at, count in errors:
        if count:
            parts.append(tag("rect", tag("title", f"{shown(count, '')} errors"), x=f"{x(at):.1f}", y=f"{y(count):.1f}", width=f"{broad:.1f}", height=f"{top + tall - y(count):.1f}", class_="bad"))
    parts.append(rule(x.start, top + tall, x.end, top + tall, "grid"))
    return join(parts), top + tall + 6


def staggered(places, gap):
    """A row for each of these places, so that none stands on another of its row."""
    levels, last = [], []
    for place in places:
        level = next((number for number, end in enumerate(last) if place - end >= gap), len(last))
        last[level:level + 1] = [place]
        levels.append(level)
    return levels


def bars(title, told, groups, unit, log=False):
    """Bars that lie: groups of (name, bars). The figure stands behind each."""
    every = [bar for _, of in groups for bar in of]
    if not every:
        return paragraph("There are no figures for this plot.", class_="lacking")
    told = told + " " + " ".join(f"{name} {bar.name}: {shown(bar.value, unit)}." for name, of in groups for bar in of)
    drawn = [tag("div", _bars(size, title, told, groups, unit, log), class_=f"drawn {size.name}") for size in (WIDE, NARROW)]
    targets = any(bar.target is not None for bar in every)
    return tag("figure", *drawn, targets and tag("figcaption", "A dashed tick is the target.") or None, class_="plot")


def _bars(size, title, told, groups, unit, log):
    every = [bar for _, of in groups for bar in of]
    left = min(max(wide(bar.name, size) for bar in every) + 12, size.width * 0.42)
    right = max(wide(shown(bar.value, unit), size) for bar in every) + 14
    reach = [value for bar in every for value in (bar.value, bar.high, bar.target) if value is not None]
    bounds = log_bounds(reach) if log else (0, max(reach) or 1)
    x = Scale(*bounds, left, size.width - right, log)
    parts, top = headed(size, f"{title}{', logarithmic' if log else ''}")
    above, step = top, 24
    for name, of in groups:
        if name:
            parts.append(words(2, top + size.letter + 3, name, size, class_="group"))
            top += size.letter + 10
        for bar in of:
            parts.append(_bar(size, x, top, bar, unit))
            top += step
        top += 6
    ticks = ticks_of(bounds, log, unit, size.ticks)
    last = -math.inf
    for tick in ticks:
        parts.insert(0, rule(x(tick), above, x(tick), top, "grid"))
        label = shown(tick, unit)
        half = wide(label, size) / 2
        if x(tick) - half > last + 6:
            parts.append(words(x(tick), top + size.letter + 4, label, size, "middle"))
            last = x(tick) + half
    return picture(size, top + size.letter + 12, title, told, parts)


def _bar(size, x, top, bar, unit):
    """One of them: its name, the bar, the whisker, and the figure behind whatever reaches furthest."""
    middle, tall = top + 9, 14
    fits = int((x.start - 10) / (size.letter * LETTER))
    name = bar.name if len(bar.name) <= fits else bar.name[: fits - 1] + "…"
    end, furthest = x(bar.value), x(max(value for value in (bar.value, bar.high, bar.target) if value is not None))
    spread = "" if bar.low is None else f" ({shown(bar.low, unit)} – {shown(bar.high, unit)})"
    parts = [
        tag("title", f"{bar.name}: {shown(bar.value, unit)}{spread}" + ("" if bar.target is None else f", target {shown(bar.target, unit)}")),
        words(x.start - 8, middle + 4, name, size, "end"),
        tag("rect", x=f"{x.start:.1f}", y=f"{middle - tall / 2:.1f}", width=f"{max(end - x.start, 1):.1f}", height=tall, rx=2, fill=f"var(--c{bar.colour})", class_="bar"),
    ]
    if bar.low is not None and bar.high is not None:
        low, high = x(bar.low), x(bar.high)
        parts += [rule(low, middle, high, middle, "whisker"), rule(low, middle - 4, low, middle + 4, "whisker"), rule(high, middle - 4, high, middle + 4, "whisker")]
    if bar.target is not None:
        parts.append(rule(x(bar.target), middle - 11, x(bar.target), middle + 11, "target"))
    parts.append(words(furthest + 8, middle + 4, shown(bar.value, unit), size, class_="value"))
    return tag("g", *parts)
