"""What a platform keeps things in, away, lying, or full."""

import contextlib
import json
import os
import signal
import subprocess
import time

from servers.process import eventually

from .world import World

# Values are put back as they were: what a restart from an old file does, or a replica that was behind.
REMEMBER = "for _, name in ipairs(redis.call('KEYS', 'cache:*')) do redis.call('COPY', name, 'old:' .. name, 'REPLACE') end"
PUT_BACK = "for _, name in ipairs(redis.call('KEYS', 'old:*')) do redis.call('COPY', name, string.sub(name, 5), 'REPLACE') end"
SPOIL = "for _, name in ipairs(redis.call('KEYS', 'cache:*')) do redis.call('SET', name, 'rubbish ' .. name) end"


def redis(trial):
    """Redis is flushed, killed, hung, filled with rubbish and put back to what it was, again and again. 0 5xx; p99 ≤ 3 ×; the platform is not told."""
    seconds = trial.options.seconds
    with World(trial, with_postgres=True, with_redis=True) as world:
        bad_day = {
            "what it holds is remembered": lambda: world.redis.script(REMEMBER),
            "Redis is flushed": lambda: world.redis.command("FLUSHALL"),
            "Redis hangs for 2 s": lambda: (world.redis.hang(), time.sleep(2), world.redis.go_on()),
            "Redis is filled with rubbish": lambda: world.redis.script(SPOIL),
            "Redis is killed, and started empty": lambda: (world.redis.kill(), time.sleep(0.5), world.redis.start()),
            "Redis has what it held before": lambda: world.redis.script(PUT_BACK),
        }
        with world.under_load(max(6, seconds // 3)) as quiet:
            pass
        with world.under_load(seconds) as load:
            until, rounds = time.monotonic() + seconds - 4, 0
            while time.monotonic() < until:
                what = [*bad_day][rounds % len(bad_day)]
                world.mark(what)
                bad_day[what]()
                rounds += 1
                time.sleep(0.3)
        before, after = (one.latency["total"]["p99Us"] for one in (quiet, load))
        refused = load.found["readsRefused"] + load.latency["total"]["arrivals"] - load.latency["total"]["answered"]
        world.expect(f"no request was refused under {rounds} faults ({refused} were)", refused == 0)
        world.judge_latency(f"p99 {before / 1000:.2f} ms without, {after / 1000:.2f} ms with: {after / before:.1f} times (limit 3)", after <= 3 * before)
        world.expect("readiness is healthy again", eventually(lambda: world.ready() == (200, "healthy")) is not None)


def redis_restarts(trial):
    """The process is killed, and finds in Redis what was there some seconds ago. It is warm by what is still so, and shows nothing that is not."""
    seconds = max(trial.options.seconds, 24)
    with World(trial, with_postgres=True, with_redis=True) as world, world.under_load(seconds):
        until = time.monotonic() + seconds - 20
        while time.monotonic() < until:
            # So that something is there: things are kept every 15 s.
            time.sleep(17)
            world.redis.script(REMEMBER)
            time.sleep(1)
            kept = world.metric('redis_writes_total{outcome="kept"}')
            world.expect(f"Redis has something to be wrong about ({kept:.0f} values)", kept > 0)
            world.mark("Redis has what it held a second before")
            world.redis.script(PUT_BACK)
            world.kill()


def postgres(trial):
    """PostgreSQL is restarted, killed, and away for a while. After 3 s public reads are labelled stale, all else is 503 with Retry-After; 3 s after it accepts, all is well."""
    away_s = max(5, trial.options.seconds // 3)
    with World(trial, with_postgres=True) as world, world.under_load(trial.options.seconds + away_s + 10):
        for what, how in (("a restart", signal.SIGINT), ("a crash", signal.SIGQUIT)):
            time.sleep(1)
            world.mark(f"PostgreSQL: {what}")
            world.postgres.stop(how)
            world.postgres.start()
            world.expect_recovery(what)
        time.sleep(1)
        products = json.loads(world.ask("/api/shop/public/products?limit=1")[2])["items"]
        path = f"/api/shop/public/products/{products[0]['id']}"
        world.ask(path)
        world.mark("PostgreSQL is stopped")
        world.postgres.stop(signal.SIGINT)
        began = time.monotonic()
        labelled = eventually(lambda: "cache-status" in world.ask(path)[1], 10, pause_s=0.02)
        world.expect(f"public reads are labelled {labelled or 0:.1f} s after it went (limit 4 s)", labelled is not None and labelled <= 4)
        fresh = world.ask(path, cache_control="no-cache")
        world.expect(f"who insists on the truth is refused ({fresh[0]}), and told when to come again ({fresh[1].get('retry-after')})", fresh[0] == 503 and "retry-after" in fresh[1])
        other = world.ask("/api/shop/public/products?search=never-asked-before")
        world.expect("what is not in memory is refused", other[0] == 503 and "retry-after" in other[1])
        world.expect("readiness stays 200, degraded", eventually(lambda: world.ready() == (200, "degraded"), 10) is not None)
        time.sleep(max(0, away_s - (time.monotonic() - began)))
        world.postgres.start()
        world.mark("PostgreSQL accepts")
        world.expect_recovery(f"{away_s} s away")
        world.expect("answers are not labelled any more", eventually(lambda: "cache-status" not in world.ask(path)[1], 5) is not None)
        world.expect("readiness is healthy again", eventually(lambda: world.ready() == (200, "healthy"), 5) is not None)


def connections(trial):
    """Every connection to PostgreSQL is ended, again and again, at whatever step its commit is."""
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'lets-connect%'"
    with World(trial, with_postgres=True) as world:
        with world.under_load(trial.options.seconds):
            until, ended = time.monotonic() + trial.options.seconds - 4, 0
            world.mark("connections to PostgreSQL are ended, twenty times a second")
            while time.monotonic() < until:
                ended += int(world.postgres.run("psql", *world.postgres.where("postgres"), "-c", end, name="ender").strip())
                time.sleep(0.05)
            world.mark("no more are")
        world.expect(f"{ended} connections were ended; {world.commits('committed'):.0f} commits, {world.commits('unknown'):.0f} of unknown outcome", ended > 20)


def disk(trial):
    """The disk of the embedded store is full for a while. Writes are refused, nothing acknowledged is lost, and it recovers by itself."""
    small = trial.folder / "small"
    small.mkdir()
    if os.geteuid() != 0:
        trial.record.leave_out("a small file system is mounted by root only")
    elif subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", small], capture_output=True).returncode != 0:
        trial.record.leave_out("this system does not let a file system be mounted")
    else:
        try:
            with World(trial, data=small / "data") as world:
                fill(world, small / "filler", trial.options.seconds)
        finally:
            subprocess.run(["umount", "--lazy", small], check=True)


def fill(world, filler, seconds):
    with world.under_load(seconds) as load:
        time.sleep(1)
        world.mark("the disk is full")
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
        refused = eventually(lambda: world.commits("unavailable") > 0, 20, pause_s=0.02)
        world.expect("writes are refused", refused is not None)
        world.expect("readiness stays 200", world.ready()[0] == 200)
        time.sleep(max(1, seconds / 4))
        filler.unlink()
        world.mark("there is room")
        before = world.commits("committed")
        recovered = eventually(lambda: world.commits("committed") > before, 10, pause_s=0.02)
        world.expect(f"recovered {recovered or 0:.1f} s after there was room (limit 5 s)", recovered is not None and recovered <= 5)
    world.expect("no read was refused", load.found["readsRefused"] == 0)
    world.kill()
    world.expect("it starts again", world.ready()[0] == 200)
