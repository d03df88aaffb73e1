"""A thousand readers ask for one cold key at the same moment: how many statements does PostgreSQL run for that?"""

import os
import signal
import sys
import time

from reporting import result

from .http import Connection

READERS = 1000
# Read before, so that the server has run its paths often.
WARM = 300
# Longer than from one of the platform's looks by the clock to the next.
QUIET_S = 8
# What a look at the store, a deadline or a reply that is still on its way can take.
SETTLE_S = 0.3


class Statements:
    """Counts what PostgreSQL runs, without what runs by the clock: all that ran while nobody asked for anything."""

    def __init__(self, postgres):
        self.postgres = postgres
        before = self.calls()
        time.sleep(QUIET_S)
        after = self.calls()
        self.by_the_clock = {statement for statement in after if after[statement] != before.get(statement)}

    def calls(self):
        sql = """SELECT dbid, queryid, calls FROM pg_stat_statements
                 WHERE dbid IN (SELECT oid FROM pg_database WHERE datname IN ('users', 'content', 'shop'))"""
        rows = (line.split("|") for line in self.postgres.sql("postgres", sql).splitlines())
        return {(database, statement): int(calls) for database, statement, calls in rows}

    def total(self):
        """Statements so far; waits until none is added any more."""
        last = None
        while (now := sum(calls for statement, calls in self.calls().items() if statement not in self.by_the_clock)) != last:
            last = now
            time.sleep(SETTLE_S)
        return now


def measure(statements, redis, of, pid, what, herds):
    """Statements for each of some herds on different keys."""
    database, table, condition = {"product": ("shop", "product", "is_public AND is_active AND NOT deleted"), "profile": ("users", "person", "is_active")}[what]
    ids = statements.postgres.sql(database, f"SELECT id FROM {table} WHERE {condition} ORDER BY md5(id::text) LIMIT {WARM + herds}").split()
    prefix = getattr(of, what)
    reader = Connection(of.port)
    for id in ids[herds:]:
        reader.ask("GET", prefix + id)
    reader.close()
    counts = []
    for id in ids[:herds]:
        # The platform has no key of these in memory: its process has never read them.
        redis.command("FLUSHALL")
        counts.append(release(of, pid, prefix + id, statements))
    return result.spread(counts)


def shown(counts):
    return f"{counts['median']:.0f} ({counts['min']}–{counts['max']})"


def release(of, pid, path, statements):
    """Statements of one herd. The server is stopped while the requests are sent, so that it finds all of them at once."""
    connections = [Connection(of.port) for _ in range(READERS)]
    for connection in connections:
        # Whoever was answered was accepted.
        connection.ask("GET", "/health")
    before = statements.total()
    os.kill(pid, signal.SIGSTOP)
    try:
        for connection in connections:
            connection.send("GET", path)
    finally:
        os.kill(pid, signal.SIGCONT)
    bodies = set()
    for connection in connections:
        status, body = connection.receive()
        if status != 200:
            sys.exit(f"{of.name} answered {status} to one of a herd: {body[:200]!r}")
        bodies.add(body)
        connection.close()
    if len(bodies) != 1:
        sys.exit(f"{of.name} gave a herd {len(bodies)} different bodies")
    return statements.total() - before
