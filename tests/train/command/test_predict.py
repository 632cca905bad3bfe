"""`train predict` on pictures, workspaces and stores: what users name, get, and get wrong."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.shards import ShardStore
from segprep.train.predict.enlarging import Answer
from segprep.train.predict.model import load
from segprep.train.predict.predictor import Predictor, Ready
from segprep.train.runs.folder import Run
from support.scenes import CLASSES, HEIGHT, WIDTH

_SMALL = ("--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32")


@pytest.fixture
def run(trained_with: Callable[..., Run]) -> Run:
    return trained_with(*_SMALL)


@pytest.fixture
def pictures(workspace: Path) -> Path:
    """The images of `val.zarr` as a folder with a folder in it."""
    store = ShardStore.open(workspace / "shards" / "val.zarr")
    for row, name in enumerate(("first", "deeper/second")):
        write_image(workspace / "pictures" / f"{name}.png", store.read("image", row))
    return workspace / "pictures"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _files(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(".writer")}


def _record(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def test_a_folder_gets_what_the_evaluation_found(
    run: Run, train: Callable[..., int], pictures: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("eval", "--at", "network") == 0
    capfd.readouterr()
    assert train("predict", "run-001", pictures, "--out", out, "--ids", "raw") == 0
    said = capfd.readouterr()
    assert said.out.startswith(f"{out}: 2 predicted; ")
    assert said.out.endswith(" images/s\n")
    assert "the network sees each picture in its own proportions with as many pixels as in training, 28x20" in said.err
    names = {"first": "s000", "deeper/second": "s001"}
    assert _files(out) == {"predictions.jsonl"} | {f"{k}/{name}.png" for k in ("ids", "colors") for name in names}
    for name, key in names.items():
        expected = read_image(run.root / "eval-val-network" / "ids" / f"{key}.png")
        np.testing.assert_array_equal(read_image(out / "ids" / f"{name}.png"), expected)
        colors = read_image(run.root / "eval-val-network" / "predictions" / f"{key}.png")
        np.testing.assert_array_equal(read_image(out / "colors" / f"{name}.png"), colors)
        # With their palette, the ids show the colours of their classes.
        np.testing.assert_array_equal(read_image(out / "ids" / f"{name}.png", palette_colors=True), colors)


def test_a_store_gets_the_size_of_its_original_images(run: Run, train: Callable[..., int], out: Path) -> None:
    store = run.root.parents[1] / "shards" / "val.zarr"
    assert train("eval", "--at", "source") == 0
    assert train("predict", "run-001", store, "--out", out, "--ids", "raw", "--batch-size", "2") == 0
    for key in ("s000", "s001"):
        found = read_image(out / "ids" / f"{key}.png")
        assert found.shape == (2 * HEIGHT, 2 * WIDTH)
        np.testing.assert_array_equal(found, read_image(run.root / "eval-val" / "ids" / f"{key}.png"))


def test_every_output_is_of_one_prediction(run: Run, train: Callable[..., int], pictures: Path, out: Path) -> None:
    picture = pictures / "first.png"
    rgb = read_image(picture)
    options = ("--save", "ids,colors,overlay,scores,entropy", "--size", f"{WIDTH}x{HEIGHT}")
    assert train("predict", run.root, picture, "--out", out, *options) == 0
    found = load(run.root, device="cpu").predict({"image": rgb})
    np.testing.assert_array_equal(read_image(out / "ids" / "first.png"), found.ids_HW)
    expected = (rgb.astype(np.float32) + CLASSES.colored(found.ids_HW)) / 2
    np.testing.assert_allclose(read_image(out / "overlay" / "first.png"), expected, atol=0.51)
    with np.load(out / "scores" / "first.npz") as archive:
        assert archive["scores"].dtype == np.float16
        np.testing.assert_allclose(archive["scores"], found.probabilities_CHW, atol=1e-3)
    with np.load(out / "entropy" / "first.npz") as archive:
        entropy = -(found.probabilities_CHW * np.log(found.probabilities_CHW)).sum(0)
        np.testing.assert_allclose(archive["entropy"], entropy, atol=2e-3)


def test_sizes_are_as_asked(run: Run, train: Callable[..., int], pictures: Path, out: Path) -> None:
    large = pictures / "large.png"
    write_image(large, np.zeros((3 * HEIGHT, 4 * WIDTH, 3), np.uint8))
    shapes = {
        (): (3 * HEIGHT, 4 * WIDTH),
        ("--at", "network"): (17, 32),  # 560 pixels as in training, 112 to 60
        ("--at", "network", "--rescale", "0.5"): (30, 56),
        ("--at", "network", "--size", "40x24"): (24, 40),
        ("--rescale", "0.3", "--window", "16x16", "--scales", "1,1.5", "--flip"): (3 * HEIGHT, 4 * WIDTH),
    }
    for number, (options, shape) in enumerate(shapes.items()):
        place = out / str(number)
        assert train("predict", run.root, large, "--out", place, *options) == 0
        assert read_image(place / "ids" / "large.png").shape == shape
    assert train("predict", run.root, large, "--out", out / "0", "--rescale", "1", "--size", "8x8") == 2


def test_the_same_command_goes_on(
    run: Run, train: Callable[..., int], pictures: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def predicted(*options: str) -> str:
        capfd.readouterr()
        assert train("predict", run.root, pictures, "--out", out, "-q", *options) == 0
        return capfd.readouterr().out.split(";")[0].removeprefix(f"{out}: ")

    assert predicted() == "2 predicted"
    before = {name: (out / name).read_bytes() for name in _files(out)}
    assert predicted() == "0 predicted, 2 were there"
    os.utime(pictures / "first.png")  # another time, the same content
    assert predicted() == "0 predicted, 2 were there"
    (out / "colors" / "first.png").unlink()
    assert predicted() == "1 predicted, 1 were there"
    assert {name: (out / name).read_bytes() for name in before if "jsonl" not in name} == {
        name: content for name, content in before.items() if "jsonl" not in name
    }
    write_image(pictures / "first.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert predicted() == "1 predicted, 1 were there"
    assert predicted("--save", "ids") == "0 predicted, 2 were there"
    assert predicted("--save", "ids,entropy") == "2 predicted"
    # A process that was killed left a part of a line, and one of a file.
    with (out / "predictions.jsonl").open("a") as file:
        file.write('{"name": "fir')
    (out / "ids" / "deeper" / "second.png.4711.partial").write_bytes(b"half")
    assert predicted() == "0 predicted, 2 were there"
    assert not list(out.rglob("*.partial"))
    for line in _record(out):
        assert "made_by" in line or {"name", "source", "size", "inputs", "files"} == line.keys()


def test_a_folder_is_of_one_network_and_its_options(
    run: Run, train: Callable[..., int], pictures: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("predict", run.root, pictures, "--out", out) == 0
    before = {name: (out / name).read_bytes() for name in _files(out)}
    refusals = {
        ("--ids", "raw"): "ids was train and is raw",
        ("--at", "network"): "at was original and is network",
        ("--rescale", "1"): "size was in its own proportions",
        ("--flip",): "views was {",
        ("--checkpoint", "last", "--precision", "bf16"): "precision was fp32 and is bf16",
    }
    for options, words in refusals.items():
        capfd.readouterr()
        assert train("predict", run.root, pictures, "--out", out, *options) == 5
        assert words in capfd.readouterr().err
    assert {name: (out / name).read_bytes() for name in _files(out)} == before
    assert train("predict", "run-001", pictures, "--out", pictures.parent / "dataset") == 5
    assert "predictions go into a folder of their own" in capfd.readouterr().err
    with writer_lock(out):
        assert train("predict", "run-001", pictures, "--out", out) == 5
    assert "is being written by process" in capfd.readouterr().err
    record = out / "predictions.jsonl"
    record.write_text(record.read_text().replace('"network": "', '"network": "0'))
    assert train("predict", "run-001", pictures, "--out", out) == 5
    assert "they are of another network" in capfd.readouterr().err
    record.write_text("[1]\n")
    assert train("predict", "run-001", pictures, "--out", out) == 3
    assert "line 1 of" in capfd.readouterr().err


def test_bad_pictures_are_told_and_the_rest_goes_on(
    run: Run, train: Callable[..., int], pictures: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = (pictures / "first.png").read_bytes()
    (pictures / "cut.png").write_bytes(whole[: len(whole) // 2])
    write_image(pictures / "deep.png", np.zeros((HEIGHT, WIDTH), np.uint16))
    capfd.readouterr()
    assert train("predict", run.root, pictures, "--out", out) == 4
    said = capfd.readouterr()
    assert said.out.startswith(f"{out}: 2 predicted, 2 could not be; ")
    assert "2 of 4 could not be predicted, more than --max-bad 0.01 allows; the first: " in said.err
    assert f"{pictures / 'cut.png'} is no readable PNG file: truncated" in said.err
    errors = {str(line["name"]): str(line["error"]) for line in _record(out) if "error" in line}
    assert errors.keys() == {"cut", "deep"}
    assert "numbers of 8 bits, and this file has 16" in errors["deep"]
    (pictures / "cut.png").write_bytes(whole)
    assert train("predict", run.root, pictures, "--out", out, "--max-bad", "25%", "--json") == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["done"], result["kept"], [each["source"] for each in result["bad"]]) == (
        1,
        2,
        [str(pictures / "deep.png")],
    )


def test_ctrl_c_keeps_what_is_done(
    run: Run,
    train: Callable[..., int],
    pictures: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for number in range(8):
        shutil.copy(pictures / "first.png", pictures / f"n{number}.png")
    answers = Predictor.answers

    def interrupted(self: Predictor, batch: list[Ready]) -> Iterator[Answer]:
        monkeypatch.setattr(Predictor, "answers", answers)
        os.kill(os.getpid(), signal.SIGINT)
        return answers(self, batch)

    monkeypatch.setattr(Predictor, "answers", interrupted)
    capfd.readouterr()
    assert train("predict", run.root, pictures, "--out", out) == 130
    assert "The same command goes on" in capfd.readouterr().err
    done = len(_record(out)) - 1
    assert 1 <= done < 10
    assert len(list((out / "ids").rglob("*.png"))) == done
    assert train("predict", run.root, pictures, "--out", out, "--json") == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["done"], result["kept"]) == (10 - done, done)


def test_what_is_named(
    run: Run, train: Callable[..., int], pictures: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("predict", run.root, pictures / "**" / "*.png", "--out", out / "a", "--save", "ids") == 0
    assert {name for name in _files(out / "a") if "ids" in name} == {"ids/first.png", "ids/deeper/second.png"}
    several = (pictures / "deeper", pictures / "f*t.png")
    assert train("predict", run.root, *several, "--out", out / "b", "--save", "ids") == 0
    assert {name for name in _files(out / "b") if "ids" in name} == {"ids/first.png", "ids/second.png"}
    # Its own outputs are no inputs of the next call.
    inside = pictures / "predicted"
    for _ in range(2):
        assert train("predict", run.root, pictures, "--out", inside, "--save", "colors") == 0
    assert {name for name in _files(inside) if "colors" in name} == {"colors/first.png", "colors/deeper/second.png"}
    shutil.rmtree(inside)
    refusals: dict[tuple[object, ...], tuple[int, str]] = {
        (pictures, pictures / "first.png"): (2, "would get the same name, first"),
        (pictures / "nothing.png",): (3, "does not exist: name pictures, a folder, a pattern"),
        (pictures / "*.jpg",): (3, "nothing fits"),
        (run.root / "checkpoints",): (3, "holds no picture that ends in .png"),
        (pictures.parent / "shards" / "test.zarr",): (3, "there is no shard store"),
        (pictures, "--save", "ids,colours"): (2, "Did you mean 'colors'?"),
        (pictures, "--columns", "depth"): (2, "--columns takes NAME=DIR"),
        (pictures, "--columns", "flow=there"): (2, "neither the network nor what is prepared for it reads flow"),
        (pictures, "--device", "quantum:3"): (2, "--device is cpu, cuda, cuda:N or mps, not 'quantum:3'"),
        (pictures, "--camera", "1,2,3"): (2, "--camera takes fx, fy, cx and cy"),
        (pictures, "--dataset", "nobody"): (2, "no data set 'nobody'"),
        (pictures, "--max-bad", "many"): (2, "--max-bad takes a share"),
    }
    for arguments, (code, words) in refusals.items():
        capfd.readouterr()
        assert train("predict", run.root, *arguments, "--out", out / "c") == code, arguments
        assert words in capfd.readouterr().err
        assert not (out / "c").exists()


@pytest.fixture
def of_two(trained_with: Callable[..., Run]) -> Run:
    """A network of images and motion images."""
    return trained_with(*_SMALL, "--inputs", "image,flow")


def test_further_columns_lie_in_folders_beside(
    of_two: Run, train: Callable[..., int], pictures: Path, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = ShardStore.open(pictures.parent / "shards" / "val.zarr")
    motion = pictures.parent / "motion"
    for row, name in enumerate(("first", "deeper/second")):
        stored, valid = store.read("flow", row), store.read_valid("flow", row)
        write_image(motion / f"{name}.png", SmsnetFlowCode(5.12).to_file(stored, valid))
    assert train("predict", of_two.root, store.path, "--out", out / "store", "--at", "network") == 0
    assert train("predict", of_two.root, pictures, "--columns", f"flow={motion}", "--out", out / "files") == 0
    for name, key in {"first": "s000", "deeper/second": "s001"}.items():
        expected = read_image(out / "store" / "ids" / f"{key}.png")
        np.testing.assert_array_equal(read_image(out / "files" / "ids" / f"{name}.png"), expected)
    (motion / "first.png").unlink()
    write_image(motion / "deeper" / "second.png", np.zeros((4, 4, 3), np.uint8))
    capfd.readouterr()
    assert train("predict", of_two.root, pictures, "--columns", f"flow={motion}", "--out", out / "files") == 4
    said = capfd.readouterr().err
    assert f"{motion / 'first.png'} does not exist" in said
    assert "is 4x4, its picture" in said
    assert train("predict", of_two.root, pictures, "--out", out / "none") == 2
    assert "the network takes column 'flow', (H, W, 2) float32 motion (u, v) in pixels" in capfd.readouterr().err


def test_a_network_without_colours_is_shown_by_its_first_column(
    trained_with: Callable[..., Run], train: Callable[..., int], workspace: Path, out: Path
) -> None:
    run = trained_with(*_SMALL, "--inputs", "flow")
    store = workspace / "shards" / "val.zarr"
    assert train("predict", run.root, store, "--out", out, "--save", "overlay", "--at", "network") == 0
    assert read_image(out / "overlay" / "s000.png").shape == (HEIGHT, WIDTH, 3)
