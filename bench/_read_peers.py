"""Arms of the benchmark of reading that other libraries provide: `python _read_peers.py NAME FOLDER` writes their data.

Runs in an environment that `_read_environments.py` made. Needs NumPy, torch and the one library that is asked for. All
store raw arrays, uncompressed, in files of about as many samples as our shards hold.
"""

import importlib
import sys
import types
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _read_child import Arm, Batches, Sample
from _read_loader import COLUMNS, RowArm, shuffled

__all__ = ["open_arm"]

_FILE_BYTES = 64 * 2**20


def _arrays(folder: Path) -> dict[str, Any]:
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in COLUMNS}


# MosaicML streaming ---------------------------------------------------------------------------------------------------


def _streaming() -> Any:  # noqa: ANN401  (the libraries of this file are loaded by name)
    """Load the library; names that it imports for pictures and texts and does not use here need not be installed."""
    for name in (
        "torchvision.datasets",
        "torchvision.transforms.functional",
        "transformers.feature_extraction_utils",
        "transformers.models.auto.tokenization_auto",
        "transformers.tokenization_utils_base",
    ):
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:depth]), _Names(".".join(parts[:depth])))
    return importlib.import_module("streaming")


class _Names(types.ModuleType):
    """A module that has every name."""

    __path__ = []  # noqa: RUF012  (what makes a module a package)

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def _write_mds(folder: Path, target: Path) -> None:
    arrays = _arrays(folder)
    columns = {name: f"ndarray:uint8:{','.join(map(str, values.shape[1:]))}" for name, values in arrays.items()}
    with _streaming().MDSWriter(out=str(target), columns=columns, size_limit=_FILE_BYTES) as writer:
        for row in range(len(arrays["label"])):
            writer.write({name: np.array(values[row]) for name, values in arrays.items()})


class _ByName:
    """A dataset whose items are dictionaries of arrays."""

    def __init__(self, dataset: Any) -> None:  # noqa: ANN401  (as above)
        self._dataset = dataset

    def __getitem__(self, row: int) -> Sample:
        item = self._dataset[row]
        return [item[name] for name in COLUMNS]


def _open_mds(target: Path) -> Arm:
    dataset = _streaming().LocalDataset(str(target))
    return RowArm(_ByName(dataset), len(dataset))


# LitData --------------------------------------------------------------------------------------------------------------


def _lit_item(folder: Path, row: int) -> dict[str, Any]:
    return {name: np.array(values[row]) for name, values in _arrays(folder).items()}


def _write_litdata(folder: Path, target: Path) -> None:
    rows = list(range(len(_arrays(folder)["label"])))
    importlib.import_module("litdata").optimize(
        fn=partial(_lit_item, folder), inputs=rows, output_dir=str(target), chunk_bytes=_FILE_BYTES, num_workers=1
    )


def _open_litdata(target: Path) -> Arm:
    dataset = importlib.import_module("litdata").StreamingDataset(str(target), shuffle=False)
    return RowArm(_ByName(dataset), len(dataset))


# WebDataset -----------------------------------------------------------------------------------------------------------


