"""Work on a cluster that the user runs, here of threads: who is refused, who comes, who goes, and Ctrl-C meanwhile."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import LocalCluster, get_worker

from segprep.datasets.errors import ClusterLostError, ConfigurationError, WriteFailedError
from segprep.workflows.running import arrival, dask_tasks, users_cluster
from segprep.workflows.running.arrival import require_arrived
from segprep.workflows.running.batches import Interrupted, run_in_batches
from segprep.workflows.running.cluster import ClusterOptions, make_executor
from segprep.workflows.running.code_digest import OUR_FOLDERS
from segprep.workflows.running.outcomes import NotArrived, WorkerDied
from segprep.workflows.running.scheduler_address import require_scheduler
from segprep.workflows.running.sharing import Claims, Shared, Shown, claims

NOTHING = Shared(None, None)
LOOPBACK: Any = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": 50}


@pytest.fixture
def threads() -> Iterator[LocalCluster]:
    """A scheduler, and workers in threads as soon as somebody scales it."""
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False, protocol="tcp", **LOOPBACK) as cluster:
        yield cluster


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the executor tells the user."""
    lines: list[str] = []
    monkeypatch.setattr(users_cluster, "tell", lines.append)
    return lines


def _options(cluster: LocalCluster) -> ClusterOptions:
    return ClusterOptions(scheduler=cluster.scheduler_address)


def _write(folder: Path, honest: int, numbers: Sequence[int]) -> list[Path]:
    """Write a file for each number, but only in one of the workers; all say that they did."""
    paths = [folder / str(number) for number in numbers]
    if get_worker().name == honest:
        for path in paths:
            path.write_bytes(b"x")
    return paths


def _work(numbers: Sequence[int]) -> list[int]:
    return list(numbers)


@pytest.mark.cluster
def test_a_worker_whose_files_are_not_here_is_refused_and_others_do_its_work(
    threads: LocalCluster, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "_PATIENCE_SECONDS", 0.0)
    threads.scale(2)
    threads.wait_for_workers(2)
    settled: list[int] = []

    def settle(numbers: Sequence[int], paths: list[Path] | WorkerDied) -> None:
        assert not isinstance(paths, WorkerDied)
        require_arrived((path, 1) for path in paths)
        settled.extend(numbers)

    work = partial(_write, tmp_path, 1)
    run_in_batches(work, range(20), _options(threads), settle, shared=NOTHING, largest=1)
    assert sorted(settled) == list(range(20)), "each once"
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(20)}
    (line,) = told
    assert f"worker {threads.workers[0].address} is refused and gets no tasks: {tmp_path}" in line
    assert "is not here: it does not share this disk" in line


def test_a_file_that_vanishes_here_ends_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "_PATIENCE_SECONDS", 0.0)
    with pytest.raises(WriteFailedError, match="did something else remove or change it"):
        run_in_batches(
            _work,
            range(3),
            ClusterOptions(workers=0),
            lambda *_: require_arrived([(tmp_path / "nowhere", 1)]),
            shared=NOTHING,
        )


