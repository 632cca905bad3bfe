"""`prep check` on datasets in CamVid's layout: each defect is found, named, and nothing else is."""

import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from segprep.datasets.imageio import encode_image, read_image, write_image
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import Array
from segprep.datasets.workspace import load_workspace
from segprep.workflows.checks import checking
from segprep.workflows.checks.checking import CheckResult, check_dataset
from segprep.workflows.checks.findings import Category, Severity
from segprep.workflows.checks.findings_table import draw_findings
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.samples.initialise import InitRequest, initialise
from support.commands import make_camvid
from support.workers import ON_WORKERS

Check = Callable[..., CheckResult]
Found = list[tuple[str, str, tuple[str, ...]]]

TRAIN = [f"0001TP_{7000 + 30 * i:06d}" for i in range(6)]
VAL = [f"0016E5_{7000 + 2 * i:06d}" for i in range(4)]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """List a dataset and check it: `check(root, workers=0, **selection)`."""

    def run(root: Path, workers: int = 0, **selection: Any) -> CheckResult:
        workspace = initialise(tmp_path / "checked", InitRequest("camvid", (root,))).workspace
        with Table(workspace) as table, Progress("test", quiet=True) as progress:
            chosen = Selection(**selection)
            return check_dataset(table, chosen, ClusterOptions(workers=workers), progress)

    return run


def serious(result: CheckResult) -> Found:
    """Everything but notes: severity, category, keys."""
    return [(f.severity.value, f.category.value, f.keys) for f in result.findings if f.severity is not Severity.NOTE]


def message(result: CheckResult, category: Category) -> str:
    return next(f.message for f in result.findings if f.category is category)


def rewrite(path: Path, change: Callable[[Array], Array]) -> None:
    write_image(path, change(read_image(path)))


def test_a_good_dataset_has_no_errors_and_no_warnings(camvid: Path, check: Check) -> None:
    result = check(camvid)
    assert serious(result) == []
    assert (result.samples, result.files, result.errors) == (10, 20, 0), "neighbours are images that were read already"
    assert result.bad_keys == frozenset()
    (note,) = result.findings
    assert (note.category, note.keys) == (Category.NEIGHBOUR, (*TRAIN, VAL[0]))
    assert result.summary["image_sizes"] == {"48x36": 10}
    labels = np.stack([read_image(camvid / f"trainannot/{key}.png") for key in TRAIN])
    assert result.summary["class_shares"]["train"]["sky"] == pytest.approx(
        (labels == 0).sum() / (labels < 11).sum(), abs=1e-6
    )


def test_every_missing_unpaired_and_unreadable_file_is_an_error_of_its_own(camvid: Path, check: Check) -> None:
    (camvid / f"trainannot/{TRAIN[0]}.png").unlink()
    (camvid / f"train/{TRAIN[1]}.png").unlink()
    image = camvid / f"val/{VAL[1]}.png"
    image.write_bytes(image.read_bytes()[:-20])
    (camvid / f"valannot/{VAL[3]}.png").write_bytes(b"<html>moved</html>")
    result = check(camvid)
    assert serious(result) == [
        ("error", "unreadable", (VAL[1], VAL[2])),  # it is the neighbour of another sample, too
        ("error", "unreadable", (VAL[3],)),
        ("error", "unpaired", (TRAIN[0],)),
        ("error", "unpaired", (TRAIN[1],)),
    ]
    texts = [f.message for f in result.findings][:4]
    assert texts[0].startswith(f"image val/{VAL[1]}.png is no readable PNG file: truncated")
    assert texts[1].startswith(f"label valannot/{VAL[3]}.png holds a page of HTML")
    assert texts[2] == f"image train/{TRAIN[0]}.png has no label: trainannot/{TRAIN[0]}.png does not exist"
    assert texts[3] == f"label trainannot/{TRAIN[1]}.png has no image: train/{TRAIN[1]}.png does not exist"
    assert result.bad_keys == {*TRAIN[:2], *VAL[1:]}


def test_a_sample_with_neither_image_nor_label_misses_both(camvid: Path, check: Check, tmp_path: Path) -> None:
    check(camvid)
    for name in ("train", "trainannot"):
        (camvid / f"{name}/{TRAIN[2]}.png").unlink()
    workspace = load_workspace(tmp_path / "checked")  # listed before they were deleted
    with Table(workspace) as table, Progress("test", quiet=True) as progress:
        result = check_dataset(table, Selection(), ClusterOptions(workers=0), progress)
    assert serious(result) == [("error", "missing", (TRAIN[2],))] * 2


