"""What a HorizontalPodAutoscaler does: Kubernetes' algorithm (autoscaling/v2), as its documentation and its controller have it. Decisions alone: metrics come from whoever asks.

How many a metric alone asks for, and what the way up or down then lets through:

>>> round_up(replicas=2, uses=[91, 91], target=80)
3
>>> round_up(replicas=2, uses=[75, 75], target=70)
2
>>> round_up(replicas=4, uses=[300, 300, None, None], target=70)
9
>>> round_up(replicas=4, uses=[20, 20, 20, None], target=70)
3
>>> up = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}, {"type": "Pods", "value": 2, "periodSeconds": 15}]}
>>> down = {"stabilizationWindowSeconds": 300, "selectPolicy": "Max", "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
>>> spec = {"minReplicas": 2, "maxReplicas": 10, "behavior": {"scaleUp": up, "scaleDown": down}}

A load of ten nodes is there at once, and goes after two minutes:

>>> autoscaler, replicas, said = Autoscaler(spec), 2, []
>>> for now in range(0, 1200, 15):
...     wished = autoscaler.decide(now, replicas, 10 if now < 120 else 2)
...     if wished != replicas:
...         said.append((now, wished))
...     replicas = wished
>>> said
[(0, 4), (15, 8), (30, 10), (405, 9), (465, 8), (525, 7), (585, 6), (645, 5), (705, 4), (765, 3), (825, 2)]

What docs/capacity.md says of 100m and 256Mi: nodes whose memory is at 91 % are never enough.

>>> autoscaler, replicas, said = Autoscaler(spec), 2, []
>>> for now in range(0, 300, 15):
...     replicas = autoscaler.decide(now, replicas, round_up(replicas, [91] * replicas, 80))
...     said.append(replicas)
>>> sorted(set(said))
[3, 4, 5, 6, 7, 8, 10]
"""

import math

# The controller's: how often it looks, and how far from its target a metric may be without being heeded.
SYNC_S, TOLERANCE = 15, 0.1


def round_up(replicas, uses, target):
    """How many replicas a metric asks for. `uses` are what each uses in percent of what it asked for, None where that is not known yet: such a one counts as using
    nothing while more are wanted, and as using all that it asked for while fewer are."""
    known = [use for use in uses if use is not None]
    if not known:
        return replicas
    ratio = sum(known) / len(known) / target
    if len(known) == len(uses):
        return replicas if abs(ratio - 1) <= TOLERANCE else math.ceil(round(ratio * replicas, 6))
    filled = [use if use is not None else (0 if ratio > 1 else 100) for use in uses]
    careful = sum(filled) / len(filled) / target
    # What is not known must not turn the direction.
    if abs(careful - 1) <= TOLERANCE or (ratio > 1) != (careful > 1):
        return replicas
    return math.ceil(round(careful * len(filled), 6))


class Autoscaler:
    """One autoscaler at work: what it recommended and what it changed, as far back as its behaviour asks."""

    def __init__(self, spec):
        self.least, self.most = spec["minReplicas"], spec["maxReplicas"]
        self.up, self.down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
        self.recommended, self.changes = [], []

    def decide(self, now, replicas, wanted):
        """How many replicas there are to be from now on, if metrics ask for so many."""
        self.recommended.append((now, wanted))
        wished = min(self.most, max(self.least, self.stabilised(now, replicas, wanted)))
        if wished > replicas:
            wished = min(wished, self.highest(now, replicas))
        elif wished < replicas:
            wished = max(wished, self.lowest(now, replicas))
        if wished != replicas:
            self.changes.append((now, wished - replicas))
        return wished

    def stabilised(self, now, replicas, wanted):
        """Up at most to the least of what was recommended within the window of the way up, down at least to the most within that of the way down."""
        ups = [one for at, one in self.recommended if at > now - self.up["stabilizationWindowSeconds"]]
        downs = [one for at, one in self.recommended if at > now - self.down["stabilizationWindowSeconds"]]
        return min(max(replicas, min([wanted, *ups])), max([wanted, *downs]))

    def within(self, now, period_s, sign):
        """How many were added (1) or removed (-1) within a period."""
        return sum(abs(change) for at, change in self.changes if now - at < period_s and change * sign > 0)

    def highest(self, now, replicas):
        """What the policies of the way up let through."""
        limits = []
        for policy in self.up["policies"]:
            before = replicas - self.within(now, policy["periodSeconds"], 1)
            limits.append(before + policy["value"] if policy["type"] == "Pods" else math.ceil(before * (1 + policy["value"] / 100)))
        return max(limits)

    def lowest(self, now, replicas):
        """What the policies of the way down let through."""
        limits = []
        for policy in self.down["policies"]:
            before = replicas + self.within(now, policy["periodSeconds"], -1)
            limits.append(before - policy["value"] if policy["type"] == "Pods" else math.floor(before * (1 - policy["value"] / 100)))
        return min(limits)