@pytest.mark.cluster
def test_a_scheduler_with_other_code_is_refused(threads: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def claims_of_other_code(_: Shared) -> Iterator[Claims]:
        with claims(NOTHING) as made:
            yield replace(made, code=((OUR_FOLDERS, "of other files"),))

    monkeypatch.setattr(users_cluster, "claims", claims_of_other_code)
    message = (
        f"the scheduler {threads.scheduler_address} cannot be used: its segprep .* has other code than this command"
    )
    with pytest.raises(ConfigurationError, match=message):
        run_in_batches(_work, range(3), _options(threads), lambda *_: pytest.fail("nobody works"), shared=NOTHING)


@contextmanager
def _claims_of_another_dataset(_: Shared) -> Iterator[Claims]:
    with claims(NOTHING) as made:
        yield replace(made, dataset=Path("/nowhere"), sources=(("image.png", "of another dataset"),))


@pytest.mark.cluster
@pytest.mark.parametrize("had", [False, True], ids=["never", "before"])
def test_refused_workers_alone_end_the_command_with_their_names(
    threads: LocalCluster, told: list[str], monkeypatch: pytest.MonkeyPatch, had: bool
) -> None:
    monkeypatch.setattr(users_cluster, "_PATIENCE_SECONDS", 0.0)
    if not had:
        monkeypatch.setattr(users_cluster, "claims", _claims_of_another_dataset)
    threads.scale(1)
    threads.wait_for_workers(1)
    settled: list[int] = []

    def settle(numbers: Sequence[int], _: object) -> None:
        if settled:
            raise NotArrived("a file is not here")
        settled.extend(numbers)

    error, why = (
        (ClusterLostError, "a file is not here") if had else (ConfigurationError, "is not that of this command")
    )
    address = threads.workers[0].address
    with pytest.raises(error, match=f"(?s)may work for this command.*{address}: .*{why}"):
        run_in_batches(_work, range(9), _options(threads), settle, shared=NOTHING, largest=1)
    assert settled == ([0] if had else [])
    assert len(told) == 1
    assert f"worker {address} is refused" in told[0]


@pytest.mark.cluster
def test_ctrl_c_ends_a_command_that_waits_for_workers(threads: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def interrupt(message: str) -> None:
        told.append(message)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(users_cluster, "tell", interrupt)
    with pytest.raises(Interrupted):
        run_in_batches(_work, range(3), _options(threads), lambda *_: pytest.fail("nobody works"), shared=NOTHING)
    (message,) = told
    assert message.endswith("has no workers yet; waiting for them (Ctrl-C ends)")


@pytest.mark.cluster
def test_when_all_workers_go_it_is_told_and_those_that_come_go_on(
    threads: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the worker had finished goes with it, and is done again."""
    monkeypatch.setattr(users_cluster, "_TELL_SECONDS", 1e9)  # the first worker is there, however slow it is
    monkeypatch.setattr(dask_tasks, "_FETCH_SECONDS", 0.5)
    told: list[str] = []

    def bring_another(message: str) -> None:
        told.append(message)
        threads.scale(2)

    monkeypatch.setattr(users_cluster, "tell", bring_another)
    threads.scale(1)
    threads.wait_for_workers(1)
    settled: list[int] = []

    def settle(numbers: Sequence[int], _: object) -> None:
        if not settled:
            threads.scale(0)
            while threads.scheduler_info["workers"]:
                time.sleep(0.01)
            monkeypatch.setattr(users_cluster, "_TELL_SECONDS", 0.0)
        settled.extend(numbers)

    run_in_batches(_work, range(9), _options(threads), settle, shared=NOTHING, largest=1)
    assert sorted(settled) == list(range(9))
    assert told == [f"prep: {threads.scheduler_address} has no worker that may work; waiting for one (Ctrl-C ends)"]


@pytest.mark.cluster
def test_workers_that_join_later_get_tasks_too(threads: LocalCluster, told: list[str]) -> None:
    with make_executor(_work, _options(threads), NOTHING) as executor:
        assert executor.slots == 3
        threads.scale(4)
        while executor.slots < 9:
            assert executor.next() is None


_CLIENTS_FILES = [f"distributed.comm.tls.{name}" for name in ("ca-file", "client.cert", "client.key")]


@pytest.mark.cluster
def test_dasks_own_configuration_of_certificates_is_used(tmp_path: Path, told: list[str]) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not on this machine")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-batch"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], capture_output=True, check=True)
    files = {"cert": certificate, "key": key}
    ours = {"ca-file": certificate, "scheduler": files, "worker": files, "client": files}
    settled: list[int] = []
    with (
        dask.config.set({f"distributed.comm.tls.{name}": value for name, value in ours.items()}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tls", **LOOPBACK) as cluster,
    ):
        assert cluster.scheduler_address.startswith("tls://")
        run_in_batches(_work, range(3), _options(cluster), lambda numbers, _: settled.extend(numbers), shared=NOTHING)
    assert sorted(settled) == [0, 1, 2]


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({}, "asks for certificates, and Dask's configuration names none: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE"),
        (dict.fromkeys(_CLIENTS_FILES, "/nowhere.pem"), "the certificates that Dask's configuration names"),
    ],
)
def test_an_encrypted_address_without_certificates_is_refused(configuration: dict[str, str], message: str) -> None:
    with dask.config.set(configuration), pytest.raises(ConfigurationError, match=message):
        require_scheduler("tls://127.0.0.1:1")


# -- with a client that does what the test wants -------------------------------------------------------------------


class _Future:
    """A task that nobody finishes."""

    def done(self) -> bool:
        return False

    def release(self) -> None:
        pass

    def add_done_callback(self, _: Callable[[Any], None]) -> None:
        pass


class _Client:
    """A client of a cluster whose only worker dies of each task and comes back under another address."""

    status = "running"
    dashboard_link = ""
    scheduler = property(lambda self: self)
    ncores = None

    def __init__(self) -> None:
        self.generation = 0

    def sync(self, *_: object, **__: object) -> dict[str, int]:
        self.generation += 1
        return {f"tcp://worker{self.generation}": 1}

    def run_on_scheduler(self, *_: object) -> Shown:
        return Shown("host7", (), ())

    def submit(self, *_: object, **__: object) -> _Future:
        return _Future()

    def close(self) -> None:
        pass


def test_a_task_whose_workers_all_go_away_again_and_again_has_killed_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users_cluster, "require_scheduler", lambda _: None)
    monkeypatch.setattr(users_cluster, "connect", lambda _: _Client())
    monkeypatch.setattr(users_cluster, "LOOK_SECONDS", 0.0)
    executor: Any = make_executor(_work, ClusterOptions(scheduler="tcp://somewhere:1"), NOTHING)
    monkeypatch.setattr(executor, "_ask", lambda worker: executor._proven.add(worker))
    with executor:
        executor.submit([1])
        looks = 0
        while (outcome := executor.next()) is None:
            looks += 1
            assert looks < 20, "it is given to workers without end"
    assert isinstance(outcome.error, WorkerDied)
    assert outcome.task == [1]
    assert executor.running == 0
