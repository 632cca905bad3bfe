"""Two workers over one, against two plain processes of the same loop over one."""

import multiprocessing
import pickle
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from _measure import in_turn, table
from _prep_tasks import Task, run_task

from segprep.datasets.workspace import Workspace
from segprep.workflows.ledger.database import Ledger
from segprep.workflows.running.cluster import ClusterOptions, make_executor
from segprep.workflows.running.outcomes import Executor
from segprep.workflows.running.process import settle_process
from segprep.workflows.running.sharing import Shared

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["Arms", "arms_report", "measured", "plain_seconds"]

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Arms(Generic[Item, Result]):
    """What all arms do.

    Attributes:
        work: What is done with an item; workers import it.
        items: Of about a second each, as the program itself makes them.
        small: To warm up with.
        settle: What the main process does with a result while workers go on.
        samples: How many all items hold.
        unit: What they are called.
    """

    work: Callable[[Item], Result]
    items: Sequence[Item]
    small: Item
    settle: Callable[[Result], object]
    samples: int
    unit: str = "samples"


def arms_report(workspace: Workspace, batches: Sequence[Task], rounds: int) -> str:
    """Measure the four arms with batches whose rows are committed; return figures and table."""
    with Ledger(workspace.ledger_path, workspace.config.splits, writes=True) as ledger:
        first = batches[0]
        return measured(
            Arms(
                run_task,
                batches,
                replace(first, samples=first.samples[:1]),
                lambda result: ledger.record(result.cells, result.sources),
                sum(len(batch.samples) for batch in batches),
            ),
            rounds,
        )


def measured(arms_of: Arms[Item, Result], rounds: int, others: Mapping[str, Callable[[], float]] | None = None) -> str:
    """Measure the four arms in turn, without their start-up; return figures and table.

    Args:
        arms_of: What they do.
        rounds: How often. With 0 nothing is measured: what workers would get is done here, once.
        others: Further arms, by name, that do the same samples: they return their seconds.
    """
    samples, unit = arms_of.samples, arms_of.unit
    if not rounds:
        return _tried(arms_of)
    arms: dict[str, Callable[[], float]] = {
        "1 plain process": lambda: plain_seconds(arms_of, 1),
        "1 worker": lambda: _dask(arms_of, 1),
        "2 plain processes": lambda: plain_seconds(arms_of, 2),
        "2 workers": lambda: _dask(arms_of, 2),
        **(others or {}),
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
        f"{samples} {unit} in batches of {samples // len(arms_of.items)}, medians of {rounds} rounds: two plain "
        f"processes reach {statistics.median(plain):.2f} x one, two workers {statistics.median(dask):.2f} x one: "
        f"{share:.2f} of it\n\n" + table(("arm", f"{unit}/s", "in each round"), rows)
    )


def _tried(arms: Arms[Item, Result]) -> str:
    for item in arms.items:
        work, sent = pickle.loads(pickle.dumps((arms.work, item)))
        arms.settle(work(sent))
    return f"{arms.samples} {arms.unit} done without workers, nothing measured"


def _dask(arms: Arms[Item, Result], workers: int) -> float:
    """Return the seconds that the command takes with so many workers, results settled, once they are warm."""
    with make_executor(arms.work, ClusterOptions(workers=workers), Shared(None, None)) as executor:
        _run([arms.small] * 2 * executor.slots, executor, arms.settle)
        began = time.perf_counter()
        _run(arms.items, executor, arms.settle)
        return time.perf_counter() - began


def _run(items: Sequence[Item], executor: Executor[Item, Result], settle: Callable[[Result], object]) -> None:
    waiting = list(items)
    while waiting or executor.running:
        while waiting and executor.running < executor.slots:
            executor.submit(waiting.pop(0))
        outcome = executor.next()
        if outcome is None:
            continue
        if outcome.result is None:
            raise SystemExit(f"a batch failed: {outcome.error}")
        settle(outcome.result)


def plain_seconds(arms: Arms[Item, Result], processes: int) -> float:
    """Return the seconds that plain processes take for the same items, dealt out evenly, once they are warm."""
    context = multiprocessing.get_context("spawn")
    ends: list[Connection] = []
    running = []
    for number in range(processes):
        ours, theirs = context.Pipe()
        process = context.Process(target=_loop, args=(theirs, arms.work, arms.small, arms.items[number::processes]))
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


def _loop(end: "Connection", work: Callable[[Item], Result], small: Item, items: Sequence[Item]) -> None:
    settle_process()
    work(small)
    end.send("warm")
    end.recv()
    for item in items:
        work(item)
    end.send("done")
