"""How many requests a second one platform answers well, found by steps; and what each costs it. Server and driver have a processor each."""

import json
import os
import pathlib
import re
import subprocess
from dataclasses import asdict, dataclass

from servers.process import cpu

# What answering well means.
P99_MS_MAX = 50
SERVER_CORE, DRIVER_CORE = 0, 1
RATE_FIRST, RATE_MAX, RUNS_MAX = 500, 200_000, 20
# The search ends when the last rate that held and the first that did not are so close.
RATIO_FOUND = 1.06
WARMUP_S = 2
# Of one driver beyond this share of its processor it is the driver that is measured.
DRIVER_BUSY = 0.9


@dataclass
class Step:
    """What one rate came to, warm-up left out."""

    ratePerS: float
    answeredPerS: float
    p50Us: int
    p99Us: int
    errors: int
    # CPU of the server and of the driver, as shares of one processor, and the server's for each request that ended.
    serverCpuShare: float
    driverCpuShare: float
    cpuUsPerRequest: float

    @property
    def is_held(self):
        return self.errors == 0 and self.p99Us <= P99_MS_MAX * 1000 and self.answeredPerS >= 0.98 * self.ratePerS

    @property
    def is_drivers(self):
        """The driver was busy, so that the limit may be its own."""
        return self.driverCpuShare > DRIVER_BUSY


@dataclass
class Capacity:
    """The highest rate that held, and what a request costs at half of it and at it."""

    ratePerS: float
    cpuUsAtHalf: float
    cpuUsAtCapacity: float
    # The rate that did not hold was one at which the driver was busy, too: the platform may answer more.
    isDrivers: bool
    steps: list

    def as_json(self):
        return {**asdict(self), "steps": sorted((asdict(step) for step in self.steps), key=lambda step: step["ratePerS"])}


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def settings():
    """What a platform is started with whose capacity is measured: cheap passwords, no limits for a single person, one processor's worth of threads."""
    wished = ["account.argon2_memory_kib=64", "account.hashing_queue_max=4096", "log.filter=warn", "node.worker_threads=1"]
    wished += [f"rate.{kind}_per_s=0" for kind in ("read", "write", "search")] + [f"listen.{name}=off" for name in ("user", "content", "shop", "media")]
    return [word for setting in wished for word in ("--set", setting)]


def populate(tool, base, mix="mixed", people=200, posts=2000, products=500):
    """Makes people and things once, for all steps."""
    command = [tool, "run", mix, "--base", base, "--rate", "50", "--warmup", "0s", "--duration", "1s", "--quiet", "--people", people, "--posts", posts, "--products", products]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode == 2:
        raise RuntimeError(f"the platform cannot be filled: {done.stderr.strip()}")


class Watched:
    """A process whose CPU is read when the driver says that a second is over."""

    def __init__(self, pid):
        self.pid, self.spent = pid, {}

    def at(self, second):
        self.spent.setdefault(second, cpu(self.pid))

    def between(self, first, last):
        return self.spent.get(last, 0.0) - self.spent.get(first, 0.0)


def measured(tool, base, server_pid, rate, seconds, mix="mixed", report=None, more=()):
    """One step: the load at this rate on what is there already."""
    report = pathlib.Path(report)
    command = [tool, "run", mix, "--existing", "--base", base, "--rate", int(rate), "--warmup", f"{WARMUP_S}s", "--duration", f"{seconds}s"]
    command += ["--connections", "128", "--people", "60", "--posts", "1000", "--products", "300", "--threshold", "errors<100.1%", "--json", report, *more]
    driver = subprocess.Popen(pinned(DRIVER_CORE, command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    watched, said = [Watched(server_pid), Watched(driver.pid)], []
    for line in driver.stderr:
        said.append(line)
        if over := re.match(r"\s*(\d+) s\s", line):
            for process in watched:
                process.at(int(over[1]))
    if driver.wait() == 2 or not report.exists():
        raise RuntimeError(f"the driver could not run: {''.join(said[-3:]).strip()}")
    # The driver may end before it tells of its last second.
    last = max(watched[0].spent, default=0)
    if last <= WARMUP_S:
        raise RuntimeError("the driver told of no second after its warm-up: measure for longer")
    return step_of(json.loads(report.read_text()), rate, WARMUP_S, last, watched)


def step_of(found, rate, first, last, watched):
    """What a report says of the seconds from `first` to `last`, and what these processes took meanwhile."""
    total, took = found["total"], last - first
    server, driver = (process.between(first, last) for process in watched)
    ended = sum(second["ended"] for second in found["series"][first:last])
    return Step(ratePerS=rate, answeredPerS=found["rateAnswered"], p50Us=total["p50Us"], p99Us=total["p99Us"], errors=total["arrivals"] - total["answered"],
                serverCpuShare=server / took, driverCpuShare=driver / took, cpuUsPerRequest=server / ended * 1e6 if ended else 0.0)


def search(measure, first=RATE_FIRST, runs_max=RUNS_MAX, tell=lambda step: None):
    """Doubles the rate until it does not hold, then halves what lies between; at last measures half of what was found. `measure(rate)` answers a Step."""
    steps, held, broken = [], 0.0, None

    def tried(rate):
        step = measure(rate)
        # On a machine that others use one bad second is no limit: what breaks twice does.
        if not step.is_held and len(steps) + 2 < runs_max:
            steps.append(step)
            tell(step)
            step = measure(rate)
        steps.append(step)
        tell(step)
        return step.is_held

    rate = first
    while len(steps) < runs_max - 1 and rate <= RATE_MAX and (broken is None or broken > held * RATIO_FOUND):
        if tried(rate):
            held = rate
        else:
            broken = rate
        if not held and broken <= 1:
            break
        rate = round(held * 2 if broken is None else (held + broken) / 2)
    if not held:
        return Capacity(0.0, 0.0, 0.0, False, steps)
    half = measure(round(held / 2))
    tell(half)
    steps.append(half)
    at = next(step for step in reversed(steps) if step.ratePerS == held and step.is_held)
    limit = [step for step in steps if step.ratePerS == broken]
    return Capacity(held, half.cpuUsPerRequest, at.cpuUsPerRequest, any(step.is_drivers for step in limit), steps)


def has_two_processors():
    """One for the server and one for the driver."""
    return {SERVER_CORE, DRIVER_CORE} <= os.sched_getaffinity(0)
