"""Every reader of files of our own, with a sound file of each kind that it reads."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
import zarr
from _damage_world import World, read_everything
from _fuzz_readers import Reader, reader_of

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.record import Direction
from segprep.datasets.sample import SampleKey
from segprep.datasets.shards.foreign import foreign_root, inspect_foreign
from segprep.datasets.shards.verify import verify_store
from segprep.datasets.workspace import load_workspace
from segprep.datasets.workspace.cells import decode_cell, read_record_cell
from segprep.datasets.workspace.ledger_view import read_columns
from segprep.train.evaluation.subject import METRICS_FILE, Subject, evaluation_folder
from segprep.train.learning.config import parse_config, read_toml
from segprep.train.network.checkpoint import load_checkpoint
from segprep.train.network.foreign.files import read_foreign
from segprep.train.network.weights import read_weights
from segprep.train.runs.folder import Run
from segprep.train.runs.monitor import draw_log
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import open_table

__all__ = ["own_readers"]

_PUBLISHED = Path(__file__).parents[1] / "tests" / "train" / "network" / "published.zip"
_SUBJECT = Subject(
    run="run-001", checkpoint="last", step=1, dataset=None, split="val", store="val.zarr", digest="0" * 64,
    at="network", why_not_source=None,
)  # fmt: skip


def own_readers(place: Path, world: World) -> Iterator[Reader]:
    """Yield them all; their files lie below `place`, in copies of the world's."""
    workspace = place / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    shutil.copytree(world.workspace, workspace, symlinks=True)
    yield from _workspace(workspace)
    yield from _folder(place / "folder", workspace)
    yield from _store(workspace / "shards" / "train.zarr")
    yield from _foreign_store(place / "foreign.zarr", workspace / "shards" / "train.zarr")
    yield from _run(workspace / "runs")
    weights, file = place / "weights.pt", io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(4, 3, 3, 3), "bn1.bias": torch.zeros(4)}, file)
    yield reader_of(weights, file.getvalue(), partial(read_weights, weights))
    yield from _published(place / "published")


def _published(folder: Path) -> Iterator[Reader]:
    """Yield files of TensorFlow and Keras; both files of a checkpoint are read together."""
    with zipfile.ZipFile(_PUBLISHED) as archive:
        archive.extractall(folder)
    graph, keras, prefix = folder / "weights.pb", folder / "keras.h5", folder / "weights.ckpt-7"
    yield _of(graph, partial(read_foreign, graph), "frozen graph")
    yield _of(keras, partial(read_foreign, keras), "Keras model")
    yield _of(folder / f"{prefix.name}.index", partial(read_foreign, prefix), "checkpoint index")
    yield _of(folder / f"{prefix.name}.data-00000-of-00001", partial(read_foreign, prefix), "checkpoint data")


def _of(path: Path, read: Callable[[], object], name: str = "") -> Reader:
    return reader_of(path, path.read_bytes(), read, name)


def _workspace(workspace: Path) -> Iterator[Reader]:
    def table() -> None:
        with open_table(workspace) as opened:
            opened.columns()
            for sample in opened.ledger.samples(Selection()):
                sample.record.to_json()

    camera = sorted((workspace / "train" / "camera_data").glob("*.json"))[0]
    yield _of(workspace / "prep.toml", partial(load_workspace, workspace))
    yield _of(workspace / "ledger.sqlite", table)
    yield _of(camera, partial(read_record_cell, camera), "camera cell")
    opened = load_workspace(workspace)
    for column in read_columns(opened)[1]:
        if column.code is not None:
            cell = sorted(opened.column_dir("train", column.name).glob(f"*{column.extension}"))[0]
            # The digest would tell: this is about readers who do not know it.
            read = partial(decode_cell, opened, "train", column, SampleKey(cell.stem))
            yield _of(cell, read, f"cell of {column.name}")
            if column.has_mask_files:
                yield _of(opened.mask_path("train", column.name, SampleKey(cell.stem)), read, f"mask of {column.name}")
    yield from _lock(workspace.parent / "locked")


def _lock(folder: Path) -> Iterator[Reader]:
    folder.mkdir(exist_ok=True)
    with writer_lock(folder):

        def refused() -> None:
            with writer_lock(folder):
                pass

        yield _of(folder / ".writer.json", refused, "writer.json")


def _folder(folder: Path, workspace: Path) -> Iterator[Reader]:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(workspace / "train", folder / "train")

    def listed() -> list[object]:
        return list(CATALOG.load("folder").scan(DatasetSource(folder), Direction.PREVIOUS))

    yield _of(folder / "train" / "depth_data" / "scale.json", listed)


def _store(store: Path) -> Iterator[Reader]:
    def read() -> None:
        verify_store(store)  # never an error but of its own
        read_everything(store)

    yield _of(store / "zarr.json", read, "zarr.json of a store")
    yield _of(store / "image" / "zarr.json", read, "zarr.json of an array")
    yield _of(sorted((store / "depth").glob("c.*"))[0], read, "shard")
    for name in ("key", "camera_K", "source_paths"):
        yield _of(sorted((store / name).glob("c*"))[0], read, name.replace("_", " "))


def _foreign_store(store: Path, ours: Path) -> Iterator[Reader]:
    """Yield the files of a store that zarr-python wrote, with what only our writer records left out."""
    shutil.rmtree(store, ignore_errors=True)
    source = zarr.open_group(ours, mode="r", use_consolidated=False)
    attributes = {name: value for name, value in source.attrs.asdict().items() if name not in ("files", "digest")}
    target = zarr.create_group(store, zarr_format=3, attributes=attributes)
    for name, array in source.arrays():
        made = target.create_array(
            name,
            shape=array.shape,
            dtype=array.dtype,
            chunks=array.shape,
            fill_value=array.fill_value,
            attributes=array.attrs.asdict(),
            config={"write_empty_chunks": True},
        )
        made[:] = array[:]

    def read() -> None:
        root = foreign_root(store)
        if root is not None:
            inspect_foreign(store, root)
        read_everything(store)

    yield _of(store / "zarr.json", read, "zarr.json of another store")
    for name in ("depth", "key", "source_paths"):
        yield _of(store / name / "zarr.json", read, f"zarr.json of another's {name}")
        chunk = next(path for path in sorted((store / name).rglob("*")) if path.is_file() and path.name != "zarr.json")
        yield _of(chunk, read, f"another's {name}")


def _run(runs: Path) -> Iterator[Reader]:
    (run,) = (path for path in runs.iterdir() if path.is_dir())

    def config() -> object:
        return parse_config(read_toml(run / "config.toml"), "config.toml")

    def log() -> None:
        Run(run).cut_log(2)
        draw_log(Run(run))

    def evaluated() -> object:
        return evaluation_folder(run, _SUBJECT)

    yield _of(run / "log.jsonl", log)
    yield reader_of(run / "eval-val" / METRICS_FILE, json.dumps(_SUBJECT.to_json()).encode(), evaluated)
    last = run / "checkpoints" / (run / "checkpoints" / "last").read_text(encoding="utf-8").strip()
    yield _of(run / "config.toml", config)
    yield _of(run / "checkpoints" / "last", partial(load_checkpoint, run / "checkpoints", "last"), "pointer")
    for name in ("state.json", "weights.safetensors", "optimizer.pt"):
        yield _of(last / name, partial(load_checkpoint, run / "checkpoints", "last"))
