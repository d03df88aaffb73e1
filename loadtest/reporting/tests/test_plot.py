"""Scales, ticks, labels and figures in words."""

import math
import unittest
import xml.etree.ElementTree as ElementTree

from reporting import number, plot
from reporting.markup import tag, text

HOSTILE = "</svg><script>alert(1)</script> & \"quoted\" 'too' \x00\x1b[31m \ud800"


class Scales(unittest.TestCase):
    def test_a_scale_runs_from_its_start_to_its_end(self):
        down = plot.Scale(0, 10, 200, 0)
        self.assertEqual([down(0), down(5), down(10)], [200, 100, 0])

    def test_what_is_beyond_stands_at_the_end(self):
        self.assertEqual([plot.Scale(0, 10, 0, 100)(value) for value in (-5, 50)], [0, 100])

    def test_decades_are_as_far_apart(self):
        scale = plot.Scale(1, 1000, 0, 300, log=True)
        self.assertEqual([round(scale(value)) for value in (1, 10, 100, 1000)], [0, 100, 200, 300])

    def test_a_logarithm_of_nothing_is_refused(self):
        with self.assertRaises(ValueError):
            plot.Scale(0, 10, 0, 1, log=True)

    def test_one_figure_alone_has_a_scale(self):
        self.assertTrue(math.isfinite(plot.Scale(5, 5, 0, 100)(5)))


class Ticks(unittest.TestCase):
    def test_linear_ticks_are_round_and_within(self):
        self.assertEqual(plot.linear_ticks(0, 97, 5), [0, 20, 40, 60, 80])
        self.assertEqual(plot.linear_ticks(0, 0.3, 3), [0, 0.1, 0.2, 0.3])
        self.assertEqual(plot.linear_ticks(-3, 3, 3), [-2, 0, 2])

    def test_there_are_never_more_steps_than_asked_for(self):
        for high in (0.001, 0.7, 1, 3, 9.99, 12, 1234, 5e8):
            for most in (1, 4, 9):
                self.assertLessEqual(len(plot.linear_ticks(0, high, most)), most + 1)

    def test_logarithmic_ticks_are_powers_of_ten_or_more_where_there_are_too_few(self):
        self.assertEqual(plot.log_ticks(1, 1000), [1, 10, 100, 1000])
        self.assertEqual(plot.log_ticks(2, 9), [2, 5])

    def test_bytes_have_ticks_at_whole_mebibytes(self):
        self.assertEqual(plot.byte_ticks(0, 4 << 20, 4), [number << 20 for number in (0, 1, 2, 3, 4)])

    def test_bounds_contain_what_they_are_of(self):
        for values in ([3, 40], [1, 1], [0, 7], [0.02, 5000]):
            low, high = plot.log_bounds(values)
            self.assertTrue(low <= min(value for value in values if value) and max(values) <= high and high >= 10 * low, values)
        self.assertEqual(plot.log_bounds([0]), (1, 10))


class Labels(unittest.TestCase):
    def test_labels_keep_their_order_and_their_distance(self):
        placed = plot.apart([50, 51, 52], 10, 0, 100)
        self.assertEqual(sorted(placed), placed)
        self.assertTrue(all(after - before >= 10 for before, after in zip(placed, placed[1:])))

    def test_labels_stay_above_the_bottom(self):
        self.assertLessEqual(max(plot.apart([98, 99, 100], 10, 0, 100)), 100)

    def test_marks_that_are_close_stand_above_each_other(self):
        self.assertEqual(plot.staggered([0, 5, 30, 31, 32], 20), [0, 1, 0, 1, 2])


class Points(unittest.TestCase):
    def test_thinning_keeps_the_peak(self):
        points = [(x, 1) for x in range(10_000)]
        points[4321] = (4321, 99)
        thin = plot.thinned(points, 100)
        self.assertLessEqual(len(thin), 100)
        self.assertIn((4321, 99), thin)

    def test_a_gap_is_a_gap(self):
        self.assertEqual(list(plot.pieces([(0, 1), (1, None), (2, 3)])), [[(0, 1)], [(2, 3)]])

    def test_no_figures_are_said_to_be_none(self):
        self.assertIn("no figures", plot.lines("a", "b", [plot.Line("x", [(0, None)])], "ms"))
        self.assertIn("no figures", plot.bars("a", "b", [], "ms"))


class Pictures(unittest.TestCase):
    def test_hostile_names_stay_text(self):
        drawn = plot.lines(HOSTILE, HOSTILE, [plot.Line(HOSTILE, [(0, 1), (1, 2)])], "ms", marks=[(0.5, HOSTILE)], errors=[(1, 3)]) + plot.bars(HOSTILE, HOSTILE, [(HOSTILE, [plot.Bar(HOSTILE, 1, 0.5, 2, target=3)])], "ms")
        tree = ElementTree.fromstring(f"<p>{drawn}</p>")
        self.assertFalse([one for one in tree.iter() if one.tag.endswith("script")])
        self.assertIn("alert(1)", "".join(tree.itertext()))

    def test_a_name_of_an_attribute_does_not_leave_it(self):
        self.assertEqual(ElementTree.fromstring(tag("a", "x", href='" onclick="y')).attrib, {"href": '" onclick="y'})

    def test_what_xml_cannot_carry_is_replaced(self):
        self.assertEqual(text("a\x00b"), "a\ufffdb")

    def test_the_whisker_and_the_target_are_drawn_where_they_are(self):
        drawn = ElementTree.fromstring(plot.bars("title", "", [("", [plot.Bar("a", 50, 40, 60, target=100)])], "%"))
        lines = [one for one in next(drawn.iter("svg")).iter("line")]
        whisker, target = ([one for one in lines if one.get("class") == name] for name in ("whisker", "target"))
        self.assertEqual(len(whisker), 3)
        zero, hundred = 20, float(target[0].get("x1"))
        self.assertTrue(zero < float(whisker[0].get("x1")) < float(whisker[0].get("x2")) < hundred)


class Words(unittest.TestCase):
    def test_figures_have_three_digits_and_their_unit(self):
        shown = [number.shown(*of) for of in ((8.61, "µs"), (1500, "µs"), (2_000_000, "µs"), (0.5, "s"), (90.84, "%"), (1_000_000, ""), (3 << 20, "bytes"), (14.62, "×"), (None, "ms"), (math.nan, "ms"))]
        self.assertEqual(shown, ["8.61 µs", "1.5 ms", "2 s", "500 ms", "90.8 %", "1,000,000", "3 MiB", "14.6 ×", "–", "–"])

    def test_a_range_says_its_unit_once(self):
        self.assertEqual(number.between(7.9, 8.4, "µs"), "7.9–8.4 µs")
        self.assertEqual(number.between(900, 1100, "µs"), "900 µs – 1.1 ms")


if __name__ == "__main__":
    unittest.main()
