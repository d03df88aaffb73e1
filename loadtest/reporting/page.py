"""The page: a summary, the main figures, the promises, and a chapter for each section. One file, which loads nothing, and is whole without its script."""

import base64
import hashlib
import pathlib

from . import target
from .markup import Markup, code, details, join, paragraph, raw, tag
from .number import between, ranged, shown

HERE = pathlib.Path(__file__).resolve().parent
# What stands first, where it was measured: by which figure, and what is said of it.
TILES = (
    ("reads.profile-cached.share", "of raw hyper's requests per core, for a cached profile"),
    ("peers.product.fastify.times", "less CPU for a cached product than Fastify with Redis"),
    ("peers.product.express.times", "less CPU than Express with Redis"),
    ("stale.check.violations", "stale reads or lost writes"),
    ("hits.user.rate", "of profile look-ups answered by memory"),
    ("capacity.rate", "of the mixed load on one core"),
    ("nodes.3.cpu", "CPU of all nodes for a read in a cluster of three"),
    ("faults.crash.longest", "the longest wait when a node is killed"),
    ("faults.rolling.longest", "the longest wait while all nodes are restarted"),
    ("images.all-2.times-reference", "the images a second of sharp"),
    ("memory.each", "of memory for each warm profile"),
)
MEASURED = {"%", "×", "µs", "ms", "s", "MB", "bytes", "ms/s", "minutes"}
STATUS = {"ran": None, "failed": "failed", "lacking": "lacking", "unreadable": "unreadable", "absent": "not run"}
CLASS_OF = {target.HELD: "held", target.MISSED: "missed", target.OPEN: "open", target.ELSEWHERE: "open"}


def script():
    """The page's script, guarded so that it is the same text to whoever reads XML."""
    return "/*<![CDATA[*/" + (HERE / "page.js").read_text(encoding="utf-8").rstrip() + "/*]]>*/"


def page(report):
    """The whole of it."""
    text, style = script(), (HERE / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    # Nothing may be loaded, and no script but ours may run, whatever a result says.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    head = tag(
        "head", tag("meta", charset="utf-8"), tag("meta", name="viewport", content="width=device-width, initial-scale=1"), tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="color-scheme", content="light dark"), tag("title", "Let’s Connect: what was measured"), raw("style", style),
    )
    chapters = [chapter(one) for one in report.sections]
    main = tag("main", tiles(report), targets(report), contents(report), chapters)
    body = tag("body", header(report), main, footer(report), script_of(text))
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en", xmlns="http://www.w3.org/1999/xhtml") + "\n"


def script_of(text):
    return Markup(f"<script>{text}</script>")


def known(report, key):
    """What sections say of one thing, each once, without those that say nothing."""
    return list(dict.fromkeys(value for one in report.sections if (value := one.found.get(key))))


def header(report):
    stamps = [one.found["stamp"] for one in report.sections if one.found.get("stamp")]
    dates = sorted(stamp["startedAt"] for stamp in stamps if stamp.get("startedAt"))
    machines = list(dict.fromkeys(stamp["machine"] for stamp in stamps if stamp.get("machine")))
    commits, memory = known(report, "commit"), known(report, "memoryGib")
    day = dates[0][:10] if dates else "no date"
    until = f" to {dates[-1][:10]}" if dates and dates[-1][:10] != day else ""
    held, missed = report.count(target.HELD), report.count(target.MISSED)
    rest = report.count(target.OPEN) + report.count(target.ELSEWHERE)
    where = "; ".join(machines) + (f", {memory[0]:g} GiB of memory" if memory else "")
    several = (paragraph("The sections are of several commits: each says which.", class_="notice") if len(commits) > 1 else None,
               paragraph("The sections are of several machines: figures of one are not to be compared with those of another.", class_="notice") if len(machines) > 1 else None)
    return tag(
        "header", tag("h1", "What was promised, and what was measured"),
        paragraph(f"Of {held + missed} promises that this run measured, {held} held and {missed} {'was' if missed == 1 else 'were'} missed; {rest} more were not measured in it.", class_="lede"),
        paragraph(f"{day}{until}, commit {', '.join(commits) or 'unknown'}, on {where or 'an unknown machine'}.", class_="stamp"),
        brief(report), several, paragraph(CORES, class_="method"),
    )


CORES = (
    "Everything runs on this one machine: the platform, its databases, its peers, and whatever asks them. So ratios between sides that took turns in one run are what to go by, and medians with their least and greatest; an "
    "absolute time says as much about the machine as about the program. What several nodes answer together cannot be shown on two cores: only what each request costs them. Latencies count from when a request was due, so a stall "
    "shows in each request that it delayed."
)


def brief(report):
    """A warning where sections ran in their short form."""
    short = [one.section.name for one in report.sections if one.found.get("short")]
    if not short:
        return None
    which = "All sections" if len(short) == len([one for one in report.sections if one.found]) else f"Some sections ({', '.join(short)})"
    return paragraph(tag("strong", f"{which} ran in their short form. "), "It shows that everything goes, with less data, fewer rounds and less time than a promise asks for. These are no figures to quote.", class_="notice")


def tiles(report):
    by_id = {figure.id: figure for figure in report.figures}
    there = [(by_id[id], what) for id, what in TILES if id in by_id]
    if not there:
        return paragraph("There are no figures yet.", class_="notice")
    return tag("ul", *(tag("li", tag("a", tag("strong", tile(figure)), tag("span", what), href=f"#{figure.id.split('.')[0]}")) for figure, what in there), class_="tiles")


