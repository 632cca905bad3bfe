"""Two workers over one, against two plain processes of the same loop over one."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from _measure import in_turn, table
from _prep_tasks import Task, run_task

from segprep.datasets.workspace import Workspace
from segprep.workflows.cluster import ClusterOptions, Executor, make_executor
from segprep.workflows.ledger import Ledger
from segprep.workflows.worker import BatchResult, settle_process

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["arms_report"]


def arms_report(workspace: Workspace, batches: Sequence[Task], rounds: int) -> str:
    """Measure the four arms in turn, without their start-up; return figures and table."""
    samples = sum(len(batch.samples) for batch in batches)
    arms: dict[str, Callable[[], float]] = {
        "1 plain process": lambda: _plain(batches, 1),
        "1 worker": lambda: _dask(workspace, batches, 1),
        "2 plain processes": lambda: _plain(batches, 2),
        "2 workers": lambda: _dask(workspace, batches, 2),
    }
    seconds = in_turn(arms, rounds)
    # Of each round, because the machine's speed drifts: the four arms of a round are neighbours in time.
    plain = [one / two for one, two in zip(seconds["1 plain process"], seconds["2 plain processes"], strict=True)]
    dask = [one / two for one, two in zip(seconds["1 worker"], seconds["2 workers"], strict=True)]
    share = statistics.median(ours / theirs for ours, theirs in zip(dask, plain, strict=True))
    rows = [
        [name, f"{samples / statistics.median(each):.2f}", ", ".join(f"{samples / one:.2f}" for one in each)]
        for name, each in seconds.items()
    ]
    return (
        f"{samples} samples in batches of {len(batches[0].samples)}, medians of {rounds} rounds: two plain processes "
        f"reach {statistics.median(plain):.2f} x one, two workers {statistics.median(dask):.2f} x one: {share:.2f} of "
        "it\n\n" + table(("arm", "samples/s", "in each round"), rows)
    )


def _dask(workspace: Workspace, batches: Sequence[Task], workers: int) -> float:
    """Return the seconds that the command takes with so many workers, rows committed, once they are warm."""
    with (
        Ledger(workspace.ledger_path, workspace.config.splits) as ledger,
        make_executor(run_task, ClusterOptions(workers=workers)) as executor,
    ):
        _run([_small(batches[0])] * 2 * executor.slots, executor, ledger)
        began = time.perf_counter()
        _run(batches, executor, ledger)
        return time.perf_counter() - began


def _small(batch: Task) -> Task:
    """Return a batch of one sample, to warm up with."""
    return replace(batch, samples=batch.samples[:1])


def _run(batches: Sequence[Task], executor: Executor[Task, BatchResult], ledger: Ledger) -> None:
    waiting = list(batches)
    while waiting or executor.running:
        while waiting and executor.running < executor.slots:
            executor.submit(waiting.pop(0))
        outcome = executor.next()
        if outcome.result is None:
            raise SystemExit(f"a batch failed: {outcome.error}")
        ledger.record(outcome.result.cells, outcome.result.sources)


def _plain(batches: Sequence[Task], processes: int) -> float:
    """Return the seconds that plain processes take for the same batches, dealt out evenly, once they are warm."""
    context = multiprocessing.get_context("spawn")
    ends: list[Connection] = []
    running = []
    for number in range(processes):
        ours, theirs = context.Pipe()
        process = context.Process(target=_loop, args=(theirs, batches[number::processes]))
        process.start()
        ends.append(ours)
        running.append(process)
    for end in ends:
        end.recv()  # warm
    began = time.perf_counter()
    for end in ends:
        end.send("go")
    for end in ends:
        end.recv()  # done
    took = time.perf_counter() - began
    for process in running:
        process.join()
    return took


def _loop(end: "Connection", batches: Sequence[Task]) -> None:
    settle_process()
    run_task(_small(batches[0]))
    end.send("warm")
    end.recv()
    for batch in batches:
        run_task(batch)
    end.send("done")
