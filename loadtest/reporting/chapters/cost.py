"""What requests cost: the platform beside raw hyper, beside itself with everything on, beside peers, and in clusters."""

from .. import plot
from ..figure import slug
from ..markup import details, paragraph, table
from ..number import counted, ranged, shown

# What each side has in every plot.
COLOUR_OF = {"platform": 1, "axum": 3, "Fastify": 2, "Express": 4, "Fastify + pg": 2, "ILIKE": 2}
READ_TARGETS = {"profile-cached": 88, "product-cached": 88, "feed-page-hydrated": 60}


def us(spread):
    return ranged(spread["median"], spread["min"], spread["max"], "µs")


def times(spread):
    return ranged(spread["median"], spread["min"], spread["max"], "×")


def percent(spread):
    return ranged(spread["median"] * 100, spread["min"] * 100, spread["max"] * 100, "%")


def reads(parts, chapter):
    """Server CPU per request beside raw hyper."""
    bench = parts["bench"]
    by_name = {row["name"]: row for row in bench["targets"]}
    rows, groups, shares = [], [], []
    for name, row in by_name.items():
        if not row.get("share"):
            continue
        floor, id = by_name.get(row["comparedTo"], {}), slug(name)
        chapter.spread(f"{id}.share", f"{name}: requests per core, of raw hyper's", row["share"], "%", 100)
        chapter.spread(f"{id}.cpu", f"{name}: server CPU a request", row["serverCpuUs"], "µs")
        shares.append(bar_of(name, row["share"], 1, 100, READ_TARGETS.get(id)))
        groups.append((name, [bar_of("platform", row["serverCpuUs"], 1)] + ([bar_of("raw hyper", floor["serverCpuUs"], 5)] if floor else [])))
        queries = row.get("storeQueries")
        rows.append([name, shown(row["bodyBytes"], "bytes"), us(row["serverCpuUs"]), us(floor["serverCpuUs"]) if floor else "–", percent(row["share"]), "–" if queries is None else shown(queries, "")])
    chapter.add(
        plot.bars("requests per core, % of raw hyper's", "Of 100 requests that raw hyper answers in a second of CPU, the platform answers so many.", [("", shares)], "%"),
        plot.bars("server CPU a request", "Less is better.", groups, "µs"),
        details("The figures", table(["read", "body", "platform, CPU a request", "raw hyper", "of hyper's", "store queries"], rows, "Medians (least – greatest) of the rounds")),
        disturbed(bench),
    )


def bar_of(name, spread, colour, scale=1, target=None):
    return plot.Bar(name, spread["median"] * scale, spread["min"] * scale, spread["max"] * scale, colour, target)


def disturbed(bench):
    """What others did to the machine meanwhile, where the tool counted it."""
    count = bench.get("slicesDisturbed")
    return None if count is None else paragraph(f"Other processes disturbed {shown(count, '')} slices of this run; disturbed slices are measured again, four times at most.", class_="aside")


def telemetry(parts, chapter):
    """Everything on beside nothing on."""
    bench = parts["bench"]
    by_name = {row["name"]: row for row in bench["targets"]}
    groups, rows = [], []
    for name, on in by_name.items():
        if not name.endswith(", on") or not on.get("share"):
            continue
        what = name.removesuffix(", on")
        off = by_name[f"{what}, off"]
        # The share is of requests per core: what it costs more is its inverse.
        low, median, high = (100 / on["share"][name] - 100 for name in ("max", "median", "min"))
        chapter.figure(f"{slug(what)}.cost", f"{what}: what telemetry adds to the server's CPU", median, "%", low, high)
        groups.append((what, [bar_of("off", off["serverCpuUs"], 5), bar_of("on", on["serverCpuUs"], 1)]))
        rows.append([what, us(off["serverCpuUs"]), us(on["serverCpuUs"]), ranged(median, low, high, "%")])
    chapter.add(
        plot.bars("server CPU a request", "With traces of one request in a hundred and a scrape each 15 seconds, and without.", groups, "µs"),
        details("The figures", table(["read", "off", "on", "on costs more by"], rows, "Medians (least – greatest) of the rounds")),
        disturbed(bench),
    )


