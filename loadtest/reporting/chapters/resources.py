"""What the platform takes: images, memory, an hour of load, the rate that it bears, and instructions of the hot path."""

from .. import plot
from ..figure import slug
from ..markup import details, paragraph, table
from ..number import counted, ranged, shown

SIDE_NAMES = {"reference": "sharp, as one writes it first", "tuned": "sharp, tuned by hand", "ours": "platform"}
SHORT_NAMES = {"reference": "sharp", "tuned": "sharp, tuned", "ours": "platform"}
SIDE_COLOURS = {"reference": 4, "tuned": 2, "ours": 1}


def spread_of(spread, unit, scale=1):
    return ranged(spread["median"] * scale, spread["min"] * scale, spread["max"] * scale, unit)


def images(parts, chapter):
    """The image pipeline beside sharp."""
    found = parts["images"]
    rate, memory, rows = [], [], []
    for work in found["work"]:
        what = f"{work['stages']}-{work['workers']}"
        sides = {side["by"]: side for side in work["sides"]}
        rate.append((work["what"], [bar(side, side["imagesPerS"]) for side in work["sides"]]))
        memory.append((work["what"], [plot.Bar(SHORT_NAMES[side["by"]], side["peakBytes"], colour=SIDE_COLOURS[side["by"]]) for side in work["sides"]]))
        ours = sides["ours"]
        chapter.spread(f"{what}.rate", f"{work['what']}: images a second", ours["imagesPerS"], "images/s")
        chapter.spread(f"{what}.cpu", f"{work['what']}: CPU an image", ours["cpuS"], "s")
        for other, ratios in ours["times"].items():
            chapter.spread(f"{what}.times-{other}", f"{work['what']}: of the images a second of {SIDE_NAMES[other]}", ratios["clock"], "×")
            chapter.spread(f"{what}.cpu-times-{other}", f"{work['what']}: of the CPU of {SIDE_NAMES[other]}, the inverse", ratios["cpu"], "×")
        chapter.figure(f"{what}.memory-of-reference", f"{work['what']}: peak memory, of the reference's", ours["peakBytes"] / sides["reference"]["peakBytes"] * 100, "%")
        for side in work["sides"]:
            rows.append([work["what"], SIDE_NAMES[side["by"]], spread_of(side["imagesPerS"], ""), spread_of(side["cpuS"], "s"), shown(side["peakBytes"], "bytes"), shown(side["bytes"] / 1e6, "MB")])
    if found.get("saved"):
        chapter.spread("saved", "bytes saved at full size", found["saved"], "%", 100)
    chapter.add(
        plot.bars("images a second", "More is better.", rate, ""), plot.bars("peak memory of the process", "Less is better.", memory, "bytes"),
        details("The figures", table(["work", "by", "images a second", "CPU an image", "peak memory", "bytes made"], rows, f"{found['images']} images, {found['imageBytes'] / 1e6:.1f} MB; {found['rounds']} rounds", words=2)),
        scores(found.get("scores"), chapter),
    )


def bar(side, spread):
    return plot.Bar(SHORT_NAMES[side["by"]], spread["median"], spread["min"], spread["max"], SIDE_COLOURS[side["by"]])


def scores(found, chapter):
    """SSIMULACRA2 for each variant, where it was measured."""
    if not found:
        return paragraph("The perceptual score (SSIMULACRA2) was left out of this run.", class_="aside")
    variants = list(dict.fromkeys(variant for of in found.values() for variant in of))
    for variant, mean in found["ours"].items():
        chapter.figure(f"score.{slug(variant)}", f"SSIMULACRA2 of {variant}, mean", mean, "points")
        if variant in found["reference"]:
            chapter.figure(f"score.{slug(variant)}.beyond", f"SSIMULACRA2 of {variant}, beyond the reference's", mean - found["reference"][variant], "points")
    groups = [(variant, [plot.Bar(SHORT_NAMES[side], of[variant], colour=SIDE_COLOURS[side]) for side, of in found.items() if variant in of]) for variant in variants]
    rows = [[SIDE_NAMES[side], *(shown(of.get(variant), "") for variant in variants)] for side, of in found.items()]
    return [plot.bars("SSIMULACRA2, mean", "More is better; 100 is the same image.", groups, ""), details("Scores", table(["by", *variants], rows))]


def uploads(parts, chapter):
    """What readers feel of uploads."""
    found = parts["uploads"]
    turns = (("alone", "alone", 1), ("loops", "idle loops", 5), ("uploads", "uploads", 2))
    for name, what, _ in turns:
        chapter.spread(f"{name}.p99", f"p99 of profiles beside {what}" if name != "alone" else "p99 of profiles alone", found[name]["p99Us"], "µs")
    chapter.spread("p99-of-alone", "p99 of profiles beside uploads, of alone", found["p99OfAlone"], "×")
    chapter.spread("p99-of-loops", "p99 of profiles beside uploads, of beside idle loops", found["p99OfLoops"], "×")
    chapter.figure("photos", "photos that were optimised meanwhile, a second", found["photosPerS"], "photos/s")
    bars = [plot.Bar(what, *(found[name]["p99Us"][key] for key in ("median", "min", "max")), colour) for name, what, colour in turns]
    chapter.add(
        plot.bars(f"p99 of {found['ratePerS']} profiles a second", "Less is better.", [("", bars)], "µs"),
        paragraph(f"{found['photos']} photos of {found['photoBytes'] / 1e6:.2f} MB on average were optimised meanwhile, {found['photosPerS']:.1f} a second."),
        details("The figures", table(["beside", "p50", "p99"], [[what, spread_of(found[name]["p50Us"], "µs"), spread_of(found[name]["p99Us"], "µs")] for name, what, _ in turns])),
    )


def memory(parts, chapter):
    """Warm profiles in one process."""
    found = parts["memory"]
    chapter.figure("profiles", "warm profiles", found["profiles"], "profiles")
    chapter.figure("start", "resident at start", found["rssStartBytes"], "bytes")
    chapter.figure("warm", f"resident with {found['profiles']:,} warm profiles", found["rssWarmBytes"], "bytes")
    chapter.figure("each", "each warm profile", found["eachBytes"], "bytes")
    chapter.figure("loads-again", "loads in the second round, in which all must be warm", found["loadsAgain"], "loads")
    # The promise is of a hundred thousand: a smaller run says nothing about it.
    if found["profiles"] >= 100_000:
        chapter.figure("warm-100k", "resident with 100,000 warm profiles or more", found["rssWarmBytes"] / 1e6, "MB")
    bars = [plot.Bar("at start", found["rssStartBytes"], colour=5), plot.Bar("all warm", found["rssWarmBytes"], colour=1), plot.Bar("cache's estimate", found["cacheBytes"], colour=3)]
    chapter.add(
        plot.bars("resident memory", f"One process, {found['profiles']:,} profiles.", [("", bars)], "bytes"),
        details("The figures", table(["figure", "value"], [
            ["profiles", f"{found['profiles']:,}, {found['bodyBytes']:.0f} bytes of JSON each"], ["resident, at start", shown(found["rssStartBytes"], "bytes")],
            ["resident, warm", shown(found["rssWarmBytes"], "bytes")], ["the cache's own estimate", shown(found["cacheBytes"], "bytes")], ["each warm profile", f"{found['eachBytes']:,.0f} bytes"],
        ])),
    )


