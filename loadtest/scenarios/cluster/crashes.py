"""Nodes that die, and nodes that hang and wake up."""

import time

from servers.process import eventually

# What hung for less is a pause, longer than a lease and than it takes to be declared dead.
HANG_S, HANG_SHORT_S = 30, 8
PEER_GROWTH_MIB = 64


def crash(stage):
    """A node is killed under load, and started again. Its slots are served by others within 5 s; reads wait 1 s at most, writes 5 s; errors are 1 % at most."""
    victim = stage.victim()
    with stage.under_load(max(16, stage.options.seconds)) as load:
        time.sleep(3)
        boot, since = victim.inside()["boot"], time.monotonic()
        stage.mark(f"{victim.name} is killed")
        victim.kill()
        stage.expect_taken_over(boot, since, stage.others(victim), 5)
        stage.expect_settled(f"the kill of {victim.name}", since)
        stage.mark("slots are shared out evenly")
        until = time.monotonic()
    stage.judge(load, hurt=[victim])
    stage.judge_p99(load, since, max(until, since + 12))
    stage.expect_deaths(since, victim)


def hang(stage):
    """A node hangs, and wakes up as one that was declared dead: it shows nothing old, ends within a second, and joins again. Others do not grow meanwhile."""
    seconds = HANG_S if stage.options.seconds >= HANG_S else HANG_SHORT_S
    hung(stage, seconds, load={})


def memory(stage):
    """A node hangs while hundreds of clients write through the others, who need it: what they hold for it stays below 64 MB."""
    hung(stage, max(HANG_SHORT_S, stage.options.seconds), load={"sessions": (200, 300), "pace": (0, 0, 50)}, waits=(None, None))


def hung(stage, seconds, load, waits=(1000, 5000)):
    victim = stage.victim()
    peers = stage.others(victim)
    with stage.under_load(seconds + 18, **load) as measured:
        time.sleep(3)
        boot, since = victim.inside()["boot"], time.monotonic()
        before = {node.name: node.rss_mib() for node in peers}
        largest = dict(before)
        stage.mark(f"{victim.name} hangs")
        victim.hang()
        try:
            stage.expect_taken_over(boot, since, peers, 5)
            while time.monotonic() - since < seconds:
                for node in peers:
                    largest[node.name] = max(largest[node.name], node.rss_mib())
                time.sleep(0.1)
        finally:
            stage.mark(f"{victim.name} goes on")
            victim.go_on()
        woken = time.monotonic()
        took = eventually(lambda: any(exit.name == victim.name for exit in stage.cluster.deaths(woken)), 15, pause_s=0.02)
        stage.expect_within(f"{victim.name} ended {{}} after it woke up", took, 1.5)
        statuses = {exit.status for exit in stage.cluster.deaths(woken) if exit.name == victim.name}
        stage.expect(f"with status 1 ({', '.join(map(str, statuses)) or 'none'})", statuses == {1})
        stage.expect_settled("it woke up", woken)
    growth = max(largest[name] - before[name] for name in before)
    stage.expect(f"the others grew by {growth:.0f} MiB at most (limit {PEER_GROWTH_MIB} MiB)", growth <= PEER_GROWTH_MIB)
    # Those who are connected to a process that hangs wait for their deadlines: as many errors as there are clients of it, each ten seconds.
    stage.judge(measured, waits=waits, hurt=[victim], errors=None)
    stage.expect_deaths(since, victim)
