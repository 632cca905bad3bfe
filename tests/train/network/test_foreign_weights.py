"""Weights in files of TensorFlow and Keras: they give what TensorFlow gives, and damage is told.

`published.zip` holds small files that `support/published_graphs.py small` wrote. Whole networks are compared where
the environment variable SEGPREP_TENSORFLOW names a Python with TensorFlow 2.
"""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError, MissingInputError, UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.train.models import MODELS, frrn, segnet
from segprep.train.models._layers import SplitConv2d
from segprep.train.models._padding import pad_as_tensorflow
from segprep.train.network.config import NetworkConfig
from segprep.train.network.foreign.checkpoints import read_checkpoint
from segprep.train.network.foreign.files import read_foreign
from segprep.train.network.published import load_published
from segprep.train.network.segmenter import Segmenter, build_segmenter
from segprep.train.network.weights import LoadReport
from support.networks import make_column

_TENSORFLOW = os.environ.get("SEGPREP_TENSORFLOW", "")
_GRAPHS = Path(__file__).parents[2] / "support" / "published_graphs.py"
_FILES = {"frrn": ("weights.ckpt-7", "weights.pb"), "fcn8s": ("weights.pb",), "segnet": ("weights.h5",)}


def _loaded(
    name: str, path: Path, columns: int = 1, classes: int = 3, **options: Any
) -> tuple[Segmenter, LoadReport, list[str]]:
    module, said = MODELS.load(name), list[str]()
    own = [make_column("image"), make_column("flow", kind=Kind.CODED)][:columns]
    config = NetworkConfig(
        name=name, options={**module.PUBLISHED.options, **options}, precision="fp32", weights=str(path)
    )
    segmenter = build_segmenter(config, own, [classes]).eval()
    return segmenter, load_published(segmenter, module, config, own, said.append), said


def _logits(segmenter: Segmenter, pictures: np.ndarray[Any, Any]) -> Tensor:
    with torch.inference_mode():
        return segmenter.logits(torch.from_numpy(np.concatenate(list(pictures), axis=-1)))