def test_sizes_that_disagree_are_errors_within_a_sample_and_a_warning_between_samples(
    camvid: Path, check: Check
) -> None:
    rewrite(camvid / f"trainannot/{TRAIN[0]}.png", lambda ids: ids[:, ::2])
    for folder in ("val", "valannot"):
        rewrite(camvid / f"{folder}/{VAL[0]}.png", lambda picture: picture[:30])
    result = check(camvid)
    assert serious(result) == [
        ("error", "size", (TRAIN[0],)),
        ("error", "size", (VAL[1],)),  # its neighbour is smaller than it is
        ("warning", "size", (VAL[0],)),
    ]
    texts = [f.message for f in result.findings]
    assert texts[0] == f"label trainannot/{TRAIN[0]}.png is 24x36, its image train/{TRAIN[0]}.png 48x36"
    assert texts[1] == f"previous val/{VAL[0]}.png is 48x30, its image val/{VAL[1]}.png 48x36"
    assert "1 of 10 images are not 48x36: 48x30 (1)" in texts[2]
    assert result.bad_keys == {TRAIN[0], VAL[1]}


def test_channels_and_types_that_differ_from_the_others_are_a_warning_per_column(camvid: Path, check: Check) -> None:
    rewrite(camvid / f"train/{TRAIN[0]}.png", lambda rgb: rgb[..., 1])
    rewrite(camvid / f"val/{VAL[0]}.png", lambda rgb: np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=2))
    rewrite(camvid / f"trainannot/{TRAIN[1]}.png", lambda ids: ids.astype(np.uint16))
    result = check(camvid)
    assert serious(result) == [("warning", "format", (TRAIN[0], VAL[0])), ("warning", "format", (TRAIN[1],))]
    text = message(result, Category.FORMAT)
    assert "2 of 10 files of image are not uint8 with 3 channels" in text
    assert "uint8 with 1 channel (1), uint8 with 4 channels (1)" in text


def test_transparent_pictures_are_unreadable(camvid: Path, check: Check) -> None:
    rewrite(camvid / f"train/{TRAIN[0]}.png", lambda rgb: np.concatenate([rgb, rgb[..., :1]], axis=2))
    result = check(camvid)
    assert serious(result) == [("error", "unreadable", (TRAIN[0],))]
    assert f"image train/{TRAIN[0]}.png: it has transparent pixels" in message(result, Category.UNREADABLE)


def test_ids_outside_the_class_map_are_summed_and_listed_per_file(camvid: Path, check: Check) -> None:
    def with_ids(*ids: int) -> Callable[[Array], Array]:
        def change(ids_HW: Array) -> Array:
            ids_HW[0, : len(ids)] = ids
            return ids_HW

        return change

    rewrite(camvid / f"trainannot/{TRAIN[0]}.png", with_ids(12, 12, 200))
    rewrite(camvid / f"valannot/{VAL[0]}.png", with_ids(12))
    result = check(camvid)
    bad = (TRAIN[0], VAL[0])
    assert serious(result) == [("error", "label ids", keys) for keys in (bad, bad[:1], bad[1:])]
    texts = [f.message for f in result.findings]
    assert "2 labels hold values outside the class map: 12 (3 px in 2 labels), 200 (1 px in 1 labels)" in texts[0]
    assert texts[1] == f"trainannot/{TRAIN[0]}.png holds values outside the class map: 12 (2 px), 200 (1 px)"
    assert texts[2] == f"valannot/{VAL[0]}.png holds values outside the class map: 12 (1 px)"
    assert result.bad_keys == set(bad)


def test_colours_outside_the_class_map_are_named(camvid: Path, check: Check) -> None:
    rewrite(camvid / f"trainannot/{TRAIN[0]}.png", lambda ids: np.full((*ids.shape, 3), (128, 64, 129), np.uint8))
    result = check(camvid)
    assert f"{TRAIN[0]}.png holds values outside the class map: (128, 64, 129) (1728 px)" in message(
        result, Category.LABEL_IDS
    )


def test_labels_without_any_class_are_a_warning_per_split(camvid: Path, check: Check) -> None:
    rewrite(camvid / f"trainannot/{TRAIN[0]}.png", lambda ids: np.full_like(ids, 11))
    for key in VAL:
        rewrite(camvid / f"valannot/{key}.png", lambda ids: np.full_like(ids, 11))
    result = check(camvid)
    assert serious(result) == [("warning", "unlabelled", (TRAIN[0],)), ("warning", "unlabelled", tuple(VAL))]
    texts = [f.message for f in result.findings]
    assert texts[0] == "1 of 6 labels of split train are ignored in every pixel"
    assert texts[1] == "4 of 4 labels of split val are ignored in every pixel: are they kept back for a benchmark?"
    assert result.bad_keys == frozenset()


