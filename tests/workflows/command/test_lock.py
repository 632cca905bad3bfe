"""Commands that write decide by what they read under the lock: nothing comes between a decision and its result."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from segprep.datasets.program import writer_lock as locks
from segprep.datasets.shards import ShardStore
from support.commands import make_camvid, prep

Meanwhile = Callable[[Callable[[], object]], None]


@pytest.fixture
def before_the_lock(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Lets something happen in the moment before the next lock is taken, as another process may."""

    def arrange(happens: Callable[[], object]) -> None:
        waiting = [happens]
        lock = locks.writer_lock

        @contextmanager
        def later(root: Path) -> Iterator[None]:
            if waiting:
                waiting.pop()()
            with lock(root):
                yield

        for module in ("segprep.workflows.ledger.table", "segprep.workflows.samples.initialise"):
            monkeypatch.setattr(f"{module}.writer_lock", later)

    return arrange


def test_a_store_holds_the_cells_that_its_plan_was_made_of(
    ws: Path, camvid: Path, before_the_lock: Meanwhile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "4") == 0
    before_the_lock(lambda: prep("resize", "--labels", "nearest"))
    assert prep("shard") == 0
    provenance = ShardStore.open(ws / "shards/train.zarr").provenance
    assert provenance["commands"]["resize"]["labels"] == "nearest"
    assert prep("resize", "--labels", "vote") == 0
    capsys.readouterr()
    assert prep("shard") == 0
    assert "up to date" not in capsys.readouterr().out


def test_a_stage_goes_by_the_arguments_of_the_last_run_when_it_has_the_lock(
    ws: Path, camvid: Path, before_the_lock: Meanwhile
) -> None:
    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "4") == 0
    before_the_lock(lambda: prep("resize", "--factor", "2"))
    assert prep("resize") == 0
    assert prep("shard") == 0
    assert ShardStore.open(ws / "shards/train.zarr").columns["image"].shape == (18, 24, 3)


def test_init_keeps_what_another_one_said_before_it_had_the_lock(
    ws: Path, camvid: Path, before_the_lock: Meanwhile
) -> None:
    assert prep("init", "camvid", camvid) == 0
    before_the_lock(lambda: prep("init", "camvid", camvid, "--neighbour", "next"))
    assert prep("init", "camvid", camvid) == 0
    assert 'neighbour = "next"' in (ws / "prep.toml").read_text()


def test_two_that_make_one_workspace_do_not_mix(ws: Path, tmp_path: Path, before_the_lock: Meanwhile) -> None:
    first, second = (make_camvid(tmp_path / name, train=2, val=1) for name in ("first", "second"))
    before_the_lock(lambda: prep("init", "camvid", first))
    assert prep("init", "camvid", second) == 5
    assert str(first) in (ws / "prep.toml").read_text()


@pytest.mark.usefixtures("ws")
def test_a_dry_run_needs_no_lock(camvid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> NoReturn:
        pytest.fail("it took the lock")

    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "4") == 0
    monkeypatch.setattr("segprep.workflows.ledger.table.writer_lock", refuse)
    assert prep("resize", "--dry-run") == 0
    assert prep("shard", "--dry-run") == 0
