"""A ledger that is missing, empty or damaged is told with the remedy, and `prep rebuild` keeps what is whole of it."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from segprep.datasets.shards import ShardStore
from segprep.datasets.standing import store_notices
from segprep.datasets.workspace import load_workspace
from support.commands import make_camvid, prep, start_prep, tree_bytes
from support.gate import Gate

COMMANDS = (("status",), ("resize",), ("shard",), ("verify",), ("check",), ("show", "*"), ("list", "all.jsonl"))


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small workspace with resized columns and stores."""
    place = tmp_path_factory.mktemp("lost_ledger")
    here = ("-C", place / "made")
    assert prep("init", "camvid", make_camvid(place / "camvid", train=3, val=2), *here) == 0
    assert prep("resize", "--factor", "3", "--labels", "nearest", *here) == 0
    assert prep("shard", *here) == 0
    return place / "made"


@pytest.fixture
def ready(ws: Path, made_once: Path) -> Path:
    """A copy of it, in which the test stands."""
    shutil.copytree(made_once, ws, dirs_exist_ok=True)
    return ws


def _change(*statements: str) -> int:
    with closing(sqlite3.connect("ledger.sqlite")) as ledger, ledger:
        return sum(ledger.execute(statement).rowcount for statement in statements)


def _rebuilt(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert prep("rebuild", "--json", *arguments) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def _made_by_resize(capsys: pytest.CaptureFixture[str]) -> int:
    capsys.readouterr()
    assert prep("resize", "--json") == 0
    made: int = json.loads(capsys.readouterr().out)["made"]
    return made


# -- told ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("state", ["missing", "empty", "without samples", "no database"])
def test_no_command_takes_a_lost_ledger_for_an_empty_table(
    ready: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], state: str
) -> None:
    ledger = ready / "ledger.sqlite"
    if state == "without samples":
        _change("DELETE FROM samples", "DELETE FROM cells")
    elif state == "missing":
        ledger.unlink()
    else:
        ledger.write_bytes(b"" if state == "empty" else b"\0" * 8192)
    assert prep(*command) == 6
    error = capsys.readouterr().err
    assert "ledger.sqlite" in error
    assert "`prep rebuild`" in error
    assert not (ready / "all.jsonl").exists()
    assert ledger.exists() == (state != "missing"), "only `prep init` makes one"


@pytest.mark.parametrize("command", [("status",), ("resize",), ("verify",)], ids=" ".join)
@pytest.mark.parametrize("change", ["recipe = NULL", "files = '{\"a\":'", "fingerprint = 'x' || fingerprint"])
@pytest.mark.usefixtures("ready")
def test_a_damaged_row_of_a_cell_is_no_bug(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], change: str
) -> None:
    assert _change(f"UPDATE cells SET {change}") == 15
    assert prep(*command) == 6
    error = capsys.readouterr().err
    assert "ledger.sqlite is damaged" in error
    assert "`prep rebuild`" in error


