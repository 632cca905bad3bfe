"""The tables of the ledger in each version of their form, and how an old form is read as the present one."""

import sqlite3
from typing import Final

__all__ = ["SCHEMA_VERSION", "make_tables", "read_as_present", "version_of"]

SCHEMA_VERSION: Final = 4
_APPLICATION_ID: Final = int.from_bytes(b"sgpl", "big")
_FIRST = """
CREATE TABLE samples(key TEXT PRIMARY KEY, position INTEGER, split TEXT, record TEXT) WITHOUT ROWID;
CREATE INDEX samples_in_order ON samples(position);
CREATE TABLE sources(path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, digest TEXT) WITHOUT ROWID;
CREATE TABLE columns(name TEXT PRIMARY KEY, spec TEXT, command TEXT, arguments TEXT) WITHOUT ROWID;
CREATE TABLE cells(key TEXT, "column" TEXT, state TEXT, fingerprint TEXT, recipe TEXT, inputs TEXT, files TEXT,
    reason TEXT, facts TEXT, PRIMARY KEY(key, "column")) WITHOUT ROWID;
CREATE TABLE runs(id INTEGER PRIMARY KEY, command TEXT, arguments TEXT, versions TEXT, started TEXT, finished TEXT,
    exit_code INTEGER);
CREATE TABLE shards(split TEXT, place INTEGER, fingerprint TEXT, report TEXT, PRIMARY KEY(split, place)) WITHOUT ROWID
"""
_FIRST_TABLES: Final = frozenset({"samples", "sources", "columns", "cells", "runs", "shards"})
_CHECKED: Final = ("samples", "sources", "columns", "cells")
_SINCE: Final = {
    1: _FIRST,
    2: "CREATE TABLE store_rows(split TEXT, key TEXT, place INTEGER, seed INTEGER, PRIMARY KEY(split, key)) "
    "WITHOUT ROWID",
    3: "CREATE TABLE notices(place INTEGER PRIMARY KEY, about TEXT, subject TEXT, text TEXT)",
    4: ";\n".join(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER" for table in _CHECKED),
}
_READ_AS: Final = {
    2: _SINCE[2].replace("TABLE", "TEMP TABLE"),
    3: _SINCE[3].replace("TABLE", "TEMP TABLE"),
    4: ";\n".join(f"CREATE TEMP VIEW {table} AS SELECT *, NULL AS checksum FROM main.{table}" for table in _CHECKED),
}


def version_of(database: sqlite3.Connection) -> int | None:
    """Return in which version's form the tables are; 0 if they were never finished, None if they are another program's.

    Raises:
        sqlite3.Error: If the file cannot be read.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables or (version == 0 and tables == _FIRST_TABLES):  # versions up to 3 wrote their number afterwards
        return 0
    known = application == _APPLICATION_ID or (version > 0 and tables >= {"samples", "cells", "runs"})
    return int(version) if known else None


def make_tables(database: sqlite3.Connection, version: int) -> None:
    """Bring tables to the present form, inside a transaction of the caller: all of it is written, or nothing.

    Args:
        database: Open for writing.
        version: What `version_of` said.
    """
    begun = database.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
    for since, statements in _SINCE.items():
        if since > max(version, int(begun)):
            for statement in statements.split(";\n"):
                database.execute(statement)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")


def read_as_present(database: sqlite3.Connection, version: int) -> None:
    """Let a connection see tables of an old form in the present one, without writing to the file."""
    database.execute("PRAGMA temp_store = MEMORY")
    for since, statements in _READ_AS.items():
        if since > version:
            for statement in statements.split(";\n"):
                database.execute(statement)
