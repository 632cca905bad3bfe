"""Fixtures for all tests, and the rule that only tests marked `cluster` may use Dask's processes."""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from support.properties import register_profiles

register_profiles()

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Every scheduler, worker and client of Dask reads this setting first and refuses a value that it does not know.
_SETTING = "distributed.comm.tls.min-version"
_VARIABLE = "DASK_DISTRIBUTED__COMM__TLS__MIN_VERSION"
os.environ[_VARIABLE] = "refused, because the test is not marked 'cluster'"  # also in processes that a test starts

# Small arrays: further threads only wait, and burn the processor time of tests beside. Also in processes that a test
# starts; NumPy and torch read it when they are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is written is synced, file by file, and no test pulls the plug: a disk in memory saves a third of the time.
_MEMORY_DISK = Path("/dev/shm")
_NEEDED_BYTES = 4 * 2**30


def _keep_temporary_files_in_memory() -> None:
    if not _MEMORY_DISK.is_dir() or not os.access(_MEMORY_DISK, os.W_OK | os.X_OK):
        return
    runs_programs = not os.statvfs(_MEMORY_DISK).f_flag & os.ST_NOEXEC  # an environment among them
    if runs_programs and shutil.disk_usage(_MEMORY_DISK).free >= _NEEDED_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY_DISK))


_keep_temporary_files_in_memory()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With one marker alone, pass over files that do not name it: importing all of them takes long."""
    marker = config.option.markexpr
    if marker not in ("cluster", "long") or not collection_path.match("test_*.py"):
        return None
    return None if f"mark.{marker}" in collection_path.read_text(encoding="utf-8") else True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let tests that are marked `cluster`, and the fixtures made for them, use Dask's processes."""
    if item.get_closest_marker("cluster") is None:
        return (yield)
    import dask  # while the variable is set, so that this process refuses what is not marked, too

    with pytest.MonkeyPatch.context() as patch, dask.config.set({_SETTING: None}):
        patch.delenv(_VARIABLE)
        return (yield)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it are skipped where it is absent."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"real data are not here: {_SHARED_DATA} does not exist")
    return _SHARED_DATA


@pytest.fixture(scope="session")
def cityscapes_miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cityscapes' miniature with 4 annotated frames, rendered once, which takes seconds: tests only read it."""
    from segprep.datasets.catalog.cityscapes import write_miniature

    root = tmp_path_factory.mktemp("cityscapes") / "data"
    write_miniature(root, 4)
    return root


@pytest.fixture
def quick_workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests of what workers make, not of how they start: forks of a process that has loaded Dask, half as dear."""
    if request.node.get_closest_marker("cluster") is None:
        yield
        return
    import dask
    import distributed  # noqa: F401  (brings the defaults that leaving the block would take away with the setting)

    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD", "forkserver")  # for processes of the test
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield
