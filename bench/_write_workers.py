"""`prep shard` with two workers: speed against plain processes and zarr-python, and the memory of its workers."""

import shutil
from collections.abc import Sequence

from _measure import table, timed
from _memory_over_time import watch
from _read_data import COLUMNS
from _worker_arms import measured, plain_seconds
from _write_tasks import KINDS, arms_of, make_shards, store_path, zarr_arms_of
from _write_zarr import refuse_other_bytes

from segprep.datasets.workspace import Workspace

__all__ = ["memory_report", "workers_report"]

_MOST_MB = 1000  # of a worker
_SHARD = ("shard", "--columns", ",".join(COLUMNS))


def workers_report(workspace: Workspace, per_shard: int | None, rounds: int) -> str:
    """Measure the same shards by workers, by plain processes on halves, by zarr-python, and by the command itself."""
    tasks = make_shards(workspace, per_shard)
    ours, theirs = arms_of(tasks), zarr_arms_of(tasks)
    more = () if per_shard is None else ("--samples-per-shard", str(per_shard))

    def command() -> float:
        shutil.rmtree(workspace.shards_dir, ignore_errors=True)
        return watch(workspace.root, *_SHARD, *more, "--workers", "2").seconds

    report = measured(
        ours,
        rounds,
        {
            "2 plain processes, written by zarr-python": lambda: plain_seconds(theirs, 2),
            "prep shard --workers 2, start-up included": command,
            "2 plain processes, start-up included": timed(lambda: plain_seconds(ours, 2)),
        },
    )
    refuse_other_bytes(*(store_path(tasks[0], kind) for kind in KINDS))
    return report


def memory_report(
    workspace: Workspace, samples: int, sample_bytes: int, workers: int, runs: Sequence[tuple[str, int | None]]
) -> str:
    """Run `prep shard` once for each codec and samples per shard; return a table of its memory."""
    rows, most = [], 0.0
    for codec, per_shard in runs:
        shutil.rmtree(workspace.shards_dir, ignore_errors=True)
        more = () if per_shard is None else ("--samples-per-shard", str(per_shard))
        watched = watch(workspace.root, *_SHARD, *more, "--codec", codec, "--workers", str(workers))
        held = per_shard or make_shards(workspace, None)[0].store.samples_per_shard
        most = max(most, watched.worker_peak_mb)
        rows.append(
            [
                codec,
                f"{held}{'' if per_shard else ' (default)'}",
                f"{held * sample_bytes / 1e6:.0f}",
                f"{watched.worker_peak_mb:.0f}",
                f"{watched.command_peak_mb:.0f}",
                f"{samples / watched.seconds:.1f}",
            ]
        )
    header = ("codec", "samples per shard", "raw MB", "largest worker (MB)", "command (MB)", "samples/s with start-up")
    reached = "reached" if most < _MOST_MB else "NOT reached"
    return f"{table(header, rows)}\n\nevery worker below {_MOST_MB} MB: {reached}"