def _nchw(values: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(values).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small files."""
    folder = tmp_path_factory.mktemp("published")
    with zipfile.ZipFile(Path(__file__).with_name("published.zip")) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def checkpoint(small: Path, tmp_path: Path) -> Path:
    """A copy of the small checkpoint's two files; their prefix."""
    for path in small.glob("weights.ckpt-7.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / "weights.ckpt-7"


# -- equal to TensorFlow -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["weights.ckpt-7", "weights.ckpt-7.index", "weights.pb"])
def test_a_network_of_paris_gives_its_logits(small: Path, file: str) -> None:
    segmenter, report, _ = _loaded("frrn", small / file, base_channels=1)
    case = np.load(small / "case.npz")
    torch.testing.assert_close(_logits(segmenter, case["inputs"]), _nchw(case["logits"]), rtol=0, atol=1e-4)
    assert (report.unused, report.missing, report.unfilled, report.mismatched) == ((), (), (), ())
    # Two slots of Adam for each variable, and its two powers.
    assert report.of_training == (0 if file == "weights.pb" else 2 * len(report.loaded) + 2)


def test_layers_of_keras_have_its_epsilon_and_its_inputs(small: Path) -> None:
    segmenter, report, said = _loaded("segnet", small / "keras.h5")
    case = np.load(small / "case.npz")
    inputs_NHWC = torch.from_numpy(case["inputs"][0])
    encoder = segmenter.network.get_submodule("trunk.encoder")
    x = (inputs_NHWC.permute(0, 3, 1, 2).float() - segmenter.centre) / segmenter.spread
    with torch.inference_mode():
        found = encoder.get_submodule("bn1")(encoder.get_submodule("conv1")(x))
    torch.testing.assert_close(found[:, ::16], _nchw(case["features"]), rtol=1e-5, atol=1e-4)
    norm = {f"bn1.{part}" for part in ("weight", "bias", "running_mean", "running_var")}
    assert set(report.loaded) == {f"trunk.encoder.{name}" for name in ("conv1.weight", "conv1.bias", *norm)}
    scaled = "image enters as (value - (123.68, 116.779, 103.939)) / (1, 1, 1)"
    assert said == [f"{small / 'keras.h5'}: {scaled}, as in Keras' ResNet50-SegNet"]


def test_strided_layers_pad_where_tensorflow_does(small: Path) -> None:
    case = np.load(small / "case.npz")
    for size in range(1, 10):
        x = _nchw(case["layers"][:, :size, : 10 - size])
        layers: list[tuple[nn.Module, str]] = [(nn.MaxPool2d(3, 2, padding=1), f"pool_{size}")]
        for kernel in (3, 7):
            layer = nn.Conv2d(2, 1, kernel, 2, kernel // 2, bias=False)
            layer.weight = nn.Parameter(torch.from_numpy(case[f"kernel_{kernel}_{size}"]).permute(3, 2, 0, 1))
            layers.append((layer, f"conv_{kernel}_{size}"))
        for layer_, name in layers:
            pad_as_tensorflow(layer_)
            with torch.inference_mode():
                torch.testing.assert_close(layer_(x), _nchw(case[name]), rtol=1e-5, atol=1e-5, msg=name)


def test_layers_without_a_stride_stay_as_they_are() -> None:
    layer = SplitConv2d(2, 2, (1, 2))
    x = torch.randn(1, 2, 5, 6)
    expected = layer(x)
    pad_as_tensorflow(layer)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("name", ["adapnet", "smsnet", "segnet"])  # ssma is made of the same
def test_any_size_works_with_tensorflows_padding(name: str) -> None:
    module = MODELS.load(name)
    columns = [make_column("image"), make_column("flow", kind=Kind.CODED)][: 2 if name == "smsnet" else 1]
    with torch.device("meta"):
        network = module.build(module.Config(**module.PUBLISHED.options), columns, (7,)).eval()
    for size in ((1, 1), (31, 34)):
        (output,) = network(torch.zeros(1, 3 * len(columns), *size, device="meta"))
        assert tuple(output.main.shape) == (1, 7, *size)


@pytest.mark.skipif(not _TENSORFLOW, reason="SEGPREP_TENSORFLOW names no Python with TensorFlow 2")
@pytest.mark.parametrize("name", ["adapnet", "ssma", "smsnet", "frrn", "fcn8s", "segnet"])
def test_whole_networks_give_what_tensorflow_gives(name: str, tmp_path: Path) -> None:
    subprocess.run([_TENSORFLOW, str(_GRAPHS), name, str(tmp_path)], check=True)
    case = np.load(tmp_path / "case.npz")
    expected = _nchw(case["logits"])
    if name == "segnet":  # whose published scores have half the size
        expected = F.interpolate(expected, scale_factor=2, mode="bilinear")
    options = {"frrn": {"base_channels": 8}, "fcn8s": {"fc_channels": 1024}}.get(name, {})
    for file in _FILES.get(name, ("weights.ckpt-7",)):
        segmenter, report, _ = _loaded(name, tmp_path / file, len(case["inputs"]), **options)
        gap = float((_logits(segmenter, case["inputs"]) - expected).abs().max())
        largest = float(expected.abs().max())
        sys.stdout.write(f"\n{name} {file}: {len(report.loaded)} tensors, logits to {largest:.3g}, gap {gap:.2g}\n")
        assert gap < 1e-4
        assert (report.unused, report.missing, report.unfilled, report.mismatched) == ((), (), (), ())


# -- what is told ------------------------------------------------------------------------------------------------------


def test_names_that_do_not_match_are_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["conv1/conv1/kernel:0"] = np.zeros((7, 7, 3, 64), np.float32)
        file["conv1/conv1/bias:0"] = np.zeros(65, np.float32)
        file["res9z_branch2a/kernel:0"] = np.zeros((1, 1, 64, 64), np.float32)
        file["top_level_model_weights"] = np.int64(3)
    _, report, _ = _loaded("segnet", tmp_path / "odd.h5")
    assert report.loaded == ("trunk.encoder.conv1.weight",)
    assert report.unused == ("res9z_branch2a/kernel",)
    assert report.mismatched == (("trunk.encoder.conv1.bias", (65,), (64,)),)
    assert "trunk.encoder.bn1.weight" in report.missing
    assert "in the file but not in the network: res9z_branch2a/kernel" in report.sentence


def test_a_head_for_other_classes_begins_fresh(small: Path) -> None:
    _, report, _ = _loaded("frrn", small / "weights.pb", classes=5, base_channels=1)
    assert {name for name, *_ in report.mismatched} == {"heads.0.weight", "heads.0.bias"}
    assert report.unfilled == ()


def test_options_by_which_a_network_computes_otherwise_are_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["conv1/kernel:0"] = np.zeros((7, 7, 3, 64), np.float32)
    _, _, said = _loaded("segnet", tmp_path / "w.h5", padding="symmetric")
    assert said[1:] == ["Keras' ResNet50-SegNet was trained with other padding: it computes something else here"]


def test_weights_of_another_network_are_refused(small: Path) -> None:
    message = "holds no weights of the course project's FCN-8s that fit this network; it holds BatchNorm/beta"
    with pytest.raises(ConfigurationError, match=message):
        _loaded("fcn8s", small / "weights.ckpt-7", fc_channels=8)


def test_group_norm_of_paris_is_refused() -> None:
    network = frrn.build(frrn.Config(base_channels=1), [make_column("image")], [3])
    with pytest.raises(ConfigurationError, match="take weights with batch norm"):
        frrn.PUBLISHED.names(network, {"resblock_v2_1/group_normalization/gamma": (1, 1, 1, 1)})


def test_published_weights_see_pictures_only() -> None:
    with pytest.raises(ConfigurationError, match="see 8-bit pictures of three channels, not uint16 of 1 as 'depth'"):
        segnet.PUBLISHED.scaling(segnet.Config(), make_column("depth", 1, Kind.DEPTH, "uint16"))


# -- damage ------------------------------------------------------------------------------------------------------------


def _flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: _flip(p.with_suffix(".ckpt-7.index"), 100), "the checksum of a block differs"),
        (lambda p: _flip(p.with_suffix(".ckpt-7.index"), -1), "does not end as a table of LevelDB"),
        (lambda p: _flip(p.with_suffix(".ckpt-7.data-00000-of-00001"), 0), "the checksum of .* differs"),
        (lambda p: os.truncate(p.with_suffix(".ckpt-7.data-00000-of-00001"), 900), "ends behind the file of numbers"),
        (lambda p: os.truncate(p.with_suffix(".ckpt-7.data-00000-of-00001"), 0), "larger than the file of numbers"),
        (lambda p: p.with_suffix(".ckpt-7.index").write_bytes(b""), "does not end as a table"),
    ],
)
def test_a_damaged_checkpoint_is_told(checkpoint: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(checkpoint)
    with pytest.raises(UnreadableFileError, match=f"{checkpoint.name} cannot be read .*{message}.*copy them again"):
        read_foreign(checkpoint)


def test_every_byte_of_an_index_is_checked(checkpoint: Path) -> None:
    index = checkpoint.with_suffix(".ckpt-7.index")
    sound, expected = index.read_bytes(), read_checkpoint(checkpoint)
    for position in range(0, len(sound), 211):
        _flip(index, position)
        try:
            found = read_foreign(checkpoint)
        except UnreadableFileError:
            pass
        else:  # the footer is padded with bytes that nobody reads
            assert position > len(sound) - 48
            assert found.arrays.keys() == expected.arrays.keys()
        index.write_bytes(sound)


@pytest.mark.parametrize("name", ["weights.pb", "keras.h5"])
@pytest.mark.parametrize("share", [0, 0.3, 0.999])
def test_a_file_that_ends_early_is_told(small: Path, tmp_path: Path, name: str, share: float) -> None:
    data = (small / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_foreign(tmp_path / name)


@pytest.mark.parametrize("name", ["none.pb", "none.h5", "model.ckpt-3"])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingInputError, match=r"do not exist .*give a file .pth, .pt, .safetensors, .pb or .h5"):
        read_foreign(tmp_path / name)


def test_a_small_file_cannot_promise_much(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("conv1/kernel:0", (2**14, 2**14), np.float32, chunks=(64, 64), compression="gzip")
    with pytest.raises(UnreadableFileError, match="promises more numbers than it has room for"):
        read_foreign(tmp_path / "bomb.h5")
