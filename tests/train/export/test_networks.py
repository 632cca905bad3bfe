"""Exported networks answer what the networks answer, at every size."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segprep.datasets.errors import (
    CodeRangeError,
    ConflictError,
    MissingInputError,
    SizeMismatchError,
    UnreadableFileError,
)
from segprep.datasets.made_classes import made_class_map
from segprep.datasets.sample import Array, Mask
from segprep.train.export.exporting import Exported, exported, noise_samples, write_exported
from segprep.train.export.facts import EXTRA_FILE, ExportFacts
from segprep.train.export.formats import FORMATS
from segprep.train.export.onnx_model import OnnxModel
from segprep.train.export.tracing import script_warnings
from segprep.train.models import MODELS
from segprep.train.models._network import Features, InputScaling, Logits, Network
from segprep.train.network.segmenter import Segmenter, build_segmenter, input_columns
from segprep.train.predict.model import Model
from support.scenes import CLASSES
from support.untrained import FLOW, IMAGE, SIZE, random_sample, untrained_model


def _file(model: Model, to: str, tmp_path: Path, said: list[str] | None = None) -> tuple[Path, Exported]:
    path = tmp_path / f"network{FORMATS[to].SUFFIX}"
    file = exported(model, to, noise_samples(model), path, None, (list[str]() if said is None else said).append)
    write_exported(file, path)
    return path, file


def _expected(model: Model, sample: dict[str, Array]) -> Array:
    with torch.inference_mode():
        return model.predict(sample).probabilities_CHW


@pytest.mark.parametrize("name", MODELS.names())
def test_onnx_answers_as_the_network_at_every_size(name: str, tmp_path: Path) -> None:
    model = untrained_model(name)
    path, file = _file(model, "onnx", tmp_path)
    loaded = OnnxModel(path)
    assert file.facts.fixed_size is None
    for height, width, count in ((29, 45, 2), (7, 5, 1)):
        samples = [random_sample(height, width, seed) for seed in range(count)]
        prepared = [loaded.prepared(each) for each in samples]
        batch = {column: np.stack([each[column] for each in prepared]) for column in ("image", "flow")}
        scores_NCHW, ids_NHW = loaded.probabilities(batch), loaded.ids(batch)
        for sample, scores_CHW, ids_HW in zip(samples, scores_NCHW, ids_NHW, strict=True):
            expected = _expected(model, sample)
            np.testing.assert_allclose(scores_CHW, expected, atol=0.01)
            assert np.mean(ids_HW == expected.argmax(0)) > 0.995
    assert scores_NCHW.dtype == np.float32
    assert ids_NHW.dtype == np.uint8


def test_torchscript_answers_as_the_network_at_every_size(tmp_path: Path) -> None:
    for name in ("frrn", "fcn8s"):
        model = untrained_model(name)
        path, _ = _file(model, "torchscript", tmp_path)
        extra = {EXTRA_FILE: ""}
        with script_warnings():
            script = torch.jit.load(path, _extra_files=extra)  # type: ignore[no-untyped-call]
        _check_answers(model, script, [(29, 45), (7, 5)])
        assert json.loads(extra[EXTRA_FILE])["network"] == name


def test_pt2_answers_as_the_network_at_sizes_from_33(tmp_path: Path) -> None:
    model = untrained_model("fcn8s")
    path, file = _file(model, "pt2", tmp_path)
    extra = {EXTRA_FILE: ""}
    program = torch.export.load(path, extra_files=extra)
    _check_answers(model, program.module(), [(64, 33), (38, 51)])
    assert file.facts.smallest == json.loads(extra[EXTRA_FILE])["smallest"] == 33


def _check_answers(
    model: Model, network: Callable[..., tuple[Tensor, Tensor]], sizes: Sequence[tuple[int, int]]
) -> None:
    for height, width in sizes:
        sample = random_sample(height, width)
        with torch.inference_mode():
            ids_NHW, scores_NCHW = network(*(torch.from_numpy(sample[c][None]) for c in ("image", "flow")))
        expected = _expected(model, sample)
        np.testing.assert_allclose(scores_NCHW[0], expected, atol=0.01)
        np.testing.assert_array_equal(ids_NHW[0], scores_NCHW[0].argmax(0))


# -- networks that cannot take every size ------------------------------------------------------------------------------


class _Shifted(nn.Module):
    """Moves the picture by half of its width, as a whole number of Python: a constant for exporters."""

    def forward(self, x_NCHW: Tensor) -> Features:
        return (torch.roll(x_NCHW[:, :3], int(x_NCHW.shape[-1]) // 2, -1),)


class _Same(nn.Module):
    def forward(self, features: Features, size: tuple[int, int]) -> Logits:
        return Logits(features[0])


def _small_model(trunk: nn.Module) -> Model:
    scalings = {"image": InputScaling((128.0,) * 3, (9.0,) * 3)}
    return untrained_model("frrn", (IMAGE,), Segmenter(Network(trunk, [_Same()]), scalings, "fp32"))


@pytest.mark.parametrize("to", ["onnx", "torchscript"])
def test_a_network_that_fixes_sizes_gets_the_size_of_the_training_and_says_so(to: str, tmp_path: Path) -> None:
    model, said = _small_model(_Shifted()), list[str]()
    path, file = _file(model, to, tmp_path, said)
    assert file.facts.fixed_size == SIZE
    assert "pictures of 52x38 only, the size of the training" in said[0]
    if to == "onnx":
        loaded = OnnxModel(path)
        sample = random_sample(38, 52)
        batch = {"image": loaded.prepared(sample)["image"][None]}
        np.testing.assert_allclose(loaded.probabilities(batch)[0], _expected(model, sample), atol=1e-6)
        with pytest.raises(SizeMismatchError, match="takes 52x38 pixels only, not 50x38"):
            loaded.prepared(random_sample(38, 50))


class _Noisy(nn.Module):
    """Adds what was drawn when it was exported."""

    def forward(self, x_NCHW: Tensor) -> Features:
        drawn = torch.from_numpy(np.random.default_rng().normal(0, 99, (1, 3, 1, x_NCHW.shape[-1])))
        return (x_NCHW[:, :3] + drawn.float(),)


def test_a_file_that_answers_otherwise_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match=r"was not written: it would give only \d+\.\d+% of the pixels"):
        _file(_small_model(_Noisy()), "onnx", tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- what a file says, and what it refuses -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ONNX file of an image and a motion."""
    return _file(untrained_model("frrn", base_channels=2), "onnx", tmp_path_factory.mktemp("small"))[0]


