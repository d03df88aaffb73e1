"""The statements that a server ran, with their values, as its log has them."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone

EXECUTED = re.compile(r"execute (\S+): (.*)", re.DOTALL)
VALUE = re.compile(r"\$\d+ = (NULL|'(?:[^']|'')*')", re.DOTALL)

# What makes a server log each statement with its values.
SETTINGS = ["logging_collector=on", "log_destination=jsonlog", "log_directory=log", "log_filename=postgres.log", "log_rotation_size=0",
            "log_statement=all", "log_timezone=UTC"]


# What ran before: at the platform's start, to sign in, or by the clock.
BEFORE = "start, sign-in, clock"


@dataclass
class Statement:
    database: str
    sql: str
    # Prepared once, with one plan for all values; a search is planned for its values each time.
    prepared: bool
    route: str
    values: list = field(default_factory=list)

    @property
    def reads(self):
        return self.sql.lstrip().upper().startswith("SELECT") and "refuse(" not in self.sql and "FOR " not in self.sql


def read(log, asked):
    """Each statement with all the values that it was run with, under the first route that made it run."""
    found = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        executed = EXECUTED.match(entry.get("message", ""))
        if executed is None or entry.get("dbname") not in ("users", "content", "shop"):
            continue
        at = datetime.strptime(entry["timestamp"].removesuffix(" UTC"), "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=timezone.utc)
        at_ms = round(at.timestamp() * 1000)
        route = BEFORE if at_ms < asked[0].began else next((one.route for one in asked if one.began <= at_ms <= one.ended), None)
        if route is None:
            continue
        key = (entry["dbname"], executed[2])
        statement = found.setdefault(key, Statement(*key, prepared=executed[1] != "<unnamed>", route=route))
        values = VALUE.findall(entry.get("detail", ""))
        if values not in statement.values:
            statement.values.append(values)
    return list(found.values())
