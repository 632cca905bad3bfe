"""Real worker processes on loopback: a cluster of the user's own, deadly samples, threads and environment."""

import importlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import pytest

from segprep.datasets.codes import PlainCode
from segprep.datasets.errors import ClusterLostError, ConfigurationError
from segprep.datasets.imageio import read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.program.command_line import run_app
from segprep.datasets.program.progress import Progress
from segprep.datasets.workspace import Workspace, load_workspace
from segprep.datasets.workspace.cells import Column
from segprep.prep.step import Step
from segprep.workflows.cli import app
from segprep.workflows.ledger.table import Table
from segprep.workflows.running import local_cluster, scheduler_address
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.running.local_cluster import LocalExecutor
from segprep.workflows.running.runner import RunOptions, Summary, run_steps
from support.commands import make_camvid, tree_bytes
from support.gate import Gate
from support.workers import ON_WORKERS

pytestmark = pytest.mark.cluster


def _run(*arguments: object) -> int:
    return run_app(app, "prep", [str(a) for a in arguments])


def _run_steps(workspace: Workspace, steps: list[Step], options: ClusterOptions) -> Summary:
    """Run steps as a command does."""
    with Table(workspace, writes=True) as table, Progress("test", quiet=True) as progress:
        table.ledger.set_columns([c for s in steps for c in s.outputs], "test", {})
        return run_steps(table, steps, RunOptions(options), progress)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of steps, which the workers can import, too."""
    monkeypatch.syspath_prepend(ON_WORKERS)
    monkeypatch.setenv("PYTHONPATH", str(ON_WORKERS))
    return importlib.import_module("steps_for_tests")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of 40 samples in split train and 2 in val, where commands are refused before they do anything."""
    place = tmp_path_factory.mktemp("cluster")
    dataset = make_camvid(place / "camvid", train=40, val=2)
    assert _run("init", "camvid", dataset, "-C", place / "ws") == 0
    return load_workspace(place / "ws")


@pytest.fixture
def workspace(untouched: Workspace, tmp_path: Path) -> Workspace:
    """The same for one test; the dataset, which nothing writes to, is that of all."""
    return load_workspace(shutil.copytree(untouched.root, tmp_path / "ws"))


# -- a cluster of the user's own -----------------------------------------------------------------------------------


@dataclass
class UsersCluster:
    """A scheduler and a worker that nobody here started, and where that worker waits."""

    address: str
    scheduler: "subprocess.Popen[bytes]"
    worker: "subprocess.Popen[bytes]"
    gate: Gate


def _dask(program: str, *rest: str, gate: Gate | None = None) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", f"distributed.cli.dask_{program}", "--host", "127.0.0.1", "--no-dashboard", *rest]
    environment = None if gate is None else gate.environment
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment)


def _stop(*processes: "subprocess.Popen[bytes]") -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def users_cluster(tmp_path: Path, steps: object) -> Iterator[UsersCluster]:
    place = tmp_path / "scheduler.json"
    scheduler = _dask("scheduler", "--port", "0", "--scheduler-file", str(place))
    gate = Gate(tmp_path / "gate", "*/train/image_data/*.png", 2)
    worker = _dask("worker", "--nthreads", "1", "--no-nanny", "--scheduler-file", str(place), gate=gate)
    try:
        deadline = time.monotonic() + 60
        while not place.exists() or not place.read_text():
            if scheduler.poll() is not None or time.monotonic() > deadline:
                pytest.fail("the scheduler did not start")
            time.sleep(0.05)
        yield UsersCluster(json.loads(place.read_text())["address"], scheduler, worker, gate)
    finally:
        _stop(worker, scheduler)


def test_a_cluster_of_the_users_own_gives_the_same_bytes_and_one_thread_per_worker(
    users_cluster: UsersCluster, workspace: Workspace, tmp_path: Path, steps: Any
) -> None:
    users_cluster.gate.open()
    alone = tmp_path / "alone"
    assert _run("init", "camvid", workspace.config.dataset_root, "-C", alone) == 0
    for place, where in ((alone, ("--workers", 0)), (workspace.root, ("--scheduler", users_cluster.address))):
        assert _run("resize", "--factor", "2", "-C", place, *where) == 0
        assert _run("flow", "-C", place, *where) == 0
        assert _run("shard", "-C", place, *where) == 0
    expected, found = tree_bytes(alone), tree_bytes(workspace.root)
    assert sum(name.endswith(".png") for name in expected) > 80
    assert sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)) == []

    _run_steps(workspace, [steps.Surroundings()], ClusterOptions(scheduler=users_cluster.address))
    (around,) = _surroundings(workspace, of_processes=1)
    assert around["process"] == users_cluster.worker.pid
    assert around["opencv_threads"] == 1
    assert around["pool_threads"] == [1]
    assert users_cluster.worker.poll() is None, "the user's cluster goes on when the command is done"
    assert users_cluster.scheduler.poll() is None