def test_a_file_says_what_it_takes_and_gives(small: Path) -> None:
    loaded = OnnxModel(small)
    assert loaded.columns == (IMAGE, FLOW)
    assert loaded.class_maps == {"scenes": CLASSES}
    assert loaded.size == SIZE
    facts = loaded.facts
    assert (facts.network, facts.step, facts.target, facts.provenance["title"]) == ("frrn", 7, "label", "Scenes")
    assert facts.parity is not None
    assert facts.parity.agreement > 0.999
    said = facts.to_json()
    assert said["classes"] == ["road", "car", "sky"]
    assert said["colors"][1] == [0, 0, 142]
    assert said["ignore_id"] == 255
    assert [each["shape"] for each in said["inputs"]] == [["batch", "height", "width", n] for n in (3, 2)]
    assert said["inputs"][1]["holds"].startswith("(H, W, 2) float32 motion (u, v) in pixels; NaN")


def test_a_sample_that_does_not_fit_is_refused(small: Path) -> None:
    loaded, good = OnnxModel(small), random_sample(8, 9)
    with pytest.raises(MissingInputError, match=r"no column 'flow', \(H, W, 2\) float32"):
        loaded.prepared({"image": good["image"]})
    with pytest.raises(CodeRangeError, match=r"this array has the shape \(8, 9, 4\)"):
        loaded.prepared({**good, "image": np.zeros((8, 9, 4), np.uint8)})
    with pytest.raises(SizeMismatchError, match="image 9x8, flow 9x7"):
        loaded.prepared({**good, "flow": good["flow"][1:]})
    with pytest.raises(CodeRangeError, match="holds NaN"):
        loaded.prepared({**good, "image": np.full((8, 9, 3), np.nan)})


def test_what_is_invalid_may_be_told_by_a_mask(small: Path) -> None:
    loaded, sample = OnnxModel(small), random_sample(8, 9)
    valid: Mask = np.asarray(np.isfinite(sample["flow"]).all(-1))
    masked = loaded.prepared({**sample, "flow": np.nan_to_num(sample["flow"])}, {"flow": valid})
    np.testing.assert_array_equal(masked["flow"], sample["flow"])
    rounded = loaded.prepared({**sample, "image": sample["image"] + 0.25})
    np.testing.assert_array_equal(rounded["image"], sample["image"])


def test_files_of_others_are_refused(small: Path, tmp_path: Path) -> None:
    import onnx

    with pytest.raises(MissingInputError, match="there is no file"):
        OnnxModel(tmp_path / "none.onnx")
    (tmp_path / "torn.onnx").write_bytes(small.read_bytes()[:1000])
    with pytest.raises(UnreadableFileError, match="cannot be read as ONNX"):
        OnnxModel(tmp_path / "torn.onnx")
    model = onnx.load(small)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(UnreadableFileError, match="does not say what it takes: make it with `train export`"):
        OnnxModel(tmp_path / "foreign.onnx")
    with pytest.raises(UnreadableFileError, match="what a says of itself cannot be used"):
        ExportFacts.from_text('{"version": "1"}', "a")


# -- runs of other kinds -----------------------------------------------------------------------------------------------


def test_a_file_of_a_run_in_16_bits_computes_in_32_and_says_so(tmp_path: Path) -> None:
    model, said = untrained_model("frrn", (IMAGE,), base_channels=2, precision="bf16"), list[str]()
    path, _ = _file(model, "onnx", tmp_path, said)
    assert re.match(r"the file computes in 32 bits, the run in bf16: both give \d+\.\d+% of the pixels", said[0])
    loaded = OnnxModel(path)
    assert loaded.facts.precision == "fp32"
    assert loaded.facts.parity is not None
    assert loaded.facts.parity.max_difference < 0.01


def test_of_several_data_sets_one_is_told(tmp_path: Path) -> None:
    first = untrained_model("frrn", (IMAGE,), base_channels=2)
    both = build_segmenter(first.config.model, input_columns((IMAGE,), {}), [2, 3]).eval()
    maps = {"first": made_class_map(("static", "moving"), {}), "second": CLASSES}
    model = replace(first, segmenter=both, class_maps=maps, state=replace(first.state, provenance=()))
    file = exported(model, "onnx", noise_samples(model), tmp_path / "a.onnx", "second")
    write_exported(file, tmp_path / "a.onnx")
    loaded, sample = OnnxModel(tmp_path / "a.onnx"), random_sample(20, 30)
    assert loaded.class_maps == {"second": CLASSES}
    expected = model.predict(sample, dataset="second").probabilities_CHW
    batch = {"image": loaded.prepared(sample)["image"][None]}
    np.testing.assert_allclose(loaded.probabilities(batch)[0], expected, atol=0.01)
