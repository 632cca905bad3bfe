"""Work in batches: everything is settled once, what kills its process stands alone, Ctrl-C keeps what was running."""

import errno
import importlib
import os
import signal
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from segprep.datasets.errors import MachineError, UnreadableFileError
from segprep.workflows.running.batches import Interrupted, run_in_batches
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.running.outcomes import WorkerDied
from segprep.workflows.running.sharing import Shared
from support.workers import ON_WORKERS

HERE = ClusterOptions(workers=0)
NOTHING = Shared(None, None)


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of deadly work, which the workers can import, too."""
    monkeypatch.syspath_prepend(ON_WORKERS)
    monkeypatch.setenv("PYTHONPATH", str(ON_WORKERS))
    return importlib.import_module("deadly_files")


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.cluster
def test_an_item_that_kills_its_process_stands_alone_and_all_others_are_settled_once(
    deadly: Any, tmp_path: Path
) -> None:
    diary = tmp_path / "diary"
    settled: list[tuple[int, int | WorkerDied]] = []

    def settle(numbers: Sequence[int], results: list[int] | WorkerDied) -> None:
        each = [results] * len(numbers) if isinstance(results, WorkerDied) else results
        settled.extend(zip(numbers, each, strict=True))

    assert run_in_batches(
        partial(deadly.double, diary), range(16), ClusterOptions(workers=2), settle, shared=NOTHING
    ), "one died"
    results = dict(settled)
    assert len(settled) == 16
    assert isinstance(results.pop(deadly.VICTIM), WorkerDied)
    assert results == {n: 2 * n for n in range(16) if n != deadly.VICTIM}
    tries = Counter(map(int, diary.read_text().split()))
    assert tries[deadly.VICTIM] >= 3, "in a batch, alone, and alone once more"
    assert sum(n > 1 for n in tries.values()) > 1, "it was in a batch with others, which was split"


def test_what_the_function_raises_ends_the_work() -> None:
    def broken(numbers: Sequence[int]) -> list[int]:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(ZeroDivisionError, match="by nothing"):
        run_in_batches(broken, range(3), HERE, lambda *_: pytest.fail("nothing was done"), shared=NOTHING)


def test_an_error_of_the_machine_arrives_as_one_although_its_cause_stays_with_the_worker() -> None:
    def broken(numbers: Sequence[int]) -> list[int]:
        try:
            raise OSError(errno.EMFILE, "Too many open files")
        except OSError as error:
            raise UnreadableFileError("a.png cannot be read: Too many open files") from error

    with pytest.raises(MachineError, match=r"a\.png cannot be read: Too many open files\. This process may open"):
        run_in_batches(broken, range(3), HERE, lambda *_: pytest.fail("nothing was done"), shared=NOTHING)


def test_batches_grow_to_the_largest_that_is_allowed() -> None:
    sizes: list[int] = []
    assert not run_in_batches(
        len, range(50), HERE, lambda numbers, _: sizes.append(len(numbers)), shared=NOTHING, largest=7
    )
    assert sum(sizes) == 50
    assert sizes[0] == 1, "nothing is known yet of how long an item takes"
    assert max(sizes) == 7


def test_no_items_are_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "segprep.workflows.running.batches.make_executor", lambda *_: pytest.fail("nothing was to be done")
    )
    run_in_batches(list, [], HERE, lambda *_: None, shared=NOTHING)


def test_ctrl_c_settles_what_was_running_and_takes_no_more() -> None:
    before = signal.getsignal(signal.SIGINT)
    taken: list[int] = []
    settled: list[int] = []

    def work(numbers: Sequence[int]) -> list[int]:
        taken.extend(numbers)
        if 5 in numbers:
            os.kill(os.getpid(), signal.SIGINT)
        return list(numbers)

    with pytest.raises(Interrupted):
        run_in_batches(work, range(10_000), HERE, lambda numbers, _: settled.extend(numbers), shared=NOTHING)
    assert settled == taken
    assert 5 in settled
    assert len(settled) < 10_000
    assert signal.getsignal(signal.SIGINT) is before
