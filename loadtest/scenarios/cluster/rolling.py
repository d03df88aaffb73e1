"""What operators do: restarts of all nodes one after the other, as for an update, under load."""

import time

from servers.process import eventually

# Reads and writes of the history checker each second, and requests of the load beside it.
PACE = (300, 40, 300)
# Between two restarts, as a StatefulSet's `minReadySeconds` has it.
PAUSE_S = 8
# How long one node may take until it is back with its share, and about how long all of three take.
RESTART_MAX_S, ONE_ROUND_S = 40, 40
STALL_MAX_MS, P99_FACTOR, STORE_READS_FACTOR = 1000, 3, 2


def rolling(stage):
    """Every node is asked to stop, and started again, one after the other, under load. No request fails, none waits for more than a second, and the store is hardly asked more."""
    cluster = stage.cluster
    seconds, took = max(ONE_ROUND_S, stage.options.seconds), []
    # As long as what it is compared with: feeds fill while it goes on, and the store is asked more.
    with stage.under_load(seconds, pace=PACE, mix="mixed") as quiet:
        before = cluster.store_reads()
    asked_quiet = cluster.store_reads() - before
    with stage.under_load(seconds, pace=PACE, mix="mixed") as load:
        before, since = cluster.store_reads(), time.monotonic()
        while len(took) < len(cluster.nodes) or time.monotonic() - since < seconds - ONE_ROUND_S / len(cluster.nodes):
            took.append(restarted(stage, cluster.nodes[len(took) % len(cluster.nodes)]))
            if took[-1] is None:
                break
            time.sleep(PAUSE_S)
    asked = cluster.store_reads() - before
    done = [one for one in took if one]
    stage.expect(f"{len(done)} restarts, each done after {min(done, default=0):.1f} to {max(done, default=0):.1f} s", len(done) == len(took))
    for what, figures in (("undisturbed", quiet), ("meanwhile", load)):
        total = figures.latency["total"]
        wrong = {how: total[how] for how in ("refused", "failed", "unanswered", "dropped") if total[how]}
        stage.expect(f"{what} {total['arrivals']} requests, of which failed: {wrong or 'none'}", not wrong)
    still, moved = quiet.latency["total"], load.latency["total"]
    longest = moved["maxUs"] / 1000
    stage.show_or_expect(f"the longest wait was {longest:.0f} ms (undisturbed {still['maxUs'] / 1000:.0f})", STALL_MAX_MS, longest)
    ratio = moved["p99Us"] / still["p99Us"]
    stage.show_or_expect(f"p99 {still['p99Us'] / 1000:.1f} ms undisturbed, {moved['p99Us'] / 1000:.1f} ms meanwhile: {ratio:.1f} times", P99_FACTOR, ratio)
    # What makes the population is in both: it is done before the first request is due.
    each = asked_quiet.total() / still["arrivals"], asked.total() / moved["arrivals"]
    ratio = each[1] / each[0]
    stage.show_or_expect(f"the store was asked {each[0]:.2f} times a request undisturbed, {each[1]:.2f} meanwhile: {ratio:.2f} times", STORE_READS_FACTOR, ratio)
    for statement, calls in asked.most_common(4):
        stage.show(f"{calls:6} × {' '.join(statement.split())[:120]}")
    stage.judge(load, waits=(None, None), errors=None)
    stage.expect_deaths(since)


def upgrade(stage):
    """Every node is replaced by one of another release under load, one after the other, and then back. No request fails, and no read misses an acknowledged write, whatever speaks with whatever."""
    cluster, other = stage.cluster, stage.options.other and stage.options.other.resolve() / "lets-connect"
    if other is None:
        stage.record.leave_out("there is no other release (--other FOLDER)")
        return
    took, ways = [], [(node, binary) for binary in (other, cluster.binary) for node in cluster.nodes]
    with stage.under_load(len(ways) * 10, pace=PACE, mix="mixed") as load:
        since = time.monotonic()
        for node, node.binary in ways:
            took.append(restarted(stage, node))
            wires = {link["wire"] for one in cluster.nodes if (said := one.inside()) for member in said["members"] if (link := member["link"])}
            stage.show(f"{node.name} is {node.binary}; frames of version {', '.join(map(str, sorted(wires)))} are spoken")
    stage.expect(f"{len(took)} were replaced under load", all(took))
    total = load.latency["total"]
    wrong = {how: total[how] for how in ("refused", "failed", "unanswered", "dropped") if total[how]}
    stage.expect(f"{total['arrivals']} requests, of which failed: {wrong or 'none'}", not wrong)
    stage.judge(load, waits=(None, None), errors=None)
    stage.expect_deaths(since)


def restarted(stage, node):
    """How long it took until it was back with its share, or None."""
    began, old = time.monotonic(), node.process
    stage.mark(f"{node.name} is asked to stop")
    node.terminate(restart_after_s=0.2)
    gone = eventually(lambda: old.poll() is not None, RESTART_MAX_S)
    back = gone is not None and stage.cluster.wait_settled(RESTART_MAX_S)
    stage.expect(f"{node.name} left with status {old.poll()} after {gone or 0:.1f} s, and was back {back or 0:.1f} s later", back and old.poll() == 0)
    if back:
        stage.mark(f"{node.name} is back")
    return time.monotonic() - began if back else None
