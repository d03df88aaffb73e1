"""The report: results as they lie in a folder, read into figures and promises, and written as a page, as JSON and as CSV."""

import csv
import dataclasses
import io
import json

from . import page, result, target
from .figure import Chapter
from .section import SECTIONS

# A result is some hundred kilobytes; whatever is larger is none.
BYTES_MAX = 64 << 20


@dataclasses.dataclass
class Loaded:
    """A section with what its file says. `status` is ran, failed, lacking, unreadable or absent."""

    section: object
    status: str
    why: str | None = None
    found: dict = dataclasses.field(default_factory=dict)
    chapter: Chapter | None = None

    @property
    def figures(self):
        return self.chapter.figures if self.chapter else []

    @property
    def commands(self):
        """As one types them, as far as they are known."""
        return [part["command"] for part in self.found.get("parts", {}).values() if part.get("command")]


def read(results, section):
    """A section's file, whoever wrote it: a run of the report, or the section's command by hand."""
    path = results / f"{section.name}.json"
    if not path.exists():
        return Loaded(section, "absent", "It was not run.")
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ValueError(f"it has more than {BYTES_MAX >> 20} MiB")
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as fault:
        return Loaded(section, "unreadable", f"{path.name} cannot be read: {fault}")
    if "parts" not in found:
        stamp = found.get("stamp") or {}
        part = {"command": stamp.get("command"), "result": found, "why": None}
        found = {"section": section.name, "status": "ran", "stamp": stamp, "commit": found.get("commit"), "parts": {section.parts[0].name: part}}
    return Loaded(section, found.get("status", "ran"), found.get("why"), found)


def loaded(results, section):
    """A section with its chapter, as far as there are results for one."""
    one = read(results, section)
    parts = {name: part["result"] for name, part in one.found.get("parts", {}).items() if part.get("result") is not None}
    if parts:
        chapter = Chapter(section.name)
        try:
            section.draw(parts, chapter)
            one.chapter = chapter
        # A result of another release may lack what this one draws: that is the section's fault, not the report's.
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as fault:
            one.status, one.why = "unreadable", f"Its results are not in the form that this report draws ({type(fault).__name__}: {fault})."
    return one


def is_there(results, name):
    """Whether a section ran to its end before."""
    section = next(one for one in SECTIONS if one.name == name)
    return read(results, section).status == "ran"


class Report:
    """Everything that a folder of results says."""

    def __init__(self, results):
        self.results = results
        self.sections = [loaded(results, section) for section in SECTIONS]
        self.figures = [figure for one in self.sections for figure in one.figures]
        self.targets = target.judged(self.figures)

    def count(self, verdict):
        return sum(judged == verdict for _, group in self.targets for _, _, judged in group)

    def summary(self):
        ran = sum(one.status == "ran" for one in self.sections)
        return f"{ran} of {len(self.sections)} sections; of {self.count(target.HELD) + self.count(target.MISSED)} promises that were measured {self.count(target.HELD)} held, {self.count(target.MISSED)} were missed"

    def status(self):
        """As all tools here: 0 all held, 1 something did not, 2 something could not be had."""
        if any(one.status in ("failed", "unreadable") for one in self.sections) or not self.figures:
            return 2
        return 1 if self.count(target.MISSED) else 0

    def rows(self):
        """Every figure with all that belongs to it, as one flat row."""
        promises = {}
        for _, group in self.targets:
            for promise, figure, verdict in group:
                if figure is not None:
                    promises.setdefault(figure.id, (promise, verdict))
        for one in self.sections:
            for figure in one.figures:
                promise, verdict = promises.get(figure.id, (None, None))
                yield {
                    "id": figure.id, "section": one.section.name, "what": figure.what, "value": figure.value, "unit": figure.unit, "min": figure.low, "max": figure.high,
                    "target": promise and f"{promise.sign} {promise.limit}", "held": None if verdict is None else verdict == target.HELD,
                    "command": "; ".join(one.commands).replace("\n", " ") or None, "commit": one.found.get("commit"), "date": (one.found.get("stamp") or {}).get("startedAt"), "short": one.found.get("short"),
                }

    def as_json(self):
        targets = [
            {"id": promise.id, "group": group, "what": promise.what, "sign": promise.sign, "limit": promise.limit, "unit": promise.unit, "figure": promise.figure or None,
             "value": figure and figure.value, "verdict": verdict, "command": promise.command or None, "note": promise.note or None}
            for group, of in self.targets for promise, figure, verdict in of
        ]
        sections = [{"name": one.section.name, "status": one.status, "why": one.why, "commands": one.commands} for one in self.sections]
        return {"stamp": result.stamp(), "figures": list(self.rows()), "targets": targets, "sections": sections}

    def as_csv(self):
        """The figures as a table. What a spreadsheet would take for a formula is told as text."""
        rows, out = list(self.rows()), io.StringIO()
        if rows:
            writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({name: f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value for name, value in row.items()})
        return out.getvalue()

    def write(self):
        result.write(self.results / "report.json", self.as_json())
        (self.results / "report.csv").write_text(self.as_csv(), encoding="utf-8")
        (self.results / "report.html").write_text(page.page(self), encoding="utf-8")