def misses(parts, chapter):
    """Reads that memory cannot answer, beside a careful peer that asks PostgreSQL."""
    bench = parts["misses"]["bench"]
    by_name = {row["name"]: row for row in bench["targets"]}
    groups, rows = [], []
    for name, row in by_name.items():
        if not name.startswith("platform: "):
            continue
        what, peer = name.removeprefix("platform: "), by_name[row["comparedTo"]]
        read = what.split(",")[0]
        chapter.spread(f"{slug(read)}.times", f"{read} from PostgreSQL: requests per core, of the peer's", row["share"], "%", 100)
        groups.append((read, [bar_of("platform", row["serverCpuUs"], 1), bar_of("Fastify + pg", peer["serverCpuUs"], 2)]))
        rows.append([read, us(peer["serverCpuUs"]), us(row["serverCpuUs"]), percent(row["share"])])
    chapter.add(
        plot.bars("server CPU a request, without the database's", "Less is better.", groups, "µs"),
        details("The figures", table(["read", "Fastify + pg", "platform", "requests per core, of the peer's"], rows, "Medians (least – greatest) of the rounds")),
        disturbed(bench),
    )


def search(parts, chapter):
    """Searches beside scans."""
    found = parts["search"]["figures"]
    by = {(row["search"], row["by"]): row for row in found}
    for kind in dict.fromkeys(row["search"] for row in found):
        ours, scan = by[kind, "platform"], by[kind, "ILIKE"]
        for name in ("p50Ms", "p99Ms", "cpuMs"):
            what = {"p50Ms": "p50", "p99Ms": "p99", "cpuMs": "CPU of server and database"}[name]
            chapter.figure(f"{kind}.{slug(what)}", f"search in {kind}: {what}", ours[name], "ms")
        chapter.figure(f"{kind}.p99-of-scan", f"search in {kind}: how many times the platform's p99 the scan's is", scan["p99Ms"] / ours["p99Ms"], "×")
    groups = [(kind, [plot.Bar(f"{row['by']}, {what}", row[key], colour=COLOUR_OF[row["by"]]) for what, key in (("p50", "p50Ms"), ("p99", "p99Ms")) for row in found if row["search"] == kind])
              for kind in dict.fromkeys(row["search"] for row in found)]
    rows = [[row["search"], row["by"], shown(row["p50Ms"], "ms"), shown(row["p99Ms"], "ms"), shown(row["cpuMs"], "ms"), shown(row["rows"], "")] for row in found]
    chapter.add(
        plot.bars("time of a search", "Less is better.", groups, "ms"),
        details("The figures", table(["search in", "by", "p50", "p99", "CPU a search", "rows"], rows, f"{parts['search']['searches']} searches of each kind", words=2)),
    )


def peers(parts, chapter):
    """Cached reads beside cache-aside with Redis."""
    reads_of = parts["cached"]["reads"]
    groups, per_core, rows = [], [], []
    for read in dict.fromkeys(row["read"] for row in reads_of):
        mine = [row for row in reads_of if row["read"] == read]
        groups.append((read, [bar_of(row["by"], row["cpuUs"], COLOUR_OF.get(row["by"], 6)) for row in mine]))
        per_core.append((read, [per_core_of(row) for row in mine]))
        for row in mine:
            id = f"{slug(read)}.{slug(row['by'])}"
            chapter.spread(f"{id}.cpu", f"{read}, {row['by']}: server CPU a request", row["cpuUs"], "µs")
            chapter.spread(f"{id}.times", f"{read}: how many times the platform's CPU {row['by']} takes", row.get("times"), "×")
            ratio, wished = (times(row["times"]), f"≥ {row['wished']} ×") if row.get("times") else ("–", "–")
            rows.append([read, row["by"], us(row["cpuUs"]), shown(1e6 / row["cpuUs"]["median"], ""), ratio, wished])
    chapter.add(
        plot.bars("requests for each second of CPU of one core", "More is better.", per_core, ""),
        plot.bars("server CPU a request", "Less is better. The CPU of Redis, which the peers cause, is not in it.", groups, "µs"),
        details("The figures", table(["read", "by", "CPU a request", "requests per core and second", "of the platform's CPU", "wished"], rows, "Medians (least – greatest) of the rounds", words=2)),
        disturbed(parts["cached"]),
    )


