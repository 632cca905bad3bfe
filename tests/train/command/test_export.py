"""`train export`: a file that stands alone, compared on real samples, and what is refused."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import segprep.train
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.shards import ShardStore
from segprep.train.export.onnx_model import OnnxModel
from segprep.train.runs.folder import Run

_ROOT = Path(__file__).resolve().parents[3]
_SMALL = ("--base-channels", "2", "--steps", "2", "--batch-size", "2", "--precision", "fp32")

Train = Callable[..., int]


@pytest.fixture
def run(trained_with: Callable[..., Run]) -> Run:
    """A small run of RGB images."""
    return trained_with(*_SMALL)


@pytest.fixture
def pictures(workspace: Path) -> Path:
    """The images of `val` as files."""
    store = ShardStore.open(workspace / "shards" / "val.zarr")
    for row, key in enumerate(store.keys):
        write_image(workspace / "pictures" / f"{key}.png", store.read("image", row))
    return workspace / "pictures"


def test_a_file_is_compared_on_the_store_and_found_by_the_run(
    run: Run, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert train("export") == 0
    said, told = capsys.readouterr()
    file = run.root / "run-001.onnx"
    assert "takes image: uint8 (batch, height, width, 3): (H, W, 3) uint8 RGB image" in said
    assert re.search(r"on 2 samples of .*val\.zarr: (100|99\.9)\d*\.?\d*% of the pixels have the same class", said)
    assert str(file) in said
    assert told == ""
    parity = OnnxModel(file).facts.parity
    assert parity is not None
    assert parity.samples == 2
    assert parity.agreement >= 0.999
    assert parity.max_difference < 1e-3

    before = file.read_bytes()
    assert train("export") == 5
    assert "exists: give another --out, or --force" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert train("export", "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(file)


def test_ten_lines_of_onnxruntime_predict_a_picture(
    run: Run, train: Train, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that docs/export.md shows, as they stand there."""
    lines = re.search(r"```python\n(import json\n.*?)```", (_ROOT / "docs" / "export.md").read_text(), re.DOTALL)
    assert lines is not None
    assert len(lines[1].replace("\n\n", "\n").strip().splitlines()) == 10
    assert "segprep." not in lines[1]
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert train("export", "--out", folder / "street.onnx") == 0
    picture = sorted(pictures.iterdir())[0]
    shutil.copy(picture, folder / "street.png")
    monkeypatch.chdir(folder)
    exec(lines[1], {})
    model = segprep.train.load(run.root)
    ids_HW = model.predict({"image": read_image(picture)}).ids_HW
    same_HW = (read_image(folder / "street_colors.png") == model.classes.colors[ids_HW]).all(-1)
    assert same_HW.mean() > 0.995


def test_weights_alone_are_compared_on_given_pictures_else_on_noise(
    run: Run, train: Train, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone" / "w.safetensors"
    alone.parent.mkdir()
    shutil.copy(segprep.train.load(run.root).path, alone)
    shutil.rmtree(run.root.parent.parent / "shards")
    capsys.readouterr()
    assert train("export", alone, "--to", "torchscript") == 0
    said, told = capsys.readouterr()
    assert "no real sample is at hand" in told
    assert "2 samples of noise" in said
    assert alone.with_suffix(".torchscript").is_file()
    assert train("export", alone, "--samples", pictures, "--out", tmp_path / "w.onnx") == 0
    said, told = capsys.readouterr()
    assert f"2 samples of {pictures}: " in said
    assert told == ""


def test_a_file_may_have_8_bits(run: Run, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert train("export", "--int8", "--calibration", "3") == 0
    said = capsys.readouterr().out
    assert re.search(r"32 bits +0\.\d{4} +0\.\d{4} +\d\.\d MB\n8 bits +0\.\d{4} +0\.\d{4} +\d\.\d MB", said)
    assert re.search(r"on the 2 samples of .*val\.zarr; ranges from 3 of train", said)
    facts = OnnxModel(run.root / "run-001.int8.onnx").facts
    assert facts.precision == "int8"
    assert facts.parity is not None
    assert facts.parity.agreement > 0.5


def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    run: Run, train: Train, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "a.onnx"
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong").mkdir()
    write_image(tmp_path / "wrong" / "a.png", np.zeros((8, 8), np.uint16))
    capsys.readouterr()
    for code, message, *arguments in (
        (2, "--int8 makes ONNX files, not pt2", "--to", "pt2", "--int8"),
        (2, "there is no run 'nobody'", "nobody"),
        (2, "learned", "--dataset", "nobody"),
        (3, "there is no folder", "--samples", tmp_path / "none"),
        (3, "holds no picture", "--samples", tmp_path / "empty"),
        (3, "is no file of the column 'image'", "--samples", tmp_path / "wrong"),
        (3, "there is no shard store", "--shards", tmp_path / "empty"),
    ):
        assert train("export", "--out", out, *arguments) == code, message
        assert message in capsys.readouterr().err
        assert not out.parent.exists()
    out.mkdir(parents=True)
    assert train("export", "--out", out, "--force") == 5
    assert list(out.iterdir()) == []
