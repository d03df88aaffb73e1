"""What the README says was measured is in the report that is kept beside it."""

import json
import pathlib
import re
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[3]
REPORT = ROOT / "docs/report"
HTML = "{http://www.w3.org/1999/xhtml}"
NUMBER = re.compile(r"(\d+(?:,\d{3})*(?:\.\d+)?)(?: ?(%|(?:µs|ms|s|MB|MiB)\b))?")
# Figures are in the units of the tools; people read milliseconds, seconds and megabytes.
SCALES = (1, 1e3, 1e6)


def rows(readme):
    """What, the figures as they are written, and the section of the report, of each row of the README's table."""
    table = readme.split("| section of the report |", 1)[1].split("\n\n", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return [tuple(row) for row in cells]


def numbers(text):
    """Each number without its commas, and its unit, if it has one."""
    return [(number.replace(",", ""), unit) for number, unit in NUMBER.findall(text)]


def untold(said, figures, text):
    """The numbers in `said` that are neither among these figures, rounded as they are written, nor in the text with the same unit."""
    words = set(numbers(text))

    def told(number, unit):
        decimals = len(number.partition(".")[2])
        return (number, unit) in words or any(round(abs(figure) / scale, decimals) == float(number) for figure in figures for scale in SCALES)

    return [number for number, unit in numbers(said) if not told(number, unit)]


def figures_of(report, section):
    kept = [figure for figure in report["figures"] if figure["section"] == section]
    values = [figure[key] for figure in kept for key in ("value", "min", "max") if isinstance(figure[key], (int, float))]
    limits = [float(limit) for figure in kept for limit, _ in numbers(str(figure["target"] or ""))]
    return values + limits


class Readme(unittest.TestCase):
    def setUp(self):
        self.readme = (ROOT / "README.md").read_text()
        self.report = json.loads((REPORT / "report.json").read_text())
        page = ElementTree.fromstring((REPORT / "report.html").read_text().partition("<!DOCTYPE html>")[2])
        self.chapters = {one.get("id"): " ".join(one.itertext()) for one in page.iter(f"{HTML}section")}

    def test_each_figure_is_in_the_section_that_it_names(self):
        found = rows(self.readme)
        self.assertGreaterEqual(len(found), 5)
        for what, said, section in found:
            with self.subTest(what):
                self.assertTrue(numbers(said), "no figure")
                self.assertEqual(untold(said, figures_of(self.report, section), self.chapters[section]), [], f"not in the report's section {section}")

    def test_it_names_the_day_of_the_report(self):
        day = re.search(r"Measured on (\d{4}-\d{2}-\d{2})", self.readme).group(1)
        self.assertEqual(day, self.report["stamp"]["startedAt"][:10])

    def test_a_figure_that_nobody_measured_is_found(self):
        self.assertEqual(untold("91.4 % (84.6–93.3), 20,000 of 271 MB", [90.795, 84.58, 93.34, 271_228_928], "20,000 requests"), ["91.4"])


if __name__ == "__main__":
    unittest.main()
