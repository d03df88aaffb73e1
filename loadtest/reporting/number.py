"""Figures in words: three digits that mean something, in the unit that suits them."""

import math

SECONDS = ((1, "s"), (1e-3, "ms"), (1e-6, "µs"))
BYTES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))
# How many of the smallest there are in one.
TIMES = {"µs": 1e-6, "ms": 1e-3, "s": 1}


def rounded(value):
    """Three digits that mean something, and no exponent: what is below a thousandth is nothing."""
    value = 0 if abs(value) < 1e-3 else value
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def scaled(value, *sizes):
    """In the largest size that it reaches; the last one is the smallest."""
    size, name = next((found for found in sizes if abs(value) >= found[0]), sizes[-1])
    return f"{rounded(value / size)} {name}"


def grouped(value):
    """A count with its thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else rounded(value)


def shown(value, unit):
    """A figure with its unit. What is no number is a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit in TIMES:
        return scaled(value * TIMES[unit], *SECONDS) if value else f"0 {unit}"
    if unit == "bytes":
        return scaled(value, *BYTES)
    if unit in ("%", "×"):
        return f"{rounded(value)} {unit}"
    return f"{grouped(value)} {unit}".rstrip()


def counted(count, noun):
    """A count with its noun, which ends in s where it is not one."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def ranged(value, low, high, unit):
    """A median with the least and the greatest, where they are known."""
    if low is None or high is None:
        return shown(value, unit)
    return f"{shown(value, unit)} ({between(low, high, unit)})"


def between(low, high, unit):
    """The least and the greatest, with the unit once where both have the same."""
    one, two = shown(low, unit), shown(high, unit)
    if one == two:
        return one
    return f"{one.split(' ')[0]}–{two}" if one.split(" ")[1:] == two.split(" ")[1:] else f"{one} – {two}"
