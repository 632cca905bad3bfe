"""`train predict --submission`: what the servers of benchmarks want, checked before anything is predicted."""

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog._cityscapes.classes import scheme_classes
from segprep.datasets.errors import ConfigurationError, LabelIdError, MissingInputError
from segprep.datasets.imageio import decode_image, read_image, write_image
from segprep.train.predict.submission import (
    BENCHMARKS,
    SubmissionName,
    check_classes,
    submission_names,
    write_archive,
)
from segprep.train.runs.folder import Run
from support.scenes import CLASSES, HEIGHT, WIDTH

_SMALL = ("--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32")


@pytest.fixture
def run(trained_with: Callable[..., Run]) -> Run:
    return trained_with(*_SMALL)


@pytest.fixture
def two_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Cityscapes' test set be two pictures of the size of the scenes."""
    small = replace(BENCHMARKS["cityscapes"], count=2, size=(WIDTH, HEIGHT))
    for module in ("predict.submission", "command.prediction"):
        monkeypatch.setattr(f"segprep.train.{module}.BENCHMARKS", {**BENCHMARKS, "cityscapes": small})


@pytest.mark.usefixtures("two_pictures")
def test_an_archive_of_raw_ids(
    run: Run, train: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pictures, out = tmp_path / "test", tmp_path / "out"
    rng = np.random.default_rng(0)
    for name in ("berlin/berlin_000000_000019_leftImg8bit", "bonn/bonn_000001_000019_leftImg8bit"):
        write_image(pictures / f"{name}.png", rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    command = ("predict", run.root, pictures, "--submission", "cityscapes", "--save", "colors", "--out", out)
    capfd.readouterr()
    assert train(*command) == 0
    assert f"to be sent: {out / 'cityscapes.zip'}" in capfd.readouterr().out
    with zipfile.ZipFile(out / "cityscapes.zip") as archive:
        assert archive.namelist() == ["berlin_000000_000019.png", "bonn_000001_000019.png"]
        for name in archive.namelist():
            data = archive.read(name)
            assert data[25] == 0  # grey: programs that show palettes would read colours
            ids_HW = decode_image(data, Path(name))
            assert ids_HW.shape == (HEIGHT, WIDTH)
            assert set(np.unique(ids_HW)) <= {7, 26, 23}
            np.testing.assert_array_equal(ids_HW, read_image(out / "ids" / name))
    before = (out / "cityscapes.zip").read_bytes()
    assert train(*command) == 0
    assert (out / "cityscapes.zip").read_bytes() == before
    refusals: dict[str, tuple[tuple[object, ...], int]] = {
        "the test set of Cityscapes has 2 pictures, not 1": ((pictures / "bonn",), 3),
        "is not called as the pictures of Cityscapes": ((run.root / "more",), 2),
        "wants predictions at the size of its pictures": ((pictures, "--at", "network"), 2),
        "a submission is made of the pictures of": ((run.root.parents[1] / "shards" / "val.zarr",), 2),
        f"is 4x4, but pictures of Cityscapes are {WIDTH}x{HEIGHT}": ((tmp_path / "small",), 3),
    }
    write_image(run.root / "more" / "picture.png", np.zeros((4, 4, 3), np.uint8))
    write_image(tmp_path / "small" / "ulm_000001_000019_leftImg8bit.png", np.zeros((4, 4, 3), np.uint8))
    for words, (arguments, code) in refusals.items():
        capfd.readouterr()
        given = (*arguments, "--submission", "cityscapes", "--out", tmp_path / "no")
        assert train("predict", run.root, *given) == code
        assert words in capfd.readouterr().err
        assert not (tmp_path / "no").exists()


@pytest.mark.usefixtures("two_pictures")
def test_without_all_predictions_there_is_no_archive(
    run: Run, train: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a_000000_000019", "a_000001_000019"):
        write_image(tmp_path / "in" / f"{name}_leftImg8bit.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    path = tmp_path / "in" / "a_000001_000019_leftImg8bit.png"
    path.write_bytes(path.read_bytes()[:-20])
    out = tmp_path / "out"
    assert train("predict", run.root, tmp_path / "in", "--submission", "cityscapes", "--out", out) == 4
    assert "the archive is not written: predictions are missing" in capfd.readouterr().err
    assert not list(out.glob("*.zip"))


_NAMED: dict[SubmissionName, tuple[str, str]] = {
    "cityscapes": ("test/berlin/berlin_000000_000019_leftImg8bit.png", "berlin_000000_000019"),
    "kitti360": ("2013_05_28_drive_0008_sync/image_00/data_rect/0000000240.png", "0008_0000000240"),
    "bdd": ("images/10k/test/cabc30fc-e7726578.jpg", "cabc30fc-e7726578"),
    "mapillary": ("testing/images/--NSVcUgfVhFd6uzkqHOOg.jpg", "--NSVcUgfVhFd6uzkqHOOg"),
}


@pytest.mark.parametrize("name", _NAMED)
def test_names_are_those_of_the_server(name: SubmissionName) -> None:
    path, expected = _NAMED[name]
    benchmark = replace(BENCHMARKS[name], count=None, size=None)
    assert submission_names(benchmark, [Path(path)]) == {Path(path): expected}
    with pytest.raises(ConfigurationError, match="would both be"):
        submission_names(benchmark, [Path(path), Path("elsewhere") / path])
    with pytest.raises(MissingInputError, match=r"has 910 pictures, not 0"):
        submission_names(BENCHMARKS["kitti360"], [])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_example_fits_its_own_benchmark(name: SubmissionName) -> None:
    benchmark = replace(BENCHMARKS[name], count=None, size=None)
    assert len(submission_names(benchmark, [Path(benchmark.example)])) == 1


def test_ids_mean_the_same_to_the_server() -> None:
    nineteen, eleven = scheme_classes("19"), scheme_classes("11")
    for name in ("cityscapes", "kitti", "kitti360", "bdd", "mapillary"):
        check_classes(BENCHMARKS[name], nineteen)
    check_classes(BENCHMARKS["cityscapes"], CLASSES)  # some of the classes, with their own ids
    with pytest.raises(LabelIdError, match="'car' would be written as 1, but BDD100K calls it 13"):
        check_classes(BENCHMARKS["bdd"], CLASSES)
    with pytest.raises(LabelIdError, match="Cityscapes has no class 'vehicle'"):
        check_classes(BENCHMARKS["cityscapes"], replace(eleven, classes=eleven.classes[7:8]))
    with pytest.raises(LabelIdError, match="written as 26, an id that ScanNet does not know"):
        check_classes(BENCHMARKS["scannet"], replace(CLASSES, classes=CLASSES.classes[1:]))


def test_ids_in_files_are_looked_at(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.full((4, 4), 99, np.uint8))
    with pytest.raises(LabelIdError, match=r"holds the ids \[99\], which Cityscapes does not know"):
        write_archive(BENCHMARKS["cityscapes"], {"a": tmp_path / "a.png"}, tmp_path / "out.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]