def test_a_command_waits_for_the_workers_of_a_scheduler_that_has_none_yet(workspace: Workspace, tmp_path: Path) -> None:
    place = tmp_path / "scheduler.json"
    started = [_dask("scheduler", "--port", "0", "--scheduler-file", str(place))]
    try:
        while not place.exists() or not place.read_text():
            assert started[0].poll() is None
            time.sleep(0.05)
        command = [sys.executable, "-c", "from segprep.workflows.cli import main; main()"]
        command += ["resize", "--factor", "2", "-C", str(workspace.root)]
        command += ["--scheduler", json.loads(place.read_text())["address"]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert "has no workers yet" in process.stderr.readline()
            started.append(_dask("worker", "--nthreads", "1", "--no-nanny", "--scheduler-file", str(place)))
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert len(list(workspace.root.glob("*/image_data/*.png"))) == 42
    finally:
        _stop(*reversed(started))


def test_a_scheduler_that_dies_ends_the_command_and_what_was_finished_is_kept(
    users_cluster: UsersCluster, workspace: Workspace, tmp_path: Path, steps: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", "from segprep.workflows.cli import main; main()"]
    command += ["resize", "--factor", "2", "-C", str(workspace.root), "--scheduler", users_cluster.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        users_cluster.gate.wait_until_reached(process)
        users_cluster.scheduler.kill()
        _, err = process.communicate(timeout=60)
        users_cluster.worker.kill()  # it would go on with what it has begun
        users_cluster.worker.wait()
    assert process.returncode == 3, err
    assert f"the connection to the Dask scheduler {users_cluster.address} was lost" in err
    assert "Traceback" not in err
    assert _run("resize", "-C", workspace.root, "--workers", 0) == 0
    assert len(list(workspace.root.glob("*/image_data/*.png"))) == 42


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense", "missing port number"),
        ("tcp://127.0.0.1", "missing port number"),
        ("http://127.0.0.1:80", "unknown address scheme"),
        ("127.0.0.1:port", "invalid literal"),
    ],
)
def test_an_address_that_is_none_is_refused(
    untouched: Workspace, capsys: pytest.CaptureFixture[str], address: str, message: str
) -> None:
    assert _run("resize", "--factor", "2", "-C", untouched.root, "--scheduler", address) == 2
    error = capsys.readouterr().err
    assert f"no Dask scheduler answers at {address}" in error
    assert message in error


@pytest.mark.parametrize("silent", [False, True], ids=["nobody there", "somebody who never answers"])
def test_an_address_where_no_scheduler_answers_is_refused_in_time(
    untouched: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    assert scheduler_address._CONNECT_SECONDS == 20
    monkeypatch.setattr(scheduler_address, "_CONNECT_SECONDS", 1.0)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if silent:
            server.listen()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert _run("resize", "--factor", "2", "-C", untouched.root, "--scheduler", address) == 2
    assert f"no Dask scheduler answers at {address} within 1 s" in capsys.readouterr().err
    assert not (untouched.root / "train").exists()


def test_own_workers_and_a_scheduler_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="--workers and --scheduler"):
        ClusterOptions(workers=2, scheduler="tcp://127.0.0.1:8786")


# -- local workers -------------------------------------------------------------------------------------------------


def test_a_sample_that_kills_its_worker_fails_alone_and_all_others_are_done(tmp_path: Path, steps: Any) -> None:
    """All on one worker, so that none is there after each death; two die in the tests of batches and of `check`."""
    samples = 7  # the first three come one by one, the others in a batch
    dataset = make_camvid(tmp_path / "few", train=samples - 2, val=2)
    assert _run("init", "camvid", dataset, "-C", tmp_path / "ws") == 0
    workspace = load_workspace(tmp_path / "ws")
    victim = "0016E5_007002"  # the last
    diary = tmp_path / "diary"
    step = steps.Deadly(Column("copy", Kind.IMAGE, PlainCode()), victim, str(diary))
    # Dask's own look for dead workers comes while the successor is down: it must not give the worker up.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "50 ms"}):
        summary = _run_steps(workspace, [step], ClusterOptions(workers=1))
    assert summary.states == {"copy": {"done": samples - 1, "not made": 1}}
    (not_made,) = summary.not_made
    assert not_made.key == victim
    assert "its worker process died twice on it" in not_made.reason
    assert (summary.failed_samples, summary.not_made_samples) == (0, 1), "memory may have been short"
    made = {path.stem for path in workspace.root.glob("*/copy_data/*.png")}
    assert len(made) == samples - 1
    assert victim not in made
    for path in workspace.root.glob("*/copy_data/*.png"):
        read_image(path)
    assert not list(workspace.root.rglob("*.partial")), "what the dead processes left is removed"
    keys = diary.read_text().split()
    repeated = {key for key in keys if keys.count(key) > 1}
    assert len(repeated) > 1, "it was in a batch with others, which was split"
    assert keys.count(victim) >= 3

    diary.unlink()
    again = _run_steps(workspace, [step], ClusterOptions(workers=1))
    assert diary.read_text().split() == [victim] * 2, "the next run tries it once more"
    assert again.states == {"copy": {"done": samples - 1, "failed": 1}}
    assert ([failure.key for failure in again.failures], again.not_made) == ([victim], ())
    diary.unlink()
    assert _run_steps(workspace, [step], ClusterOptions(workers=1)).made == 0
    assert not diary.exists(), "now it stays failed until somebody asks for it again"


def test_local_workers_use_one_thread_and_not_dasks_malloc_setting(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, steps: Any
) -> None:
    for name in ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    summary = _run_steps(workspace, [steps.Surroundings()], ClusterOptions(workers=2))
    assert summary.states == {"surroundings": {"done": 42}}
    for around in _surroundings(workspace, of_processes=2):
        assert around["environment"] == {
            "MALLOC_TRIM_THRESHOLD_": None,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        assert around["opencv_threads"] == 1
        assert around["pool_threads"] == [1]
        assert around["ignores_ctrl_c"]


def _surroundings(workspace: Workspace, *, of_processes: int) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in workspace.root.glob("*/surroundings_data/*.json")]
    by_process = {each["process"]: each for each in found}
    assert len(by_process) == of_processes
    return list(by_process.values())


def test_the_local_scheduler_takes_tasks_from_nobody_else() -> None:
    with local_cluster._cluster(0) as local:
        address: str = local.scheduler_address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises(ConfigurationError, match="asks for certificates"):
            scheduler_address.require_scheduler(address)
        with pytest.raises(ConfigurationError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1"):
            scheduler_address.require_scheduler(address.replace("tls", "tcp"))


@pytest.mark.parametrize("deaths", [2, 3])
def test_a_worker_that_dies_while_it_starts_is_started_again_or_told(
    monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    starts: list[int | None] = []

    def start(workers: int | None) -> str:
        starts.append(workers)
        if len(starts) <= deaths:
            raise RuntimeError("Nanny failed to start.")
        return "the cluster"

    monkeypatch.setattr(local_cluster, "_cluster", start)
    if deaths < 3:
        assert local_cluster._start(2) == "the cluster"
    else:
        with pytest.raises(ClusterLostError, match="a worker process died while it started, 3 times"):
            local_cluster._start(2)
    assert starts == [2, 2, 2]


def test_workers_that_all_die_and_never_come_back_end_the_run(
    workspace: Workspace, steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_cluster, "_RESTART_SECONDS", 1.0)
    entered = LocalExecutor.__enter__

    def without_workers(self: Any) -> Any:
        executor = entered(self)
        self._cluster.scale(0)
        while self._client.nthreads():
            time.sleep(0.05)
        return executor

    monkeypatch.setattr(LocalExecutor, "__enter__", without_workers)
    with pytest.raises(ClusterLostError, match="none came back within 1 s"):
        _run_steps(workspace, [steps.Surroundings()], ClusterOptions(workers=1))
