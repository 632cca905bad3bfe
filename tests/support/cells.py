"""Cells that hold what a test wants: written, and recorded in the ledger as if a stage had written them."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["rewrite_cell"]


def rewrite_cell(path: Path, content: bytes, workspace: Path = Path()) -> None:
    """Write a cell's file; `path` is relative to the workspace."""
    file = workspace / path
    file.write_bytes(content)
    stat = file.stat()
    row = [path.as_posix(), stat.st_size, stat.st_mtime_ns, hashlib.sha256(content).hexdigest()]
    with closing(sqlite3.connect(workspace / "ledger.sqlite")) as ledger, ledger:
        query = 'SELECT key, "column", files FROM cells WHERE files LIKE ?'
        for key, column, text in ledger.execute(query, (f'%"{path.as_posix()}"%',)).fetchall():
            files = json.dumps([row if each[0] == row[0] else each for each in json.loads(text)])
            ledger.execute(
                'UPDATE cells SET files = ?, checksum = NULL WHERE key = ? AND "column" = ?', (files, key, column)
            )