def _write_webdataset(folder: Path, target: Path) -> None:
    arrays = _arrays(folder)
    target.mkdir(parents=True)
    per_file = max(1, _FILE_BYTES // arrays["image"][0].nbytes)
    with importlib.import_module("webdataset").ShardWriter(str(target / "%06d.tar"), maxcount=per_file) as writer:
        for row in range(len(arrays["label"])):
            sample = {f"{name}.npy": np.array(values[row]) for name, values in arrays.items()}
            writer.write({"__key__": f"{row:06d}", **sample})


class _Stream:
    """WebDataset's tar files in the order of their rows, through a shuffle buffer of 64."""

    def __init__(self, target: Path) -> None:
        self._urls = [str(path) for path in sorted(target.glob("*.tar"))]
        self._running: Iterator[dict[str, Any]] | None = None

    def samples(self, rows: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        if self._running is None:
            self._running = iter(self._pipeline())
        for sample in (next(self._running) for _ in rows):
            yield int(sample["__key__"]), [sample[f"{name}.npy"] for name in COLUMNS]

    def batches(self, size: int, workers: int) -> Batches:
        loader = importlib.import_module("torch.utils.data").DataLoader
        dataset = self._pipeline().to_tuple(*(f"{name}.npy" for name in COLUMNS))
        return iter(loader(dataset, batch_size=size, num_workers=workers))

    def _pipeline(self) -> Any:  # noqa: ANN401  (as above)
        dataset = importlib.import_module("webdataset").WebDataset(self._urls, shardshuffle=False)
        return dataset.repeat().shuffle(64).decode()


# Hugging Face datasets ------------------------------------------------------------------------------------------------


def _write_huggingface(folder: Path, target: Path) -> None:
    datasets = importlib.import_module("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features({name: datasets.Value("binary") for name in COLUMNS})
    made = datasets.Dataset.from_generator(
        partial(_binary, folder), features=features, cache_dir=str(target.with_suffix(".cache")), writer_batch_size=16
    )
    made.save_to_disk(str(target))


def _binary(folder: Path) -> Iterator[dict[str, bytes]]:
    arrays = _arrays(folder)
    for row in range(len(arrays["label"])):
        yield {name: values[row].tobytes() for name, values in arrays.items()}


class _Binary:
    """Columns of bytes, seen as arrays."""

    def __init__(self, dataset: Any, shapes: Sequence[tuple[int, ...]]) -> None:  # noqa: ANN401  (as above)
        self._dataset = dataset
        self._shapes = shapes

    def __getitem__(self, row: int) -> Sample:
        item = self._dataset[row]
        return [
            np.frombuffer(item[name], np.uint8).reshape(shape)
            for name, shape in zip(COLUMNS, self._shapes, strict=True)
        ]


def _open_huggingface(target: Path) -> Arm:
    dataset = importlib.import_module("datasets").load_from_disk(str(target))
    shapes = [values.shape[1:] for values in _arrays(target.parent).values()]
    return RowArm(_Binary(dataset, shapes), len(dataset))


# tensorstore reads our stores -----------------------------------------------------------------------------------------


class _Tensorstore:
    """The three columns of a sample are read at a time."""

    def __init__(self, store: Path) -> None:
        library = importlib.import_module("tensorstore")
        self._batch = library.Batch
        self.arrays = [
            library.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(store / name)}}).result()
            for name in COLUMNS
        ]

    def __getitem__(self, row: int) -> Sample:
        reads = [array[row].read() for array in self.arrays]
        return [read.result() for read in reads]

    def batches(self, size: int) -> Batches:
        torch = importlib.import_module("torch")
        rows = shuffled(self.arrays[0].shape[0])
        while True:
            made = [np.empty((size, *array.shape[1:]), np.uint8) for array in self.arrays]
            with self._batch() as batch:
                reads = [
                    array[row].read(batch=batch) for row in (next(rows) for _ in range(size)) for array in self.arrays
                ]
            for place, read in enumerate(reads):
                made[place % len(made)][place // len(made)] = read.result()
            yield [torch.from_numpy(values) for values in made]


class _TensorstoreArm(RowArm):
    def __init__(self, store: Path) -> None:
        self._opened = _Tensorstore(store)
        super().__init__(self._opened, self._opened.arrays[0].shape[0])

    def batches(self, size: int, workers: int) -> Batches:
        if workers:
            raise ValueError("tensorstore does not survive a fork")
        return self._opened.batches(size)


_WRITERS = {
    "MDS": _write_mds,
    "LitData": _write_litdata,
    "WebDataset": _write_webdataset,
    "HF datasets": _write_huggingface,
}


def open_arm(name: str, folder: Path) -> Arm:
    """Open what is read; `tensorstore CODEC` reads our store."""
    importlib.import_module("torch.utils.data")  # now, and not when the first batch is timed
    match name.split():
        case ["MDS"]:
            return _open_mds(folder / name)
        case ["LitData"]:
            return _open_litdata(folder / name)
        case ["WebDataset"]:
            return _Stream(folder / name)
        case ["HF", "datasets"]:
            return _open_huggingface(folder / name)
        case ["tensorstore", codec]:
            return _TensorstoreArm(folder / f"{codec}.zarr")
    raise ValueError(f"no arm {name!r}")


if __name__ == "__main__":
    _WRITERS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[2]) / f"{sys.argv[1]}.partial")
    (Path(sys.argv[2]) / f"{sys.argv[1]}.partial").rename(Path(sys.argv[2]) / sys.argv[1])
