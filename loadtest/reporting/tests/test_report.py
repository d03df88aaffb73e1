"""The whole report, drawn of a folder of results that was made by hand."""

import csv
import html.parser
import json
import pathlib
import re
import shutil
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

from reporting import document, need, target
from reporting.section import SECTIONS

FIXTURE = pathlib.Path(__file__).resolve().parent.parent / "fixture"
HTML = "{http://www.w3.org/1999/xhtml}"
# What a browser would fetch by itself; a link is only followed by who clicks it.
LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background"}


class Links(html.parser.HTMLParser):
    """Elements as a browser would see them, which is not as XML does."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


class Drawn(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.results = pathlib.Path(folder.name) / "results"
        shutil.copytree(FIXTURE, self.results)

    def drawn(self):
        report = document.Report(self.results)
        report.write()
        return report, (self.results / "report.html").read_text(encoding="utf-8")

    def change(self, name, change):
        path = self.results / f"{name}.json"
        found = json.loads(path.read_text(encoding="utf-8"))
        change(found)
        path.write_text(json.dumps(found), encoding="utf-8")

    def test_every_section_has_its_chapter_and_its_figures(self):
        report, page = self.drawn()
        tree = ElementTree.fromstring(page)
        ids = [one.get("id") for one in tree.iter() if one.get("id")]
        self.assertEqual(len(ids), len(set(ids)), "an id stands twice")
        for one in report.sections:
            self.assertEqual((one.status, one.why), ("ran", None), one.section.name)
            self.assertTrue(one.figures, one.section.name)
            chapter = next(found for found in tree.iter(f"{HTML}section") if found.get("id") == one.section.name)
            self.assertTrue(list(chapter.iter(f"{HTML}svg")) or one.section.name == "bad-day", f"{one.section.name} has no plot")

    def test_each_plot_is_told_in_words(self):
        tree = ElementTree.fromstring(self.drawn()[1])
        for svg in tree.iter(f"{HTML}svg"):
            self.assertTrue(svg.find(f"{HTML}title").text and svg.find(f"{HTML}desc").text)

    def test_the_page_loads_nothing_and_runs_only_its_own_script(self):
        page = self.drawn()[1]
        found = Links(page).found
        for tag, attributes in found:
            self.assertFalse(LOADING & set(attributes), (tag, attributes))
            self.assertFalse([name for name in attributes if name.startswith("on")], (tag, attributes))
            self.assertTrue(attributes.get("href", "#").startswith("#"), (tag, attributes))
        self.assertEqual([tag for tag, _ in found if tag in ("link", "iframe", "img", "object", "embed", "base")], [])
        self.assertEqual(sum(tag == "script" for tag, _ in found), 1)
        self.assertNotRegex(re.sub(r'xmlns="[^"]*"', "", page), r"url\(|@import|https?://(?!127\.0\.0\.1|localhost|rustup\.rs)")
        policy = next(attributes["content"] for tag, attributes in found if attributes.get("http-equiv"))
        self.assertIn("default-src 'none'", policy)

    def test_every_promise_that_names_a_figure_names_one_that_there_is(self):
        report, _ = self.drawn()
        known = {figure.id for figure in report.figures}
        # This one is of a fault that the fixture does not have.
        missing = [one.figure for _, group in target.TARGETS for one in group if one.figure and one.figure not in known | {"faults.hang.broken"}]
        self.assertEqual(missing, [])

    def test_ids_of_figures_and_promises_are_unique(self):
        report, _ = self.drawn()
        for ids in ([figure.id for figure in report.figures], [one.id for _, group in target.TARGETS for one in group]):
            self.assertEqual(len(ids), len(set(ids)))

    def test_a_promise_is_judged_by_its_limit(self):
        self.change("reads", lambda found: found["parts"]["bench"]["result"]["targets"][1]["share"].update(median=0.879))
        report, page = self.drawn()
        verdicts = {one.id: verdict for _, group in report.targets for one, _, verdict in group}
        self.assertEqual(verdicts["reads.profile-cached.share"], target.MISSED)
        self.assertEqual(verdicts["reads.product-cached.share"], target.HELD)
        self.assertEqual([verdicts[id] for id in ("telemetry.cached-profile.cost", "uploads.p99-of-alone", "faults.rolling.broken", "faults.crash.broken")], [target.HELD, target.MISSED, target.MISSED, target.HELD])
        self.assertEqual(report.status(), 1)
        self.assertIn("87.9 %", page)

    def test_what_failed_lacks_or_is_no_result_is_said(self):
        (self.results / "nodes.json").unlink()
        (self.results / "hits.json").write_text("{ this is no JSON")
        self.change("memory", lambda found: found["parts"]["memory"]["result"].pop("rssWarmBytes"))
        self.change("images", lambda found: found.update(status="lacking", why="It needs a toolchain.", parts={}))
        report, page = self.drawn()
        status = {one.section.name: one.status for one in report.sections}
        self.assertEqual([status[name] for name in ("nodes", "hits", "memory", "images", "reads")], ["absent", "unreadable", "unreadable", "lacking", "ran"])
        self.assertEqual(report.status(), 2)
        ElementTree.fromstring(page)
        for said in ("hits.json cannot be read", "rssWarmBytes", "It needs a toolchain."):
            self.assertIn(said, page)

    def test_the_json_of_a_command_may_be_put_there_by_hand(self):
        found = json.loads((self.results / "soak.json").read_text(encoding="utf-8"))
        (self.results / "soak.json").write_text(json.dumps(found["parts"]["soak"]["result"]), encoding="utf-8")
        report, _ = self.drawn()
        self.assertIn("soak.minutes", {figure.id for figure in report.figures})

    def test_a_short_form_is_said_to_be_one(self):
        self.change("reads", lambda found: found.update(short=True))
        self.assertIn("These are no figures to quote.", self.drawn()[1])

    def test_hostile_words_of_results_stay_words(self):
        hostile = "</script><img src=x onerror=alert(1)>]]>"
        self.change("faults", lambda found: found["parts"]["cluster"]["result"]["runs"][0].update(what=hostile, fault=hostile))
        page = self.drawn()[1]
        ElementTree.fromstring(page)
        self.assertNotIn("img", [tag for tag, _ in Links(page).found])

    def test_json_and_csv_have_the_same_figures(self):
        self.change("reads", lambda found: found["parts"]["bench"].update(command="=1+1"))
        report, _ = self.drawn()
        listed = json.loads((self.results / "report.json").read_text(encoding="utf-8"))
        rows = list(csv.DictReader((self.results / "report.csv").read_text(encoding="utf-8").splitlines()))
        self.assertEqual([row["id"] for row in rows], [figure["id"] for figure in listed["figures"]])
        self.assertEqual(len(rows), len(report.figures))
        self.assertEqual(rows[0]["command"], "'=1+1", "a spreadsheet would reckon")


class Table(unittest.TestCase):
    def test_sections_name_what_there_is(self):
        for section in SECTIONS:
            self.assertTrue(set(section.needs) <= set(need.NEEDS), section.name)
            self.assertTrue((FIXTURE / f"{section.name}.json").exists(), section.name)
            for part in section.parts:
                for is_short in (False, True):
                    words = part.command(is_short).split()
                    self.assertEqual("{base}" in words, part.served, part.name)
                    tool = need.ROOT / words[0]
                    self.assertTrue(words[0].startswith("{folder}/") or tool.exists() or tool.name in section.needs, words[0])


if __name__ == "__main__":
    unittest.main()
