"""What answers are worth: whether they are stale, what memory answers, and how soon others' changes show."""

from .. import plot
from ..figure import slug
from ..markup import details, paragraph, table
from ..number import shown


def stale(parts, chapter):
    """The history checker, races and herds on the platform; staleness and herds of its peers."""
    if check := parts.get("check"):
        chapter.figure("check.violations", "violations that the history checker found", check["violations"], "violations")
        chapter.figure("check.reads", "reads that it checked", check["readsChecked"], "reads")
        chapter.figure("check.fresh", "of them begun within 1 ms of an acknowledgement", check["readsFresh"], "reads")
        bound = 3e6 / max(check["readsChecked"], 1)
        chapter.add(paragraph(
            f"{shown(check['readsChecked'], '')} reads were checked, {shown(check['readsFresh'], '')} of them begun within 1 ms of an acknowledgement, beside {shown(check['writesAcknowledged'], '')} "
            f"writes: {shown(check['violations'], 'violations')}. None in so many bounds their rate at {shown(bound, '')} in a million (95 %)."))
    if race := parts.get("race"):
        chapter.figure("race.faults", f"faults when {race['buyers']} buyers raced for {race['stock']} in stock", race["faults"], "faults")
        statuses = ", ".join(f"{count} × {status}" for status, count in race["statuses"].items())
        chapter.add(paragraph(f"{race['buyers']} buyers, {race['stock']} in stock: {statuses}; {shown(race['faults'], 'faults')} in what buyers read next."))
    if herd := parts.get("herd"):
        rows = []
        for one in herd["herds"]:
            chapter.figure(f"herd.{slug(one['name'])}.queries", f"store queries for {one['readers']} readers of one cold key: {one['name']}", one["queriesTotal"], "queries")
            rows.append([one["name"], one["readers"], one["queriesTotal"], one["queriesMax"]])
        chapter.add(details("Herds on the embedded store", table(["cold key", "readers", "store queries", "one reader alone"], rows)))
    if coherence := parts.get("coherence"):
        compared(coherence, chapter)


def compared(coherence, chapter):
    """The platform and its peers: what their caches get wrong."""
    sides, colours = coherence["sides"], {"platform": 1, "Express": 4, "Fastify": 2, "axum": 3}
    rows = []
    for side in sides:
        name, million = slug(side["by"]), side["stale"] * 1e6 / max(side["reads"], 1)
        chapter.figure(f"coherence.{name}.stale", f"stale reads of {side['by']}, of {side['reads']:,}", side["stale"], "reads")
        for key, counts in side["statements"].items():
            chapter.figure(f"coherence.{name}.{key}", f"statements of {side['by']} for {coherence['readers']} readers of one cold {key}", counts["median"], "statements", counts["min"], counts["max"])
        statements = [f"{shown(counts['median'], '')} ({counts['min']} – {counts['max']})" for counts in side["statements"].values()]
        rows.append([side["by"], *statements, shown(side["reads"], ""), shown(side["writes"], ""), shown(side["stale"], ""), shown(million, ""), shown(side["slowestMs"], "ms") if side["stale"] else "–"])
    herds = [(f"cold {key}", [bar_of(side, side["statements"][key], colours) for side in sides]) for key in sides[0]["statements"]]
    stale_bars = [plot.Bar(side["by"], side["stale"] * 1e6 / max(side["reads"], 1), colour=colours.get(side["by"], 6)) for side in sides]
    chapter.add(
        plot.bars("stale reads in a million", "None is right.", [("", stale_bars)], ""),
        plot.bars(f"statements for {coherence['readers']} readers of one cold key", "One is enough.", herds, "", log=True),
        details("The figures", table(["by", *(f"herd, {key}" for key in sides[0]["statements"]), "reads", "writes", "stale reads", "of a million", "the slowest"], rows, "The platform and its peers on PostgreSQL and Redis")),
    )