def test_the_same_image_in_two_splits_is_an_error_and_the_larger_split_gives_way(camvid: Path, check: Check) -> None:
    shutil.copy(camvid / f"train/{TRAIN[0]}.png", camvid / f"val/{VAL[3]}.png")
    shutil.copy(camvid / f"train/{TRAIN[1]}.png", camvid / f"train/{TRAIN[2]}.png")
    result = check(camvid)
    assert serious(result) == [
        ("error", "same image", (TRAIN[0], VAL[3])),
        ("warning", "same image", tuple(TRAIN[1:3])),
    ]
    assert result.bad_keys == {TRAIN[0]}


def test_a_changed_copy_in_another_split_is_a_warning(camvid: Path, check: Check) -> None:
    rgb_HWC = read_image(camvid / f"train/{TRAIN[0]}.png")
    (camvid / f"val/{VAL[3]}.png").write_bytes(encode_image(".jpg", (rgb_HWC * 0.9).astype(np.uint8)))
    result = check(camvid)
    assert serious(result) == [("warning", "alike images", (TRAIN[0], VAL[3]))]
    text = message(result, Category.ALIKE)
    assert f"train/{TRAIN[0]}.png of split train and val/{VAL[3]}.png of split val look the same" in text


def test_only_what_is_selected_is_read(camvid: Path, check: Check) -> None:
    shutil.copy(camvid / f"train/{TRAIN[0]}.png", camvid / f"val/{VAL[3]}.png")
    (camvid / f"val/{VAL[0]}.png").write_bytes(b"")
    result = check(camvid, splits=("train",), limit=2)
    assert (result.samples, result.files, serious(result)) == (2, 4, [])
    assert serious(check(camvid, only=VAL[1])) == [("error", "unreadable", (VAL[1],))], "its neighbour is read, too"


