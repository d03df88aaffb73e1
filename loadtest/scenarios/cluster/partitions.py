"""Networks that split, wholly or in part, in one direction or both, and networks that are only bad."""

import os
import subprocess
import time

APART_S, APART_SHORT_S = 20, 10
STORES = ["postgres", "redis"]


def split(stage, senders, to, hurt, **rule):
    """Nothing passes between these for a while; then everything does again."""
    apart = APART_S if stage.options.seconds >= 30 else APART_SHORT_S
    with stage.under_load(apart + 18) as load:
        time.sleep(2)
        since = time.monotonic()
        stage.mark(f"nothing passes {'between' if rule.get('both_ways', True) else 'from'} {', '.join(senders)} {'and' if rule.get('both_ways', True) else 'to'} {', '.join(to)}")
        stage.network.treat(senders, to, **rule)
        try:
            time.sleep(apart)
            wrongly = sorted({exit.name for exit in stage.cluster.deaths(since)})
            stage.show(f"while apart {', '.join(wrongly) or 'nobody'} ended")
        finally:
            done = stage.network.heal()
        stage.show(f"{done['cut']} packets did not pass")
        healed = time.monotonic()
        stage.mark("the network is healed")
        stage.expect_served("it was healed", healed, 5)
        stage.expect_settled("it was healed", healed)
    # A broken link between two living nodes costs the slots of one of them about 9 s of writes (docs/adr/0009).
    stage.judge(load, waits=(1000, 12_000), hurt=hurt, errors=None)
    stage.expect_deaths(since, *hurt)


def full(stage):
    """A node is cut off from all others and from the stores, but not from its clients. Nothing old is shown anywhere; healed within 5 s."""
    victim = stage.victim()
    split(stage, [victim.name], [node.name for node in stage.others(victim)] + STORES, [victim], cut="drop")


def one_way(stage):
    """What a node sends to the other nodes is lost, what they send arrives; everybody reaches the stores. Nothing old is shown; healed within 5 s."""
    victim = stage.victim()
    split(stage, [victim.name], [node.name for node in stage.others(victim)], [victim], both_ways=False, cut="drop")


def partial(stage):
    """Two nodes do not reach each other, while everybody reaches all else. Nothing old is shown; healed within 5 s."""
    pair = stage.chance.sample(stage.cluster.nodes, 2)
    split(stage, [pair[0].name], [pair[1].name], pair, cut="drop")


def reset(stage):
    """Connections between two nodes are reset, and new ones refused, while everybody reaches all else. Nothing old is shown; healed within 5 s."""
    pair = stage.chance.sample(stage.cluster.nodes, 2)
    split(stage, [pair[0].name], [pair[1].name], pair, cut="reset")


def store(stage):
    """A node reaches the other nodes and its clients, but not the stores. Nothing old is shown; healed within 5 s."""
    victim = stage.victim()
    split(stage, [victim.name], STORES, [victim], cut="drop")


def delay(stage):
    """Between nodes everything takes 200 ms more, give or take 100, each way; one packet of twenty is lost; then all processors are busy, too. Nobody is declared dead."""
    names = [node.name for node in stage.cluster.nodes]
    with stage.under_load(stage.options.seconds + 6) as load:
        time.sleep(1)
        since = time.monotonic()
        stage.mark("the network is slow and loses")
        stage.network.treat(names, names, delay_ms=200, jitter_ms=100, loss=0.05)
        burners = []
        try:
            time.sleep(stage.options.seconds / 2)
            stage.mark("all processors are busy")
            burners = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count())]
            time.sleep(stage.options.seconds / 2)
            stage.expect_deaths(since)
        finally:
            for burner in burners:
                burner.kill()
                burner.wait()
            done = stage.network.heal()
        stage.show(f"{done['passed']} packets passed, {done['lost']} were lost")
    stage.judge(load, waits=(None, None), errors=None)
    stage.expect_deaths(since)
