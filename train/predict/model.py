"""A trained network that stands alone: arrays as people have them in, class ids and probabilities out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import (
    CodeRangeError,
    ConfigurationError,
    DamagedStoreError,
    MissingInputError,
    SegprepError,
    SizeMismatchError,
)
from segprep.datasets.program.values import Misfit
from segprep.datasets.sample import Array, Mask, Sample
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.workspace import find_workspace
from segprep.train.learning.config import RunConfig, parse_config
from segprep.train.learning.state import RunState
from segprep.train.network.checkpoint import WEIGHTS_FILE, check_names, checkpoint_name
from segprep.train.network.description import read_described
from segprep.train.network.named import named_weights
from segprep.train.network.segmenter import Segmenter, build_segmenter, default_device, input_columns
from segprep.train.predict.columns import takes
from segprep.train.predict.views import Views, scored

__all__ = ["Encoded", "Model", "Prediction", "Views", "load"]

_ONE_VIEW = Views()


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a network says of one sample.

    Attributes:
        ids_HW: uint8 train ids of the likeliest classes.
        probabilities_CHW: float32, of each class by train id; they sum to 1.
        clipped: By input column how many pixels its code could not express; they got its nearest value.
    """

    ids_HW: Array
    probabilities_CHW: npt.NDArray[np.float32]
    clipped: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A sample as the network takes it.

    Attributes:
        stored_HWC: The codes of all input columns beside each other, in their order; float32 where their dtypes differ.
        clipped: By input column how many pixels its code could not express; they got its nearest value.
        valid: By input column (H, W) bool where it holds something, of those whose code has a mask.
    """

    stored_HWC: Array
    clipped: Mapping[str, int]
    valid: Mapping[str, Mask]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A trained network with everything that it needs.

    Attributes:
        path: The file of its weights.
        columns: What it takes, in their order.
        class_maps: By the name of each data set that it learned.
        config: Of its run.
        state: Where its run stood: step, scores, provenance.
        segmenter: The network itself.
    """

    path: Path
    columns: tuple[ArraySpec, ...]
    class_maps: Mapping[str, ClassMap]
    config: RunConfig
    state: RunState
    segmenter: Segmenter

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the samples that it was trained on."""
        height, width = self.columns[0].shape[:2]
        return width, height

    @property
    def classes(self) -> ClassMap:
        """The classes of the first data set, of most networks the only one."""
        return next(iter(self.class_maps.values()))

    def classes_of(self, dataset: str | None) -> ClassMap:
        """Return the classes of a data set; of the first one by default.

        Raises:
            ConfigurationError: If there is no such data set.
        """
        return list(self.class_maps.values())[self.head(dataset)]

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return sum(each.numel() for each in self.segmenter.parameters())

    def predict(
        self,
        sample: Sample | Mapping[str, Array],
        valid: Mapping[str, Mask] | None = None,
        *,
        dataset: str | None = None,
        views: Views = _ONE_VIEW,
        batch_size: int = 1,
    ) -> Prediction:
        """Predict one sample of any size.

        Columns are coded and scaled as they were in the shards. The network sees the sample at the size that it has:
        it knows things best at about the size at which they were in training, see `size`. Larger ones it can see by
        windows of that size: `views=Views(window=model.size)`. Memory for the network is bounded by the window then,
        and the probabilities are summed on the CPU.

        Args:
            sample: By column (H, W, C) or (H, W) in the units of its kind: RGB images uint8, depth in metres, flow
                (u, v) in pixels. Columns that the network does not take are let pass.
            valid: By column (H, W) bool; of a `Sample` its own unless given. NaN is invalid anyway.
            dataset: Whose classes, of a network that learned several data sets; the first one by default.
            views: Windows, scales and flips whose probabilities are averaged.
            batch_size: How many windows the network sees at once.

        Raises:
            MissingInputError: If a column is missing; says what it must hold.
            SizeMismatchError: If the columns differ in size.
            CodeRangeError: If an array does not fit its column's code.
            ConfigurationError: If there is no such data set, or a column cannot follow the views.
        """
        encoded = self.encoded(sample, valid)
        found_NCHW = self.probabilities(
            torch.from_numpy(encoded.stored_HWC[None]),
            dataset=dataset,
            views=views,
            batch_size=batch_size,
            valid_NHW={name: torch.tensor(mask)[None] for name, mask in encoded.valid.items()},
        )
        probabilities_CHW: npt.NDArray[np.float32] = found_NCHW[0].cpu().numpy()
        return Prediction(probabilities_CHW.argmax(0).astype(np.uint8), probabilities_CHW, encoded.clipped)

    def encoded(self, sample: Sample | Mapping[str, Array], valid: Mapping[str, Mask] | None = None) -> Encoded:
        """Code a sample as the shards did; arguments and errors as of `predict`."""
        arrays = sample.arrays if isinstance(sample, Sample) else sample
        masks = valid if valid is not None else (sample.valid if isinstance(sample, Sample) else {})
        clipped: dict[str, int] = {}
        known: dict[str, Mask] = {}
        stored_HWC = []
        for column in self.columns:
            codes, mask, count = _coded(column, arrays, masks.get(column.name))
            clipped[column.name] = count
            if mask is not None:
                known[column.name] = mask
            stored_HWC.append(codes if codes.ndim == 3 else codes[..., None])
        sizes = {column.name: codes.shape[:2] for column, codes in zip(self.columns, stored_HWC, strict=True)}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{name} {width}x{height}" for name, (height, width) in sizes.items())
            raise SizeMismatchError(f"the columns of a sample must have one size, not {found}")
        mixed = len({each.dtype for each in stored_HWC}) > 1
        whole_HWC = np.concatenate([each.astype(np.float32) if mixed else each for each in stored_HWC], -1)
        return Encoded(np.ascontiguousarray(whole_HWC), clipped, known)

    def probabilities(
        self,
        stored_NHWC: Tensor,
        *,
        dataset: str | None = None,
        views: Views = _ONE_VIEW,
        batch_size: int | None = None,
        valid_NHW: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return (N, classes, H, W) float32 probabilities of samples as `encoded` gives them.

        They lie on the network's device; of windows, which pictures have that may be too large for it, where
        `stored_NHWC` lies.

        Args:
            stored_NHWC: The samples.
            dataset: See `predict`.
            views: See `predict`.
            batch_size: How many windows or samples the network sees at once; all samples by default.
            valid_NHW: By column (N, H, W) bool; see `scored`.

        Raises:
            ConfigurationError: If there is no such data set, or a column cannot follow the views.
        """
        head = self.head(dataset)
        if views.window is None:
            stored_NHWC = stored_NHWC.to(self.segmenter.centre.device)
        valid_NHW = {name: mask.to(stored_NHWC.device) for name, mask in (valid_NHW or {}).items()}
        size = batch_size or len(stored_NHWC)
        return scored(self.segmenter, self.columns, stored_NHWC, views, head, size, valid_NHW=valid_NHW)

    def head(self, dataset: str | None = None) -> int:
        """Return the number of a data set's head, of the first one by default.

        Raises:
            ConfigurationError: If there is no such data set.
        """
        names = list(self.class_maps)
        if dataset is None:
            return 0
        if dataset not in names:
            raise ConfigurationError(f"{self.path} learned {', '.join(names)}, no data set {dataset!r}")
        return names.index(dataset)


