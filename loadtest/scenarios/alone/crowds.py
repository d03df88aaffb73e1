"""More than the platform can do, for all of it or for one entity."""

import json
import statistics
import time

from ..load import OpenLoop, Told
from .uploads import Watched
from .world import JUDGED_FROM_S, World

# The server has one processor, and whoever floods it another one.
SERVER_CORE, CLIENT_CORE = 0, 1
OVERLOAD, GOODPUT_SHARE, REFUSED_MS, GROWTH_MIB = 5, 0.8, 50, 128
PEOPLE = 100
# Connections with which a server is as busy as it can be: the better of these counts; and those of a crowd.
FEW, CROWD = (32, 64), 6000
# As many as are done in so long a time are in work at once, at least some.
IN_WORK_S, IN_WORK_MIN = 0.01, 16
# As many as wait for one entity; what they may have memory grow by; and how long it takes until all of them are answered.
QUEUED, GROWTH_OF_OTHERS, QUEUE_GROWTH_MIB, SETTLES_S = 10_000, 1.2, 512, 8


def crowd_of(world, count=PEOPLE):
    """Some people with their tokens, each with a word about themselves."""
    return [world.person(f"crowd{number:04}") for number in range(count)]


def change(world, number, person, token):
    return {"method": "PUT", "path": f"/api/user/profile/{person}", "token": token, "body": {"bio": f"change {number} of seed {world.seed}"}}


def work(world, people):
    """Requests that memory alone does not answer: each person changes what they say of themselves, which is a commit."""
    return [change(world, number, *person) for number, person in enumerate(people)]


def overload(trial):
    """Five times of what it can do comes in. Goodput stays at 80 % of the peak; the rest gets 503 with Retry-After within 50 ms of when it was sent; memory is bounded."""
    seconds = max(3, trial.options.seconds // 4)
    with World(trial, core=SERVER_CORE) as world:
        requests = work(world, crowd_of(world))
        peak = peak_of(world, requests, seconds)
        world.show(f"the most that it can do: {peak:.0f} changed profiles a second")
        if world.judges_latency:
            by_default = flooded(world, requests, peak, seconds)
            world.show(f"with its default of requests in work {by_default['goodputPerS'] / peak:.0%} of the peak are answered, and refused is after "
                       f"{by_default['refusedTimes']['p50Us'] / 1000:.0f} ms (median), {by_default['refusedTimes']['p99Us'] / 1000:.0f} ms (p99)")
    # A refusal waits its turn behind what is in work: that is what the setting is for (docs/limits.md).
    in_work = max(IN_WORK_MIN, int(peak * IN_WORK_S))
    with World(trial, core=SERVER_CORE, data=trial.folder / "sized", settings=[f"http.requests_in_flight_max={in_work}"]) as world:
        requests = work(world, crowd_of(world))
        peak = max(peak, peak_of(world, requests, seconds))
        load = OpenLoop(world, 2 * seconds + 4, rate=50, mix="profile")
        load.begin()
        world.record.under(load)
        time.sleep(seconds / 2)
        with Watched(world) as memory:
            world.mark(f"{OVERLOAD * peak:.0f} requests a second are sent")
            found = flooded(world, requests, peak, seconds)
            world.mark("no more are sent")
        load.end()
        world.show(f"{in_work} requests may be in work, which is what it does in {IN_WORK_S * 1000:.0f} ms")
        judge_overload(world, found, peak, memory)
        total = load.latency["total"]
        world.show(f"{total['arrivals']} reads that memory answers, beside them: p99 {total['p99Us'] / 1000:.1f} ms, {total['arrivals'] - total['answered']} not answered")
        status, ready = world.ready()
        world.expect(f"it is ready afterwards ({status}, {ready})", status == 200)
        world.expect_alive()


def peak_of(world, requests, seconds):
    """What it answers of clients who each wait for their answer: as many as keep it busy."""
    found = (world.flood("peak", requests, "--rate", 100_000, "--connections", few, "--duration", f"{seconds}s", core=CLIENT_CORE) for few in FEW)
    return max(one["goodputPerS"] for one in found)


def flooded(world, requests, peak, seconds):
    return world.flood("overload", requests, "--rate", max(1, int(OVERLOAD * peak)), "--connections", CROWD, "--duration", f"{seconds}s", core=CLIENT_CORE)


def judge_overload(world, found, peak, memory):
    goodput, refused = found["goodputPerS"], found["refusedTimes"]
    offered = found["sentPerS"] / peak
    world.expect(f"{found['sentPerS']:.0f} requests a second were sent, {offered:.1f} times the peak; {found['notSent']} more were not, for want of a connection", offered >= OVERLOAD * 0.9)
    world.expect(f"goodput {goodput:.0f} a second, {goodput / peak:.0%} of the peak (limit {GOODPUT_SHARE:.0%})", goodput >= GOODPUT_SHARE * peak)
    world.expect(f"{found['refused']} were refused, {found['refusedWithoutWord']} of them without Retry-After; {found['failed']} failed, {found['unanswered']} were not answered",
                 found["refused"] and not found["refusedWithoutWord"] and not found["failed"] and not found["unanswered"])
    own = found["ownDelay"]["p99Us"] / 1000
    what = f"refused after {refused['p50Us'] / 1000:.1f} ms (median), {refused['p99Us'] / 1000:.1f} ms (p99; limit {REFUSED_MS} ms), {refused['maxUs'] / 1000:.1f} ms at most"
    world.expect(f"{what}; the driver itself was late by {own:.1f} ms (p99), {found['busyShare']:.0%} busy", refused["p99Us"] / 1000 <= REFUSED_MS * world.slack)
    world.show(f"answered after {found['answeredTimes']['p50Us'] / 1000:.0f} ms (median), {found['answeredTimes']['p99Us'] / 1000:.0f} ms (p99)")
    world.expect(f"memory grew by {memory.growth_mib:.0f} MiB at most, from {memory.rest_mib:.0f} MiB (limit {GROWTH_MIB} MiB)", memory.growth_mib <= GROWTH_MIB)


def hot_entity(trial):
    """Ten thousand writes wait for one entity at a time, again and again. Others' p99 grows by 20 % at most; who finds no room in its queue is told when to come again."""
    window_s, rounds = (10, 4) if trial.options.seconds >= JUDGED_FROM_S else (4, 2)
    # What is tried is the queue of an entity, and not the one before it.
    with World(trial, settings=[f"http.requests_in_flight_max={2 * QUEUED}", f"http.connections_max={2 * QUEUED - 1000}"]) as world:
        hot = work(world, crowd_of(world, 1))
        load = OpenLoop(world, rounds * (2 * window_s + SETTLES_S) + 10, rate=world.pace[2])
        load.begin()
        world.record.under(load)
        without, beside, floods = [], [], []
        with Watched(world) as memory:
            for _ in range(rounds):
                time.sleep(2)
                since = time.monotonic()
                time.sleep(window_s)
                without += [(since, time.monotonic())]
                since, found = wave(world, hot, window_s)
                beside += [(since, time.monotonic())]
                floods.append(found)
        load.end()
        judge_hot(world, load, floods, without, beside)
        world.expect(f"memory grew by {memory.growth_mib:.0f} MiB at most, from {memory.rest_mib:.0f} MiB (limit {QUEUE_GROWTH_MIB} MiB)", memory.growth_mib <= QUEUE_GROWTH_MIB)
        answered = sum(found["answered"] for found in floods)
        version = json.loads(world.ask(hot[0]["path"])[2])["version"]
        world.expect(f"of {answered} acknowledged writes each raised its version ({version})", version >= answered)
        world.expect_alive()


def wave(world, requests, seconds):
    """Since when the flood goes on, and what it found when it had ended."""
    written, report = world.folder / "hot.json", world.folder / "hot-result.json"
    written.write_text(json.dumps(requests))
    report.unlink(missing_ok=True)
    how = ["--at-once", QUEUED, "--duration", f"{seconds}s", "--json", report]
    flood = Told(world.clients, [world.binaries / "loadtest", "flood", "--base", world.base, "--requests", written, *how])
    since = flood.wait_for("the flood begins", 60)
    world.mark(f"{QUEUED} writes to one entity at once")
    flood.end()
    world.mark("all of them are answered")
    if not report.exists():
        raise RuntimeError(f"the flood did not come: {flood.last_words()}")
    return since, json.loads(report.read_text())


def judge_hot(world, load, floods, without, beside):
    total = {name: sum(found[name] for found in floods) for name in ("sent", "answered", "refused", "refusedWithoutWord", "failed", "unanswered", "waves")}
    world.expect(f"{total['sent']} writes to one entity, {QUEUED} at a time: {total['answered']} done, {total['refused']} refused, {total['refusedWithoutWord']} of them without "
                 f"Retry-After; {total['failed']} failed, {total['unanswered']} were not answered", total["answered"] and not total["refusedWithoutWord"] and not total["failed"] and not total["unanswered"])
    p99s = [[p99 for since, until in spans for p99 in load.p99_ms(since + 1, until)] for spans in (without, beside)]
    quiet, busy = map(statistics.median, p99s)
    world.judge_latency(f"others' p99 {quiet:.2f} ms without, {busy:.2f} ms beside them: {busy / quiet:.2f} times (limit {GROWTH_OF_OTHERS})", busy / quiet <= GROWTH_OF_OTHERS)
    others = load.latency["total"]
    world.expect(f"of {others['arrivals']} requests of others {others['arrivals'] - others['answered']} were not answered as wished", others["arrivals"] == others["answered"])
