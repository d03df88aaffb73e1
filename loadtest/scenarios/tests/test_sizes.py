"""What is found by steps, what is called flat, and how many nodes a load needs."""

import unittest

from scenarios import capacity, flat, sizing


def step(rate, bears):
    """A platform that bears so many a second and is beyond its bound above."""
    good = rate <= bears
    return capacity.Step(ratePerS=rate, answeredPerS=rate if good else bears, p50Us=500, p99Us=2000 if good else 900_000, errors=0 if good else 10, serverCpuShare=min(1, rate / bears),
                         driverCpuShare=0.2, cpuUsPerRequest=1e6 / bears)


class Capacity(unittest.TestCase):
    def test_it_is_found_to_six_percent_in_twenty_runs(self):
        for bears in (700, 7_300, 41_000):
            tried = []
            found = capacity.search(lambda rate: tried.append(rate) or step(rate, bears))
            self.assertLessEqual(found.ratePerS, bears)
            self.assertGreater(found.ratePerS * capacity.RATIO_FOUND ** 2, bears)
            self.assertLessEqual(len(tried), capacity.RUNS_MAX + 1)
            self.assertEqual(tried[-1], round(found.ratePerS / 2))

    def test_one_bad_second_is_no_limit(self):
        tried = []

        def measure(rate):
            tried.append(rate)
            return step(rate, 100 if tried.count(rate) == 1 and rate == 1000 else 6_000)

        self.assertGreater(capacity.search(measure).ratePerS, 5_000)

    def test_where_nothing_holds_nothing_is_found(self):
        self.assertEqual(capacity.search(lambda rate: step(rate, 0.5)).ratePerS, 0)


def samples(memory=lambda at: 100 << 20, p99=lambda at: 2000):
    return [{"atS": at, "rssBytes": memory(at), "descriptors": 140, "actors": 400, "p99Us": p99(at)} for at in range(10, 1200, 10)]


FOUND = {"check": {"readsChecked": 9, "writesAcknowledged": 3, "violations": 0, "passed": True}, "total": {"arrivals": 1000, "answered": 1000}}


def broken(taken, is_long=True):
    return [line["what"].split()[0] for line in flat.judged(taken, FOUND, [], is_long) if line["held"] is False]


class Flat(unittest.TestCase):
    def test_what_fills_in_the_first_third_and_stays_is_flat(self):
        self.assertEqual(broken(samples(memory=lambda at: (60 << 20) + min(at, 390) * 100_000)), [])

    def test_a_leak_is_found_and_so_are_answers_that_become_slower(self):
        self.assertEqual(broken(samples(memory=lambda at: (100 << 20) + at * 20_000)), ["memory"])
        self.assertEqual(broken(samples(p99=lambda at: 1000 + at * 5)), ["p99"])

    def test_a_trial_shows_and_does_not_judge(self):
        self.assertEqual(broken(samples(memory=lambda at: (100 << 20) + at * 20_000), is_long=False), [])

    def test_too_few_samples_are_no_verdict(self):
        self.assertEqual(broken(samples()[:4]), ["there"])


class Sizing(unittest.TestCase):
    def test_a_node_is_busy_to_seventy_percent(self):
        self.assertEqual(sizing.nodes_for(7_000, 100, 1, 0), (1, 100))
        self.assertEqual(sizing.nodes_for(7_001, 100, 1, 0)[0], 2)

    def test_questions_to_other_nodes_cost_more_nodes(self):
        nodes, each = sizing.nodes_for(20_000, 80, 1, 200)
        self.assertLessEqual(20_000 * each / 1e6, 0.7 * nodes)
        self.assertGreater(20_000 * (80 + 200 * (nodes - 2) / (nodes - 1)) / 1e6, 0.7 * (nodes - 1))

    def test_what_no_number_of_nodes_bears_is_said(self):
        self.assertEqual(sizing.nodes_for(10**12, 100, 1, 0), (None, None))


if __name__ == "__main__":
    unittest.main()
