"""Where, when and how a result was made, as `loadtest` says it."""

import os
import pathlib
import platform
import sys
import time


def machine():
    """Processor, cores, kernel."""
    processors = pathlib.Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    model = next((line.split(": ", 1)[1] for line in processors if line.startswith("model name") and ": " in line), "unknown processor")
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}"


def stamp():
    """Of a run that begins now: the same keys as those of the Rust tools."""
    return {"startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine(), "command": " ".join(sys.argv)}