def load(
    named: str | Path,
    checkpoint: str | None = None,
    *,
    runs: Path | None = None,
    device: torch.device | str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Model:
    """Load a trained network from its checkpoint alone.

    `load("runs/run-001").predict({"image": rgb_HW3}).ids_HW` are the ids of a picture's classes.

    Args:
        named: A run's name or folder, a checkpoint's folder, or its `weights.safetensors`, wherever it lies.
        checkpoint: `best`, `last` or the name of one, of a run; by default `best` where there is one.
        runs: Folder of the runs that may be named; `runs` in the working directory by default.
        device: Where it computes; by default the first GPU, else the CPU.
        say: Gets sentences for the user.

    Raises:
        ConfigurationError: If there is no such run or file, or it does not say what it is.
        UnreadableFileError, DamagedStoreError: If the file is damaged.
    """
    runs = Path("runs") if runs is None else runs
    path = named_weights(str(named), runs, None if checkpoint is None else checkpoint_name(checkpoint))
    weights, said = read_described(path, say)
    try:
        state = RunState.from_json(said)
        if state.config is None:
            raise Misfit("there is no entry config")
        config = parse_config(state.config, str(path))
    except (Misfit, ConfigurationError) as error:
        raise DamagedStoreError(f"what {path} says of itself cannot be used: {error}") from error
    columns = _columns(path, state, config)
    segmenter = build_segmenter(
        replace(config.model, compile=False),
        input_columns(columns, {}),
        state.class_counts,
        state.scalings,
        config.data.blank,
    )
    check_names(segmenter.network.state_dict(), weights, str(path))
    segmenter.network.load_state_dict(weights)
    segmenter.eval()
    maps = {name: ClassMap.from_json(each) for name, each in zip(state.names, state.class_maps, strict=True)}
    return Model(path, columns, maps, config, state, segmenter.to(device or default_device()))


def _columns(path: Path, state: RunState, config: RunConfig) -> tuple[ArraySpec, ...]:
    """Return the input columns; checkpoints of earlier versions need the store of their run."""
    if state.columns:
        return tuple(ArraySpec.from_json(each) for each in state.columns)
    try:
        shards = Path(config.shards[0]) if config.shards else find_workspace(path.resolve().parent).shards_dir
        store = ShardStore.open(shards / "train.zarr", "train")
        return tuple(store.columns[name] for name in config.data.inputs)
    except (SegprepError, KeyError) as error:
        raise ConfigurationError(
            f"{path} was saved by an earlier version, which did not write what its input columns are, and the store "
            f"that says it cannot be read ({error}): name {WEIGHTS_FILE} where the run lies, beside its shards"
        ) from error


def _coded(column: ArraySpec, arrays: Mapping[str, Array], valid: Mask | None) -> tuple[Array, Mask | None, int]:
    if column.name not in arrays:
        raise MissingInputError(f"the sample has no column {column.name!r}, {takes(column)}")
    values = np.asarray(arrays[column.name])
    code = code_from_json(column.code)
    if values.dtype.kind == "f":
        known = ~np.isnan(values).reshape(*values.shape[:2], -1).any(-1)
        valid = known if valid is None else valid & known
    try:
        encoded = code.encode(values, valid)
    except CodeRangeError as error:
        raise CodeRangeError(f"column {column.name!r}, {takes(column)}: {error}") from error
    return encoded.stored, encoded.valid, encoded.clipped
