"""How fast stores are written, and in how much memory: `python bench/write.py [--out DIR] [--part PART]... [--tiny]`.

Image, flow and label of 768x384 (see `_read_data.py`) in shards as `prep shard` makes them, by our writer and by
zarr-python (see `_write_zarr.py`): the same arrays, codecs and bytes; every file synced with its folder.
single      whole shards of samples that are in memory, codec by codec, each writer in a process of its own, in turn
workers     `prep shard --workers 2` on a workspace of PNGs, against plain processes and zarr-python, lz4
memory      of the workers of `prep shard`, for shards of several sizes

`--tiny` does the same in seconds on small frames.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _parts import parser_of, show
from _read_data import Scale, make_arrays, write_pngs
from _write_single import single_report
from _write_tasks import make_workspace
from _write_workers import memory_report, workers_report

from segprep.datasets.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is measured.

    Attributes:
        samples: Of the arrays.
        codecs: Of the part `single`.
        single_rounds: Over all of their shards.
        copies: Of each sample in the workspace.
        resize_workers: That make it.
        per_shard: Of the part `workers`; None for what `prep shard` takes by itself.
        worker_rounds: Of the part `workers`.
        memory_workers: Of the part `memory`.
        memory: Codec and samples per shard; None as above.
    """

    samples: Scale
    codecs: Sequence[str]
    single_rounds: int
    copies: int
    resize_workers: int
    per_shard: int | None
    worker_rounds: int
    memory_workers: int
    memory: Sequence[tuple[str, int | None]]


_PARTS = ("single", "workers", "memory")
# 75 samples are the default; 31 and 124 are 64 and 256 MB raw of all columns, 300 are 256 MiB of the image alone.
_REAL_MEMORY = (("lz4", None), ("lz4", 31), ("lz4", 124), ("lz4", 300), ("none", None), ("none", 300))
_REAL = _Size(Scale((768, 384), 16, 300, 75), ("lz4", "none", "zstd"), 3, 2, 2, None, 3, 2, _REAL_MEMORY)
_TINY = _Size(Scale((96, 48), 2, 6, 3), ("lz4",), 1, 1, 0, 3, 1, 0, (("lz4", None),))


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser_of(__doc__, "write", _PARTS).parse_args(arguments)
    size = _TINY if options.tiny else _REAL
    out: Path = options.out.absolute()
    folder = out / ("tiny" if options.tiny else "data")
    arrays = make_arrays(folder, size.samples)
    made: list[Workspace] = []

    def workspace() -> Workspace:
        if not made:
            work = out / "work"
            shutil.rmtree(work, ignore_errors=True)
            pngs = write_pngs(folder / "png", arrays)
            made.append(make_workspace(work / "workspace", pngs, size.copies, size.resize_workers))
        return made[0]

    parts: dict[str, Callable[[], str]] = {
        "single": lambda: single_report(
            folder, size.samples, size.codecs, size.single_rounds, out / "log.txt", tiny=options.tiny
        ),
        "workers": lambda: workers_report(workspace(), size.per_shard, size.worker_rounds),
        "memory": lambda: memory_report(
            workspace(), size.samples.samples * size.copies, size.samples.raw_bytes, size.memory_workers, size.memory
        ),
    }
    show(parts, options.part)


if __name__ == "__main__":
    main()
