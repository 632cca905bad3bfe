"""What a worker compares with a command: the workspace's disk, files of the dataset, code and versions."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import invalidate_caches
from pathlib import Path

import cv2
import pytest

from segprep.datasets.workspace import load_workspace
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.code_digest import OUR_FOLDERS, code_digest
from segprep.workflows.running.sharing import Claims, Shared, claims, shared_with, show
from support.commands import prep
from support.opencv import opencv_like


@pytest.fixture
def shared(ws: Path, camvid: Path) -> Shared:
    """What the work on a workspace rests on."""
    assert prep("init", "camvid", camvid) == 0
    with Table(load_workspace(ws)) as table:
        return shared_with(table, table.ledger.keys(Selection()))


@contextmanager
def _away(path: Path) -> Iterator[None]:
    """Let a file be elsewhere meanwhile, as for a process that has another disk there."""
    elsewhere = path.rename(path.parent.parent / "elsewhere")
    try:
        yield
    finally:
        elsewhere.rename(path)


def test_who_sees_the_same_and_runs_the_same_may_work(shared: Shared) -> None:
    with claims(shared) as made:
        shown = show(made)
    assert (shown.differences, shown.notes) == ((), ())
    assert shown.host


def test_files_of_samples_spread_over_the_selection_stand_for_the_dataset(shared: Shared, camvid: Path) -> None:
    assert len(shared.sources) == 16, "images and labels of eight"
    assert {path.split("/")[0] for path in shared.sources} == {"train", "trainannot", "val", "valannot"}
    assert all((camvid / path).is_file() for path in shared.sources)


def test_the_token_is_there_only_meanwhile_and_tokens_of_killed_commands_go(shared: Shared, ws: Path) -> None:
    left = ws / ".writer-token-left"
    left.touch()
    with claims(shared):
        (token,) = ws.glob(".writer-token-*")
        assert token != left
        assert token.stat().st_size == 32
    assert not list(ws.glob(".writer-token-*"))


def test_a_folder_of_the_same_name_is_another_workspace(shared: Shared, ws: Path) -> None:
    with claims(shared) as made, _away(next(ws.glob(".writer-token-*"))):
        (difference,) = show(made).differences
    assert difference.startswith(f"its {ws} is not the workspace of this command but another disk or folder: there it")
    assert "holds .writer.json, .writer.lock, ledger.sqlite, prep.toml" in difference


def test_no_folder_of_that_name_is_told(shared: Shared, tmp_path: Path) -> None:
    with claims(shared) as made:
        (difference,) = show(replace(made, workspace=tmp_path / "nowhere")).differences
    assert "there it cannot be read (No such file or directory)" in difference


def test_work_that_only_reads_the_dataset_needs_no_workspace(ws: Path, camvid: Path) -> None:
    assert prep("init", "camvid", camvid) == 0
    with Table(load_workspace(ws)) as table:
        reading = shared_with(table, table.ledger.keys(Selection()), writes=False)
    with claims(reading) as made:
        assert not list(ws.glob(".writer-token-*"))
        assert show(made).differences == ()


@pytest.mark.parametrize("missing", [False, True])
def test_another_dataset_is_told_by_a_file_that_differs(shared: Shared, camvid: Path, missing: bool) -> None:
    with claims(shared) as made:
        file = camvid / shared.sources[3]
        content = file.read_bytes()
        if missing:
            file.unlink()
        else:
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        (difference,) = show(made).differences
    how = "cannot be read (No such file or directory)" if missing else "has other content"
    assert difference.startswith(f"its dataset {camvid} is not that of this command: there {shared.sources[3]} {how}")
    assert "(1 of 16 files that were compared differ)" in difference


def _claims_of_code(**changes: object) -> Claims:
    with claims(Shared(None, None)) as made:
        return replace(made, **changes)  # type: ignore[arg-type]


def test_other_code_of_the_same_version_and_another_version_are_told() -> None:
    other = ((OUR_FOLDERS, "of other files"),)
    (difference,) = show(_claims_of_code(code=other)).differences
    assert difference.startswith("its segprep ")
    assert "has other code than this command" in difference
    (difference,) = show(_claims_of_code(code=other, segprep="99.0")).differences
    assert difference.endswith("this command is segprep 99.0")


def test_other_versions_of_what_makes_pixels_are_a_note() -> None:
    made = _claims_of_code()
    versions = tuple((name, "0.1" if name == "numpy" else found) for name, found in made.versions)
    shown = show(replace(made, versions=versions))
    assert shown.differences == ()
    (note,) = shown.notes
    assert note.startswith("numpy ")
    assert note.endswith("(here 0.1)")


@pytest.mark.parametrize(("number", "told"), [(4, "as OpenCV 4"), (None, "as no version that is known")])
def test_an_opencv_that_interpolates_otherwise_is_refused_where_results_rest_on_it(
    number: int | None, told: str
) -> None:
    shown = {}
    for rests in (False, True):
        with opencv_like(5), claims(Shared(None, None, opencv=rests)) as made:
            assert show(made).differences == ()
        with opencv_like(number):
            shown[rests] = show(replace(made, token=f"of another command, with {number}"))
    assert (shown[False].differences, shown[False].notes) == ((), ())
    (difference,) = shown[True].differences
    version = re.escape(cv2.__version__)
    assert re.match(rf"its OpenCV {version} interpolates {told}, that of this command \({version}\) as", difference)


def test_a_plug_in_that_a_worker_lacks_or_has_otherwise_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "plug_in_of_somebody.py"
    module.write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with claims(Shared(None, None, modules=(module.stem,))) as made:
        assert show(made).differences == ()
    (difference,) = show(replace(made, code=(*made.code[:1], ((module.stem,), "other")))).differences
    assert difference == f"its plug_in_of_somebody ({module}) has other code than that of this command"
    module.unlink()
    invalidate_caches()
    code_digest.cache_clear()
    (difference,) = show(replace(made, token="of another command")).differences
    assert difference == "it has no plug_in_of_somebody"


def test_the_digest_is_over_all_files_and_stays_that_of_the_code_that_was_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "package_of_somebody" / "room" / "module.py"
    inner.parent.mkdir(parents=True)
    (tmp_path / "package_of_somebody" / "__init__.py").touch()
    inner.write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    name = ("package_of_somebody",)
    before = code_digest(name)
    inner.write_text("x = 2\n")
    assert code_digest(name) == before, "this process has loaded the former"
    code_digest.cache_clear()
    assert code_digest(name) not in ("", before)
    assert code_digest(("nowhere.at_all",)) == ""
