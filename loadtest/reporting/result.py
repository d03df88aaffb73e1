"""Results as files: the form that the tools in Python share with those in Rust (`loadtest/src/report.rs`)."""

import datetime
import json
import os
import pathlib
import statistics
import sys


def machine():
    """Processor, cores, kernel, in the words of the Rust tools."""
    model = "unknown processor"
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            model = line.split(": ", 1)[1]
            break
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Linux {_read('/proc/sys/kernel/osrelease').strip()}"


def memory_gib():
    """The machine's memory, or None where the system does not say."""
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return round(int(line.split()[1]) / (1 << 20), 1)
    return None


def now():
    """RFC 3339, UTC, whole seconds."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp():
    """Where, when and how a result is made, of a run that begins now."""
    return {"startedAt": now(), "machine": machine(), "command": " ".join(sys.argv)}


def spread(values):
    """Median, least and greatest, as the Rust tools write them."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def write(path, document):
    """Writes a result as JSON, indented, or nothing where no path was asked for. Whoever reads the file meanwhile sees the old one or the new one."""
    if path is None:
        return
    path = pathlib.Path(path)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