# -- parallel ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.cluster
def test_workers_find_the_same_in_the_same_order_and_survive_a_deadly_file(
    tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_camvid(tmp_path / "many", train=12, val=2)
    keys = sorted(path.stem for path in (root / "train").iterdir())
    (root / f"trainannot/{keys[3]}.png").unlink()
    (root / f"train/{keys[0]}.png").write_bytes(b"deadly")
    rewrite(root / f"trainannot/{keys[7]}.png", lambda ids: ids + np.uint8(1))
    alone = check(root)
    monkeypatch.syspath_prepend(ON_WORKERS)
    monkeypatch.setenv("PYTHONPATH", str(ON_WORKERS))
    deadly = importlib.import_module("deadly_files")
    monkeypatch.setattr(checking, "inspect_files", deadly.inspect_deadly_files)
    together = check(root, workers=2)
    expected, found = alone.to_json(), together.to_json()
    reasons = [each["findings"].pop(0)["message"] for each in (expected, found)]
    assert "truncated or of an unknown format" in reasons[0]
    assert reasons[1] == (
        f"image train/{keys[0]}.png killed its worker process twice (memory, or a crash in a decoder)"
    )
    assert found == expected
    assert [f["category"] for f in found["findings"]] == ["unpaired", "label ids", "neighbour"]
    assert together.bad_keys == {keys[3], keys[7], keys[0]}


# -- what is printed -----------------------------------------------------------------------------------------------


def _printed(result: CheckResult) -> str:
    console = Console(width=100, highlight=False, markup=False)
    with console.capture() as capture:
        for each in draw_findings(result):
            console.print(each, soft_wrap=isinstance(each, str))
    return capture.get()


def test_the_report_lists_every_unpaired_file_and_ten_of_the_rest(tmp_path: Path, check: Check) -> None:
    root = make_camvid(tmp_path / "many", train=30, val=2)
    keys = sorted(path.stem for path in (root / "train").iterdir())
    for key in keys[:12]:
        (root / f"trainannot/{key}.png").unlink()
    for key in keys[12:27]:
        rewrite(root / f"trainannot/{key}.png", lambda ids: ids[:-2])
    result = check(root)
    lines = _printed(result).splitlines()
    assert lines[0] == "32 samples, 64 files: 27 errors, 0 warnings, 1 note"
    assert all(any(f"image train/{key}.png has no label" in line for line in lines) for key in keys[:12])
    assert sum(line.startswith("error: label trainannot/") for line in lines) == 10
    assert "  and 5 more about size (--json lists all)" in lines
    (row,) = [line.replace("│", " ").split() for line in lines if line.startswith("│ unpaired")]
    assert row == ["unpaired", "12", "12", f"trainannot/{keys[0]}.png"]


def test_a_report_without_findings_is_one_line(camvid: Path, check: Check) -> None:
    assert _printed(check(camvid, splits=("train",))) == "6 samples, 12 files: 0 errors, 0 warnings, 0 notes\n"


def test_json_holds_every_finding_with_all_keys(camvid: Path, check: Check) -> None:
    (camvid / f"trainannot/{TRAIN[0]}.png").unlink()
    result = check(camvid)
    data = json.loads(json.dumps(result.to_json()))
    assert (data["samples"], data["files"], data["errors"], data["warnings"], data["notes"]) == (10, 20, 1, 0, 1)
    assert data["bad_keys"] == [TRAIN[0]]
    assert data["findings"][0] == {
        "severity": "error",
        "category": "unpaired",
        "message": f"image train/{TRAIN[0]}.png has no label: trainannot/{TRAIN[0]}.png does not exist",
        "keys": [TRAIN[0]],
        "paths": [f"trainannot/{TRAIN[0]}.png"],
    }
    assert data["findings"][1]["keys"] == [*TRAIN, VAL[0]]
    assert data["known_class_shares"]["road"] == 0.293


# -- real data -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quarter(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real frames at a quarter of their size."""
    root = tmp_path_factory.mktemp("quarter")
    for folder in ("train", "trainannot", "val", "valannot"):
        (root / folder).mkdir()
        for path in (shared_data / "camvid" / folder).iterdir():
            picture = np.ascontiguousarray(read_image(path)[::4, ::4])
            (root / folder / path.name).write_bytes(encode_image(".png", picture))
    return root


@pytest.fixture
def small_camvid(quarter: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy these frames with labels changed: `small_camvid(change, splits=...)`."""

    def copy(change: Callable[[Array], Array], splits: tuple[str, ...] = ("train", "val")) -> Path:
        root = Path(shutil.copytree(quarter, tmp_path / "small"))
        for split in splits:
            for path in (root / f"{split}annot").iterdir():
                rewrite(path, change)
        return root

    return copy


def _swapped(one: int, other: int) -> Callable[[Array], Array]:
    table = np.arange(256, dtype=np.uint8)
    table[[one, other]] = [other, one]
    return lambda ids_HW: table[ids_HW]


def test_real_camvid_is_clean(shared_data: Path, check: Check) -> None:
    result = check(shared_data / "camvid")
    assert serious(result) == []
    assert (result.samples, result.files) == (265, 530)
    assert result.summary["class_shares"]["train"]["road"] == pytest.approx(0.325, abs=0.001)


def test_real_camvid_with_two_classes_swapped_is_flagged(small_camvid: Callable[..., Path], check: Check) -> None:
    result = check(small_camvid(_swapped(0, 3)))
    (finding,) = [f for f in result.findings if f.severity is Severity.ERROR]
    assert finding.category is Category.CLASS_SHARES
    assert finding.message.startswith("the labels: sky and road look swapped. As they are, road has 11.")
    assert result.bad_keys == frozenset(), "it is about all labels, none is worse than the others"


def test_real_camvid_with_one_split_swapped_names_the_split(small_camvid: Callable[..., Path], check: Check) -> None:
    result = check(small_camvid(_swapped(1, 3), splits=("val",)))  # building and road: of nearly the same share
    (finding,) = [f for f in result.findings if f.severity is Severity.ERROR]
    assert "the labels of split val, or else those of split train: building and road look swapped" in finding.message


def test_real_camvid_with_ids_from_one_is_flagged(small_camvid: Callable[..., Path], check: Check) -> None:
    result = check(small_camvid(lambda ids_HW: ids_HW + np.uint8(1)))
    categories = {f.category for f in result.findings if f.severity is Severity.ERROR}
    assert categories == {Category.LABEL_IDS, Category.CLASS_SHARES}
    assert "the labels: the raw ids of the files look shifted by +1" in message(result, Category.CLASS_SHARES)


def test_five_real_frames_are_not_flagged(shared_data: Path, check: Check) -> None:
    assert serious(check(shared_data / "camvid", limit=5)) == []
    assert serious(check(shared_data / "camvid", splits=("val",), limit=5)) == []