def tile(figure):
    """A figure in few letters."""
    text = shown(figure.value, figure.unit)
    return text.replace(" violations", "").replace("requests/s", "/s")


def targets(report):
    groups = [join(tag("h3", name), tag("ul", heads(), *(promise(report, *one) for one in group), class_="targets")) for name, group in report.targets]
    return tag("section", tag("h2", "Promises"), paragraph("What the project set out to hold, what this run measured, and by which command. Where something fell short, why and what was tried.", class_="method"), *groups, id="promises")


def heads():
    return tag("li", tag("span", "promise", class_="what"), tag("span", "target", class_="limit"), tag("span", "measured", class_="value"), tag("span", "", class_="verdict"), class_="heads", aria_hidden="true")


def promise(report, one, figure, verdict):
    """A row: what, the limit, what was measured, and what became of it."""
    found = next((loaded for loaded in report.sections if loaded.section.name == target.section_of(one)), None)
    # What is counted is said by the promise itself.
    unit = one.unit if one.unit in MEASURED else ""
    limit = "none" if one.sign == "=" and not one.limit else f"{one.sign} {shown(one.limit, unit)}"
    short = found is not None and figure is not None and found.found.get("short")
    value = [shown(figure.value, unit)] if figure else ["–"]
    if figure and figure.low is not None:
        value.append(tag("span", f" {between(figure.low, figure.high, unit)}", class_="range"))
    says = tag("small", tag("b", "Why, and what was tried: " if verdict == target.MISSED else "Known: "), one.note) if one.note and verdict != target.HELD else None
    by = one.command or (found and (commands_for(found, one.figure) or " ".join(f"loadtest/report target/release RESULTS {found.section.name}".split())))
    return tag(
        "li", tag("span", one.what, class_="what"), tag("span", tag("span", "target ", class_="key"), limit, class_="limit"), tag("span", tag("span", "measured ", class_="key"), value, class_="value"),
        tag("span", tag("span", verdict, class_=CLASS_OF[verdict]), " short run" if short else None, class_="verdict"), says, tag("small", code_words(by)) if by else None,
    )


def commands_for(found, figure):
    """The commands of the part that the figure is of, where its id says so; else all."""
    parts = found.found.get("parts", {})
    named = [part for name, part in parts.items() if name == figure.split(".")[1]] or list(parts.values())
    return "; ".join(part["command"].replace("\n", " ") for part in named if part.get("command"))


def code_words(command):
    return tag("code", command)


def contents(report):
    def entry(one):
        status = STATUS.get(one.status, one.status)
        return tag("li", tag("a", one.section.title, href=f"#{one.section.name}"), status and tag("span", f" {status}", class_="aside"))

    return tag("nav", tag("h2", "Chapters", id="chapters"), tag("ol", *(entry(one) for one in report.sections)), aria_labelledby="chapters")


def chapter(one):
    section = one.section
    wrong = paragraph(tag("strong", f"{STATUS.get(one.status, one.status).capitalize()}. "), one.why or "", class_="notice wrong" if one.status in ("failed", "unreadable") else "notice") if one.status != "ran" else None
    parts = one.found.get("parts", {})
    commands = [part["command"] for part in parts.values() if part.get("command")] or [f"loadtest/report target/release RESULTS {section.name}"]
    said = [details(f"What {name} said", code(part["said"].strip()[-3000:])) for name, part in parts.items() if part.get("said") and part.get("result") is None]
    return tag(
        "section", tag("h2", section.title), paragraph(section.question, class_="question"), paragraph(section.method, class_="method"), stamp(one), wrong,
        one.chapter.blocks if one.chapter else None, all_figures(one), details("To repeat it", *(code(command) for command in commands)), said, id=section.name,
    )


def stamp(one):
    """When and how this section ran, and what else the machine did just before."""
    found, said = one.found, []
    when = (found.get("stamp") or {}).get("startedAt")
    if not when:
        return None
    said.append(when.replace("T", " ").replace("Z", " UTC"))
    if found.get("commit"):
        said.append(f"commit {found['commit']}")
    if "short" in found:
        said.append("short form" if found["short"] else "full form")
    if found.get("tookS"):
        said.append(f"took {found['tookS'] / 60:.1f} min" if found["tookS"] >= 90 else f"took {found['tookS']:.0f} s")
    if found.get("busyBefore") is not None:
        said.append(f"before it others kept the machine {found['busyBefore']:.0%} busy (load {found.get('loadBefore', 0):.1f})")
    return paragraph(", ".join(said) + ".", class_="stamp")


def all_figures(one):
    """Every figure of the section by its id, as in the JSON and the CSV."""
    if not one.figures:
        return None
    items = [tag("tr", tag("td", tag("code", figure.id)), tag("td", figure.what), tag("td", ranged(figure.value, figure.low, figure.high, figure.unit), class_="figure")) for figure in one.figures]
    table = tag("table", tag("thead", tag("tr", tag("th", "id", scope="col"), tag("th", "what", scope="col"), tag("th", "figure", scope="col", class_="figure"))), tag("tbody", *items))
    return details(f"All figures: {len(one.figures)}", tag("div", table, class_="scrolls", tabindex="0", role="region", aria_label="All figures"))


def footer(report):
    return tag("footer", paragraph("All figures are in report.json and report.csv beside this page. ", tag("code", "loadtest/report --render RESULTS"), " draws it again; ", tag("code", "loadtest/report --list"), " says what can be run."))