def test_a_store_is_checked_and_read_without_its_ledger(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _change("UPDATE cells SET fingerprint = 'x'")
    assert prep("verify", "shards/train.zarr") == 0
    assert "whether it is up to date is not known: " in capsys.readouterr().err
    assert prep("verify") == 6
    assert f"{ready / 'shards/val.zarr'}: whole" in capsys.readouterr().out
    (notice,) = store_notices(ShardStore.open(ready / "shards/train.zarr"))
    assert "`prep rebuild`" in notice


# -- rebuilt -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ready")
def test_a_whole_ledger_loses_nothing_when_it_is_made_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert prep("status", "--json") == 0
    before = json.loads(capsys.readouterr().out)
    found = _rebuilt(capsys)
    assert (found["samples"], found["cells"], found["lost"], found["damaged"]) == (5, 15, 0, 0)
    assert found["commands"] == []
    assert prep("status", "--json") == 0
    assert json.loads(capsys.readouterr().out) == before
    assert _made_by_resize(capsys) == 0
    assert prep("shard") == 0
    assert "up to date" in capsys.readouterr().out


def test_damaged_rows_are_made_again_with_the_last_arguments_and_the_others_are_kept(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tree_bytes(ready)
    changes = (
        "UPDATE cells SET fingerprint = 'x' WHERE key = '0001TP_007000' AND \"column\" = 'label'",
        "UPDATE samples SET record = '{' WHERE key = '0001TP_007030'",
        "UPDATE sources SET size = size + 1",
    )
    assert _change(*changes) > 2
    found = _rebuilt(capsys)
    assert (found["samples"], found["cells"]) == (5, 14)
    assert found["commands"] == ["prep resize"]
    assert found["incomplete"] == ["label"]
    assert Path(str(found["aside"])).name == "ledger.sqlite.damaged"
    assert (ready / "ledger.sqlite.damaged").is_file()
    assert _made_by_resize(capsys) == 1
    assert prep("verify") == 0
    assert {name: data for name, data in tree_bytes(ready).items() if name in files} == files
    assert prep("status") == 0


def test_files_that_are_not_those_of_their_rows_are_made_again(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim = next((ready / "train/image_data").iterdir())
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + b"x")
    found = _rebuilt(capsys)
    assert (found["damaged"], found["incomplete"]) == (1, ["image"])
    assert _made_by_resize(capsys) == 1
    assert victim.read_bytes() == content


def test_without_a_ledger_the_samples_are_listed_and_all_cells_made_again(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tree_bytes(ready)
    (ready / "ledger.sqlite").unlink()
    assert prep("rebuild") == 0
    out = capsys.readouterr().out
    assert "5 samples are listed, 0 cells are known" in out
    assert "No cell is known: run `prep resize`" in out
    assert prep("resize", "--factor", "3", "--labels", "nearest") == 0
    assert tree_bytes(ready) == files


def test_any_damaged_page_leaves_a_ledger_that_can_be_rebuilt(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (ready / "ledger.sqlite").read_bytes()
    kept = []
    for start in range(0, len(whole), 4096):
        (ready / "ledger.sqlite").write_bytes(whole[:start] + b"\x5a" * 4096 + whole[start + 4096 :])
        found = _rebuilt(capsys)
        assert found["samples"] == 5
        kept.append(found["cells"])
        assert prep("status") == 0
    assert max(kept) == 15
    assert min(kept) == 0, "the first page says where all others are"
    assert len(list(ready.glob("ledger.sqlite.damaged*"))) == len(kept), "none is written over"


def test_a_killed_rebuild_is_repeated(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ready / "ledger.sqlite.rebuilt").write_bytes((ready / "ledger.sqlite").read_bytes()[:5000])
    (ready / "ledger.sqlite.rebuilt-wal").write_bytes(b"left")
    assert _rebuilt(capsys)["cells"] == 15
    assert sorted(path.name for path in ready.glob("ledger.sqlite*")) == ["ledger.sqlite", "ledger.sqlite.damaged"]


def test_the_database_of_another_program_is_not_rebuilt(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ready / "ledger.sqlite").unlink()
    _change("CREATE TABLE bookings(amount INTEGER)")
    before = (ready / "ledger.sqlite").read_bytes()
    assert prep("rebuild") == 5
    assert "the database of another program" in capsys.readouterr().err
    assert (ready / "ledger.sqlite").read_bytes() == before


def test_a_dataset_of_lists_is_rebuilt_from_its_lists(
    ready: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed, other = tmp_path / "lists" / "all.jsonl", tmp_path / "other"
    assert prep("list", listed) == 0
    images = load_workspace(ready).config.dataset_root
    assert prep("init", "list", listed, "--root", images, "-C", other) == 0
    assert prep("resize", "--factor", "3", "-C", other) == 0
    capsys.readouterr()
    assert prep("status", "--json", "-C", other) == 0
    before = capsys.readouterr().out
    assert prep("rebuild", "-C", other) == 2
    assert "name them" in capsys.readouterr().err
    assert _rebuilt(capsys, listed, "-C", other)["lost"] == 0
    assert prep("status", "--json", "-C", other) == 0
    assert capsys.readouterr().out == before


# -- killed, or asked for nothing ----------------------------------------------------------------------------------


def test_init_ends_what_a_killed_init_began_and_removes_what_it_left(ws: Path, camvid: Path) -> None:
    (ws / "ledger.sqlite").touch()
    (ws / "prep.toml.4711.partial").write_text("dataset")
    (ws / "notes.4711.partial").write_text("not ours")
    assert prep("init", "camvid", camvid) == 0
    assert prep("status") == 0
    assert sorted(path.name for path in ws.glob("*.partial")) == ["notes.4711.partial"]


def test_init_ends_what_a_kill_between_its_two_files_left_and_says_what_is_forgotten(
    ws: Path, camvid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prep("init", "camvid", camvid) == 0
    for forgets in (False, True):
        (ws / "ledger.sqlite").unlink()
        capsys.readouterr()
        assert prep("init", "camvid", camvid) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert ("had no ledger: what was prepared in it is not known, and is made again" in said) == forgets
        assert prep("resize", "--factor", "6") == 0


def test_a_killed_miniature_is_written_again(ws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segprep.datasets.catalog import camvid

    write = camvid.write_miniature

    def killed(root: Path, frames: int) -> None:
        write(root, frames)
        raise KeyboardInterrupt

    monkeypatch.setattr(camvid, "write_miniature", killed)
    command = ("init", "camvid", "--miniature", "data", "--frames", "2", "-C", "ready")
    assert prep(*command) == 130
    (ws / "data/train/of_more_frames.png").write_bytes(b"")
    monkeypatch.setattr(camvid, "write_miniature", write)
    assert prep(*command) == 0
    assert not list((ws / "data").glob(".*"))
    assert not (ws / "data/train/of_more_frames.png").exists()
    assert prep(*command) == 5, "it is finished, and may hold what somebody changed"


def test_init_with_a_miniature_ends_what_a_kill_before_its_workspace_was_there_left(ws: Path) -> None:
    command = ("init", "camvid", "--miniature", "data", "--frames", "2")
    gate = Gate(ws / "gate", "*/prep.toml", 1)
    process = start_prep(*command, cwd=ws, gate=gate)
    gate.wait_until_reached(process)
    process.kill()
    process.communicate()
    assert prep(*command) == 0
    assert not list((ws / "data").glob(".*"))


def test_a_miniature_is_finished_if_its_workspace_is_refused(ws: Path, camvid: Path) -> None:
    assert prep("init", "camvid", camvid) == 0
    assert prep("init", "synthetic", "--miniature", "data", "--frames", "2") == 5
    assert not list((ws / "data").glob(".*"))
    assert prep("init", "synthetic", ws / "data", "-C", "other") == 0


@pytest.mark.parametrize("command", [("status",), ("resize", "--factor", "2"), ("shard",), ("check",)], ids=" ".join)
def test_a_split_in_prep_toml_that_the_dataset_has_not_is_told(
    ready: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    config = ready / "prep.toml"
    config.write_text(config.read_text().replace('splits = ["train", "val"]', 'splits = ["trian"]'))
    assert prep(*command) == 2
    assert "prep.toml: splits names trian, which the dataset does not have; there are: train, val" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("command", [("resize",), ("check",), ("list", "all.jsonl")], ids=" ".join)
@pytest.mark.usefixtures("ready")
def test_a_glob_that_matches_no_key_is_told(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    assert prep(*command, "--only", "zzz*", "--split", "val") == 2
    assert "no key in split val matches --only 'zzz*'" in capsys.readouterr().err
