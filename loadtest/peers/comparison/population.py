"""People and products: made by the platform's own bulk load in an embedded store, and moved to PostgreSQL."""

import shutil
import sqlite3
import subprocess
import time
import uuid

from servers.postgres import Postgres

from .side import settings


def prepare(folder, binary, people, *postgres_settings):
    """People and their products: made in an embedded store, moved to Postgres."""
    postgres = Postgres(folder, *postgres_settings)
    for database in ("users", "content", "shop"):
        postgres.sql("postgres", f"CREATE DATABASE {database}")
    print(f"making {people} people and their products", flush=True)
    embedded = folder / "embedded"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([binary, "demo", "--bulk", "--users", str(people), "--data-dir", embedded], **quiet)
    subprocess.run([binary, "migrate", *settings(postgres)], **quiet)
    copy(postgres, embedded / "users.db", "users", ["person", "credential", "relation", "skill"])
    copy(postgres, embedded / "shop.db", "shop", ["product"])
    index(postgres, embedded / "users.db")
    shutil.rmtree(embedded)
    return postgres


def index(postgres, users):
    """What the platform writes with each person and product (store/src/postgres/users/search.rs, shop/search.rs), for all at once."""
    def lexemes(parts):
        words = (f"SELECT '{part}/' || unnest(tsvector_to_array(to_tsvector('simple', coalesce({text}, ''))))" for part, text in parts)
        return f"array_to_tsvector(ARRAY({' UNION '.join(words)}))"

    texts = ("username", "name", "skills", "work", "about", "location")
    postgres.sql("users", f"CREATE TABLE found (person_id uuid, {', '.join(f'{text} text' for text in texts)})")
    copy(postgres, users, "users", ["found"], {"found": "person_search"})
    postgres.sql("users", f"""INSERT INTO person_search (person_id, strength, username, words, location)
        SELECT person_id, 0, username, {lexemes(zip("abcd", texts[1:5]))}, {lexemes([("a", "location")])} FROM found ORDER BY person_id;
        DROP TABLE found; VACUUM ANALYZE""")
    postgres.sql("shop", f"""INSERT INTO product_listing (product_id, category, price_cents, rating_rank, name, words)
        SELECT id, category, price_cents, rating_rank, lower(name), {lexemes(zip("abc", ("name", "category", "description")))} FROM product
        WHERE is_public AND is_active AND NOT deleted ORDER BY id;
        VACUUM ANALYZE""")


def copy(postgres, file, database, tables, sources=None):
    """Moves rows of the embedded store: the columns have the same names, their types follow the target's. `sources` names tables that are called otherwise."""
    source = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    for table in tables:
        listed = postgres.sql(database, f"SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_name = '{table}' AND is_generated = 'NEVER'")
        types = dict(line.split(" ", 1) for line in listed.splitlines())
        named = (sources or {}).get(table, table)
        columns = [row[1] for row in source.execute(f'PRAGMA table_info("{named}")') if row[1] in types]
        rows = source.execute(f'SELECT {", ".join(columns)} FROM "{named}"')
        text = "".join("\t".join(field(value, types[name]) for name, value in zip(columns, row)) + "\n" for row in rows)
        postgres.run("psql", *postgres.where(database), "-c", f'COPY {table} ({", ".join(columns)}) FROM STDIN', text=text)
    postgres.sql(database, "ANALYZE;")


def field(value, kind):
    if value is None:
        return r"\N"
    if kind == "uuid":
        return str(uuid.UUID(bytes=value))
    if kind == "bytea":
        return r"\\x" + value.hex()
    if kind == "boolean":
        return "t" if value else "f"
    if kind.startswith("timestamp"):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(value // 1000)) + f".{value % 1000:03d}Z"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
