"""A workspace that may not be written can be looked at, and who would write to it is told."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segprep.datasets.errors import WriteFailedError
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.workspace import load_workspace
from segprep.workflows.ledger.table import Table
from support.commands import make_camvid, prep, tree_bytes

# Root may write everywhere, unless it gives this right away; who is not root has none to give.
_AS_OTHERS = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override") if os.geteuid() == 0 else ()
_RUN = """
import sys, json
from segprep.datasets.program.command_line import run_app
from segprep.workflows.cli import app
for command in json.loads(sys.argv[1]):
    code = run_app(app, "prep", command)
    print(f"exit code {code}: {' '.join(command)}", file=sys.stderr, flush=True)
"""


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A workspace with stores in whose folders nothing can be written, and whose files cannot be changed."""
    if _AS_OTHERS and shutil.which(_AS_OTHERS[0]) is None:
        pytest.skip("root may write everywhere, and setpriv, which takes this right from it, is not installed")
    ws = tmp_path / "ws"
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=2, val=2), "-C", ws) == 0
    assert prep("resize", "--factor", "3", "-C", ws) == 0
    assert prep("shard", "-C", ws) == 0
    modes = {path: path.stat().st_mode for path in (ws, *ws.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    yield ws
    for path, mode in modes.items():
        path.chmod(mode)


def _run(*commands: tuple[object, ...]) -> list[str]:
    """Run commands one after the other as a user with no more rights than the files give; return what they told."""

    given = json.dumps([list(map(str, command)) for command in commands])
    done = subprocess.run([*_AS_OTHERS, sys.executable, "-c", _RUN, given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_what_only_reads_works_where_nothing_can_be_written(closed: Path, tmp_path: Path) -> None:
    before = tree_bytes(closed)
    here = ("-C", closed)
    looking = [
        ("status", *here),
        ("show", "*", "--out", tmp_path / "sample.png", *here),
        ("list", tmp_path / "all.jsonl", *here),
        ("check", "--workers", "0", *here),
        ("verify", *here),
        ("stats", *here),
        ("peek", closed / "shards/train.zarr", "0", "--out", tmp_path / "row.png"),
        ("resize", "--dry-run", *here),
        ("shard", "--dry-run", *here),
    ]
    writing: list[tuple[object, ...]] = [("show", "*", *here), ("resize", *here), ("shard", *here), ("rebuild", *here)]
    told = _run(*looking, *writing)
    codes = [line.partition(":")[0] for line in told if line.startswith("exit code")]
    assert codes == [*["exit code 0"] * len(looking), *["exit code 3"] * len(writing)], told
    assert sum("cannot be written (Permission denied)" in line for line in told) == len(writing)
    assert tree_bytes(closed) == before


def test_a_journal_with_rows_is_not_passed_over_where_it_cannot_be_read(closed: Path) -> None:
    closed.chmod(0o755)
    (closed / "ledger.sqlite-wal").write_bytes(b"\1" * 100)
    (closed / "ledger.sqlite-wal").chmod(0o444)
    closed.chmod(0o555)
    told = _run(("status", "-C", closed))
    closed.chmod(0o755)
    (closed / "ledger.sqlite-wal").unlink()
    assert told[-1].startswith("exit code 3"), told
    assert "ledger.sqlite cannot be read" in told[0]


def test_a_lock_whose_holder_cannot_be_noted_is_told_and_given_back(tmp_path: Path) -> None:
    (tmp_path / ".writer.json").mkdir()
    with pytest.raises(WriteFailedError, match=r"\.writer\.json cannot be written"), writer_lock(tmp_path):
        pytest.fail("it went on without")
    (tmp_path / ".writer.json").rmdir()
    with writer_lock(tmp_path):
        assert (tmp_path / ".writer.json").is_file()


def test_a_table_that_is_open_for_reading_cannot_be_changed(tmp_path: Path, camvid: Path) -> None:
    assert prep("init", "camvid", camvid, "-C", tmp_path / "ws") == 0
    with Table(load_workspace(tmp_path / "ws")) as table, pytest.raises(WriteFailedError, match="cannot be written"):
        table.ledger.record_shard("train", 0, "f", {})
