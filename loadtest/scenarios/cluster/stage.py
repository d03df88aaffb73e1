"""Where a scenario plays: a cluster under load, what must hold of it, and what did."""

import contextlib
import random
import statistics
import time

from servers.cluster import Cluster
from servers.process import eventually
from servers.network import Network
from servers.place import LOOPBACK

from ..load import PACES, Load
from ..record import Recorded

# Runs as long as this are judged by their 99th percentiles, too: of a few seconds on a machine that others use the slowest answers say little.
JUDGED_FROM_S = 30
# In shorter runs, which other work on the machine may disturb as a whole, limits of time are this much wider: what never comes back is still found.
SHORT_SLACK = 3
# The limits that a crash or a hang must keep to (the rest has limits of its own).
READ_WAIT_MS, WRITE_WAIT_MS, ERROR_SHARE = 1000, 5000, 0.01


class Stage(Recorded):
    """A cluster on loopback or in namespaces, used by one run after another as long as nothing broke."""

    def __init__(self, folder, options, in_namespaces):
        self.binaries, self.options, self.seed = options.folder.resolve(), options, options.seed
        names = [f"node-{number}" for number in range(1, options.nodes + 1)]
        self.network = Network([*names, "postgres", "redis", "clients"], self.seed) if in_namespaces else None
        self.clients = self.network["clients"] if self.network else LOOPBACK
        self.cluster = Cluster(folder, self.binaries / "lets-connect", options.nodes, self.network, options.settings)
        self.record, self.violations, self.chance = None, 0, random.Random(self.seed)
        self.nodes, self.folder, self.pace = self.cluster.nodes, folder, PACES["network" if in_namespaces else "loopback"]
        self.slack = 1 if options.seconds >= JUDGED_FROM_S else SHORT_SLACK

    def prepare(self, record):
        """For a run: everything is as it should be, or it says so."""
        self.record, self.seed, self.chance, self.violations = record, record.seed, random.Random(record.seed), 0
        took = self.cluster.wait_settled(60)
        return self.expect(f"all slots are owned and settled ({shown(took)})", took is not None)

    def victim(self):
        return self.chance.choice(self.cluster.nodes)

    def others(self, *hurt):
        return [node for node in self.cluster.nodes if node not in hurt]

    @contextlib.contextmanager
    def under_load(self, seconds, **how):
        """The load goes on for at least as long as the block; what it found is read at its end."""
        load = Load(self, seconds, **how).begin()
        self.record.under(load)
        # What is cold is not what is judged.
        time.sleep(2)
        try:
            yield load
        finally:
            load.end()

    def judge(self, load, waits=(READ_WAIT_MS, WRITE_WAIT_MS), hurt=(), errors=ERROR_SHARE):
        """What the load was served: no violation at any edge, and waits at those that were not hurt. A limit of None is shown, and not judged."""
        found = load.found
        self.violations += found["violations"]
        self.show(f"{found['readsChecked']} reads, {found['readsFresh']} of them within 1 ms of an acknowledgement, {found['readsLabelledStale']} labelled as stale, "
              f"{found['readsRefused']} refused, {found['readsUnanswered']} unanswered; {found['writesAcknowledged']} writes, {found['writesUnknown']} of unknown "
              f"outcome; {found['notConnected']} not sent")
        self.expect(f"no read misses an acknowledged write ({found['violations']} violations, {found['answersUnusable']} answers unusable)",
                    found["violations"] == 0 and found["answersUnusable"] == 0)
        for example in [*found["examples"][:5], *filter(None, [found["unusableFirst"]])]:
            self.show(str(example))
        edges = {node.base for node in self.others(*hurt)}
        for access, limit in zip(("read", "write"), waits):
            longest = load.longest_ms(access, edges)
            self.show_or_expect(f"the longest wait for a {access} was {longest:.0f} ms", limit, longest)
        self.show_or_expect(f"errors in the worst ten seconds were {found['errorShareMax']:.2%}", errors, found["errorShareMax"], shown=errors and f"{errors:.0%}")
        self.expect("there was something to judge", found["readsChecked"] > 500 and found["writesAcknowledged"] > 50)

    def show_or_expect(self, what, limit, measured, shown=None):
        """Judges what was measured; without a limit it is only shown."""
        if limit is None:
            self.show(what)
        else:
            self.expect(f"{what} (limit {shown or limit})", measured <= limit * self.slack)

    def expect_within(self, what, took, limit_s):
        """Judges how long something took; None is never. `what` has a place for it."""
        self.expect(f"{what.format(shown(took))} (limit {limit_s} s)", took is not None and took <= limit_s * self.slack)

    def judge_p99(self, load, fault_at, until):
        """From five seconds after the fault on, the slowest answers take at most twice as long as before."""
        before, after = load.p99_ms(0, fault_at), load.p99_ms(fault_at + 6, until)
        if before and after:
            quiet, then = statistics.median(before), statistics.median(after)
            what = f"p99 {quiet:.1f} ms before, {then:.1f} ms from five seconds after"
            self.show_or_expect(what, 2 if self.options.seconds >= JUDGED_FROM_S else None, then / quiet)

    def expect_deaths(self, since, *victims):
        """Nobody ended by itself but these."""
        died = sorted({exit.name for exit in self.cluster.deaths(since)} - {node.name for node in victims})
        self.expect(f"nobody else died ({', '.join(died) or 'nobody did'})", not died)

    def expect_taken_over(self, boot, since, among, limit_s):
        """Another node owns each slot of this boot within so many seconds."""
        took = eventually(lambda: self.cluster.unserved(among, without=boot) == 0, 30)
        took = took and time.monotonic() - since
        self.expect_within("all slots were owned by others {} after the fault", took, limit_s)

    def expect_served(self, what, since, limit_s):
        """Every node is ready, and all of them know of the same members, one of whom owns each slot."""
        took = eventually(self.cluster.is_served, 40)
        took = took and time.monotonic() - since
        self.expect_within(f"all nodes were ready and all slots served {{}} after {what}", took, limit_s)

    def expect_settled(self, what, since, limit_s=20):
        """Slots are where they are wished."""
        took = self.cluster.wait_settled(40)
        took = took and time.monotonic() - since
        self.expect_within(f"slots were shared out evenly {{}} after {what}", took, limit_s)

    def close(self):
        self.cluster.stop()
        if self.network:
            self.network.stop()


def shown(took):
    return "never" if took is None else f"{took:.2f} s" if took < 1 else f"{took:.1f} s"
