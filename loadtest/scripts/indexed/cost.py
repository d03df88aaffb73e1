"""What a statement costs with its indexes, and without them."""

import json
import statistics
from dataclasses import dataclass

from servers.postgres import Refused

REPEATS = 5
REPEATS_WITHOUT = 3
# Without an index a statement has this long.
TIMEOUT_MS = 20_000
# Sets of values of which the one that finds most is taken.
VALUES_MAX = 5


@dataclass
class Cost:
    """Times are in milliseconds. None: there was nothing to leave out; infinite: not within the time."""
    # All that its plan uses, and those of them that are not primary keys.
    indexes: list
    secondary: list
    rows: int
    with_ms: float
    # Without those that it uses, and how it finds its rows then.
    without_ms: float | None
    instead: list
    # Without any of its tables' indexes but the primary keys.
    keys_only_ms: float | None

    @property
    def ratio(self):
        return None if self.keys_only_ms is None else self.keys_only_ms / self.with_ms


class Database:
    def __init__(self, postgres, name):
        self.postgres, self.name = postgres, name
        sql = """SELECT c.relname, t.relname, i.indisprimary FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid
                 WHERE t.relnamespace = 'public'::regnamespace"""
        listed = [line.split("|") for line in postgres.sql(name, sql).splitlines()]
        self.table = {index: table for index, table, _ in listed}
        self.primary = {index for index, _, primary in listed if primary == "t"}

    def cost(self, statement):
        """Milliseconds are the server's own, of the values that find most rows: medians of some runs with everything in memory."""
        tried = [(self.explain(statement, values), values) for values in statement.values[:VALUES_MAX]]
        (plan, *_), values = max(tried, key=lambda pair: pair[0][0]["Plan"]["Actual Rows"])
        used = sorted({node["Index Name"] for node in nodes(plan["Plan"]) if "Index Name" in node})
        secondary = [index for index in used if index not in self.primary]
        with_ms = median(self.explain(statement, values, runs=REPEATS), statement)
        if not secondary:
            return Cost(used, secondary, plan["Plan"]["Actual Rows"], with_ms, None, [], None)
        tables = {self.table[index] for index in used}
        every = [index for index, table in self.table.items() if table in tables and index not in self.primary]
        (without_ms, instead), (keys_only_ms, _) = (self.without(statement, values, indexes) for indexes in (secondary, every))
        return Cost(used, secondary, plan["Plan"]["Actual Rows"], with_ms, without_ms, instead, keys_only_ms)

    def without(self, statement, values, indexes):
        """Milliseconds without these indexes, and how rows are found then."""
        try:
            plans = self.explain(statement, values, without=indexes, runs=REPEATS_WITHOUT)
        except Refused as failure:
            if "statement timeout" not in str(failure):
                raise
            return float("inf"), []
        return median(plans, statement), sorted({how(node) for node in nodes(plans[0]["Plan"]) if how(node)})

    def explain(self, statement, values, without=(), runs=1):
        """Plans that were carried out. Indexes are left out by calling them invalid in a transaction that is rolled back."""
        names = ", ".join(f"'{index}'::regclass" for index in without)
        mode = "force_generic_plan" if statement.prepared else "force_custom_plan"
        execute = f"EXECUTE measured({', '.join(values)})" if values else "EXECUTE measured"
        lines = ["BEGIN", f"SET LOCAL statement_timeout = {TIMEOUT_MS}", "SET LOCAL jit = off", f"SET LOCAL plan_cache_mode = {mode}"]
        lines += [f"UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ({names})"] if without else []
        lines += [f"PREPARE measured AS {statement.sql}"]
        # The first fills the memory, and is not counted.
        lines += [f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {execute}"] * (runs + (runs > 1))
        printed = self.postgres.sql(self.name, ";\n".join([*lines, "ROLLBACK"]) + ";")
        decoder, at, plans = json.JSONDecoder(), 0, []
        while at < len(printed):
            plan, at = decoder.raw_decode(printed, at)
            plans.append(plan[0])
            at += len(printed[at:]) - len(printed[at:].lstrip())
        return plans[runs > 1:]


def median(plans, statement):
    """A search is planned each time, so its planning counts."""
    return statistics.median(plan["Execution Time"] + (0 if statement.prepared else plan["Planning Time"]) for plan in plans)


def nodes(plan):
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def how(node):
    """How a node finds its rows, if it reads a table."""
    return node.get("Index Name") or (f"all of {node['Relation Name']}" if node["Node Type"].endswith("Seq Scan") else None)