def bar_of(side, counts, colours):
    return plot.Bar(side["by"], max(counts["median"], 1), max(counts["min"], 1), max(counts["max"], 1), colours.get(side["by"], 6))


NAMES = {"user": "profiles", "feed": "feeds", "product_list": "product lists and searches", "post_list": "public posts and post searches", "people_list": "people searches",
         "post": "posts", "product": "products", "timeline": "timelines"}
HIT_TARGETS = {"user": 90, "feed": 85, "product_list": 90, "post_list": 80, "people_list": 80}


def hits(parts, chapter):
    """What memory answers, and what that is worth."""
    runs = {run["cache"]: run for run in parts["hits"]["runs"]}
    on, rows, drawn = runs["on"], [], []
    for strategy, counts in sorted(on["strategies"].items(), key=lambda one: one[0] not in HIT_TARGETS):
        lookups = counts["hits"] + counts["misses"]
        rate = counts["hits"] / max(lookups, 1) * 100
        name, target = NAMES.get(strategy, strategy), HIT_TARGETS.get(strategy)
        chapter.figure(f"{slug(strategy)}.rate", f"{name}: answered by memory", rate, "%")
        drawn.append(plot.Bar(name, rate, colour=1, target=target))
        rows.append([name, shown(lookups, ""), shown(rate, "%"), f"≥ {target} %" if target else "–"])
    chapter.add(plot.bars("look-ups that memory answered", "More is better.", [("", drawn)], "%"))
    pairs, told = [], []
    for state, run in runs.items():
        load = run["load"]["total"]
        for name in ("p50Us", "p95Us"):
            if name in load:
                chapter.figure(f"{state}.{name[:3]}", f"{name[:3]} of the mix, cache {state}", load[name], "µs")
        chapter.figure(f"{state}.queries", f"statements a request, cache {state}", run["queriesPerRequest"], "statements")
        told.append([f"cache {state}", shown(load["p50Us"], "µs"), shown(load.get("p95Us"), "µs"), shown(load["p99Us"], "µs"), shown(run["queriesPerRequest"], "")])
        pairs.append(plot.Bar(f"cache {state}", load["p50Us"], colour=1 if state == "on" else 5))
    if "off" in runs:
        before, after = runs["off"]["load"]["total"]["p50Us"], on["load"]["total"]["p50Us"]
        chapter.figure("faster", "how much less time the median request takes with the cache", (1 - after / before) * 100, "%")
        chapter.add(plot.bars("median request of the mix", "Less is better.", [("", pairs)], "µs"))
    chapter.add(
        details("Look-ups by strategy", table(["strategy", "look-ups", "answered by memory", "wished"], rows)),
        details("With the cache and without", table(["", "p50", "p95", "p99", "statements a request"], told)),
    )


def psql(parts, chapter):
    """How soon a row that psql changes shows."""
    found = parts["psql"]
    chapter.spread("single", f"until a row that psql changed shows, {found['changes']} times", found["shownMs"], "ms")
    chapter.figure("single.slowest", "the slowest of them", found["shownMs"]["max"], "ms")
    chapter.figure("all", f"until one statement over all {found['rows']:,} rows shows in the last warm one", found["allShownMs"], "ms")
    chapter.figure("lists", "until lists and words followed, beyond that", found["listsS"], "s")
    rows = [["one row, the median", found["shownMs"]["median"], "ms"], ["one row, the slowest", found["shownMs"]["max"], "ms"], [f"all {found['rows']:,} rows by one statement", found["allShownMs"], "ms"]]
    chapter.add(
        plot.bars("from the end of psql until an answer shows it", "A second is the limit.", [("", [plot.Bar(name, value, colour=1) for name, value, _ in rows])], "ms"),
        details("The figures", table(["change", "shows after"], [[name, shown(value, unit)] for name, value, unit in rows] + [["lists and words, beyond that", shown(found["listsS"], "s")]])),
    )
