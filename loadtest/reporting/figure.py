"""Figures: what a section's results say, one number each, by an id that targets and readers go by."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number. `unit` is µs, ms, s, bytes, %, ×, or a noun of what is counted; `low` and `high` are the least and greatest of its rounds."""

    id: str
    what: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None


def slug(name):
    """A name as part of an id."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


class Chapter:
    """What a section's results come to: figures, and blocks of the page in their order."""

    def __init__(self, section):
        self.section, self.figures, self.blocks = section, [], []

    def figure(self, id, what, value, unit, low=None, high=None):
        """Adds a figure; a value that the results do not have adds none."""
        if value is not None:
            self.figures.append(Figure(f"{self.section}.{id}", what, value, unit, low, high))

    def spread(self, id, what, spread, unit, times=1):
        """Adds a median with its least and greatest, in `times` its unit."""
        if spread is not None:
            self.figure(id, what, spread["median"] * times, unit, spread["min"] * times, spread["max"] * times)

    def add(self, *blocks):
        self.blocks += [block for block in blocks if block is not None]