def soak(parts, chapter):
    """A long time of load: what must be flat."""
    found = parts["soak"]
    samples, lines = found["samples"], found["lines"]
    over = lambda name: [(one["atS"], one.get(name)) for one in samples]  # noqa: E731
    chapter.figure("minutes", "how long it went on", samples[-1]["atS"] / 60 if samples else 0, "minutes")
    chapter.figure("broken", "lines that did not hold", sum(line["held"] is False for line in lines), "lines")
    chapter.figure("judged", "lines that were judged", sum(line["held"] is not None for line in lines), "lines")
    title = f"{samples[-1]['atS'] / 60:.0f} minutes of load." if samples else ""
    if samples:
        chapter.figure("rss", "resident memory in the end", samples[-1]["rssBytes"], "bytes")
    x = {"x_name": "seconds"}
    chapter.add(
        plot.lines("memory", title, [plot.Line("resident", over("rssBytes"), 1), plot.Line("cache", over("cacheBytes"), 3)], "bytes", **x),
        plot.lines("actors that live", title, [plot.Line("actors", over("actors"), 4)], "", **x),
        plot.lines("open descriptors", title, [plot.Line("open", over("descriptors"), 2)], "", **x),
        plot.lines("latency", title, [plot.Line(name, over(key), colour) for name, key, colour in (("p99", "p99Us", 1), ("p50", "p50Us", 3))], "µs", log=True, **x),
        plot.lines("processor time, of one core", title, [plot.Line("CPU", [(at, share and share * 100) for at, share in over("cpuShare")], 1)], "%", **x),
        details(counted(len(lines), "line"), table(["verdict", "what"], [[{True: "held", False: "BROKEN", None: "shown"}[line["held"]], line["what"]] for line in lines], words=2)),
    )


def capacity(parts, chapter):
    """The highest rate that is borne."""
    found = parts["capacity"]
    steps = sorted(found["steps"], key=lambda step: step["ratePerS"])
    chapter.figure("rate", f"highest rate of the mix {found['mix']} on one core with p99 of 50 ms at most and no error", found["ratePerS"], "requests/s")
    chapter.figure("cpu-at-half", "server CPU a request at half of it", found.get("cpuUsAtHalf"), "µs")
    chapter.figure("cpu-at-capacity", "server CPU a request at it", found.get("cpuUsAtCapacity"), "µs")
    marks = [(found["ratePerS"], "the capacity: p99 50 ms at most, no error")]
    latency = [plot.Line(name, [(step["ratePerS"], step[key] or None) for step in steps], colour) for name, key, colour in (("p99", "p99Us", 1), ("p50", "p50Us", 3))]
    rates = [plot.Line("answered", [(step["ratePerS"], step["answeredPerS"]) for step in steps], 1), plot.Line("offered", [(step["ratePerS"], step["ratePerS"]) for step in steps], 5)]
    rows = [[shown(step["ratePerS"], ""), shown(step["answeredPerS"], ""), shown(step["p50Us"], "µs"), shown(step["p99Us"], "µs"), shown(step["errors"], "")] for step in steps]
    chapter.add(
        plot.lines("latency by offered rate", "Where the knee is.", latency, "µs", x_unit="", x_name="requests offered a second", log=True, marks=marks),
        plot.lines("answered by offered rate", "What is answered of what is offered.", rates, "", x_unit="", x_name="requests offered a second"),
        details("The steps", table(["offered a second", "answered a second", "p50", "p99", "errors"], rows)),
    )


def instructions(parts, chapter):
    """Instructions of the hot path beside their budget."""
    paths = parts["instructions"]["paths"]
    shares = []
    for path in paths:
        chapter.figure(f"{slug(path['name'])}.count", f"{path['name']}: instructions", path["instructions"], "instructions")
        if path.get("budget"):
            shares.append(path["instructions"] / path["budget"] * 100)
            chapter.figure(f"{slug(path['name'])}.of-budget", f"{path['name']}: instructions, of the budget", shares[-1], "%")
    if shares:
        chapter.figure("of-budget", "instructions of the path that is furthest beyond its budget, or nearest to it, of that", max(shares), "%")
    rows = [[path["name"], f"{path['instructions']:,}", f"{path['budget']:,}" if path.get("budget") else "–"] for path in paths]
    chapter.add(
        plot.bars("instructions a request", "They do not depend on what else the machine does.", [("", [plot.Bar(path["name"], path["instructions"], colour=1, target=path.get("budget")) for path in paths])], "", log=True),
        details("The figures", table(["path", "instructions", "budget"], rows)),
    )