def per_core_of(row):
    """The CPU's inverse, whose least is the CPU's greatest."""
    cpu = row["cpuUs"]
    return plot.Bar(row["by"], 1e6 / cpu["median"], 1e6 / cpu["max"], 1e6 / cpu["min"], COLOUR_OF.get(row["by"], 6))


def nodes(parts, chapter):
    """A request in clusters of several sizes."""
    found = parts["nodes"]["nodes"]
    hops = {row["nodes"]: row["hopUs"] for row in found if row["hopUs"] is not None}
    for row in found:
        chapter.spread(f"{row['nodes']}.cpu", f"CPU of all nodes a request, {counted(row['nodes'], 'node')}", row["cpuUs"], "µs")
    if len(hops) > 1:
        least = min(hops)
        chapter.figure("hop-growth", f"what the question to another node costs with {max(hops)} nodes, of what it costs with {least}", hops[max(hops)] / hops[least], "×")
    lines = [plot.Line("all nodes", [(row["nodes"], row["cpuUs"]["median"]) for row in found], 1)]
    if hops:
        lines.append(plot.Line("question", sorted(hops.items()), 2))
    chapter.add(
        plot.bars("CPU of all nodes together, a request", "Profiles, read at random nodes.", [("", [bar_of(counted(row["nodes"], "node"), row["cpuUs"], 1) for row in found])], "µs"),
        plot.lines("by the number of nodes", "Beyond the question to another node a request must not cost more.", lines, "µs", x_unit="", x_name="nodes") if len(found) > 2 else None,
        details("The figures", table(
            ["nodes", "CPU a request", "answered by another node", "what that costs", "without any request, a second"],
            [[row["nodes"], us(row["cpuUs"]), shown(row["elsewhere"] * 100, "%"), shown(row["hopUs"], "µs"), shown(row["idleMsPerS"], "ms")] for row in found], "Medians (least – greatest) of the rounds")),
    )


def celebrity(parts, chapter):
    """One profile that everybody reads."""
    found = parts["celebrity"]
    chapter.spread("own.cpu", "a read at its owner's edge: CPU", found["ownUs"], "µs")
    chapter.spread("lent.cpu", "a read at an edge that it is lent to: CPU", found["lentUs"], "µs")
    chapter.spread("lent.share", "reads per second of CPU at an edge that it is lent to, of its owner's", found["share"], "%", 100)
    few, many = found["owner"]
    chapter.figure("owner.growth", f"what the owner's process takes more at {many['ratePerS']} reads a second elsewhere than at {few['ratePerS']}", many["msPerS"]["median"] - few["msPerS"]["median"], "ms/s")
    owner = [bar_of(f"{row['ratePerS']} reads/s", clipped(row["msPerS"]), 3) for row in found["owner"]]
    chapter.add(
        plot.bars("CPU a read, by edge", "Less is better.", [("", [bar_of("its owner's", found["ownUs"], 1), bar_of("lent to", found["lentUs"], 2)])], "µs"),
        plot.bars("the owner's process, while five others are read from", "CPU for each second, beyond what it takes without requests.", [("", owner)], "ms"),
        paragraph(f"An edge that the profile is lent to answers {percent(found['share'])} of the reads that its owner's edge answers, for each second of CPU."),
        details("The figures", table(["what", "median (least – greatest)"], [
            ["a read at its owner's edge", us(found["ownUs"])], ["a read at an edge that it is lent to", us(found["lentUs"])],
            *([f"the owner's process at {row['ratePerS']} reads a second elsewhere, a second", ranged(row["msPerS"]["median"], row["msPerS"]["min"], row["msPerS"]["max"], "ms")] for row in found["owner"]),
        ])),
    )


def clipped(spread):
    """What is below what is measured is drawn as nothing."""
    return {name: max(value, 0) for name, value in spread.items()}
