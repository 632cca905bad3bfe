"""A process may open a few files only: stores of many files are read all the same, and what cannot be is no damage."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from segprep.datasets.shards import open_files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which files are open")

_START = """
import os, resource, sys
from segprep.datasets.errors import MachineError
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.open_files import MAPPED
from segprep.datasets.shards.verify import verify_store
from segprep.datasets.file_records import FileRecord, wrong_content
stores = [ShardStore.open(path) for path in sys.argv[1:]]
for store in stores:
    store.read_batch("image", [0])  # loads what is loaded when it is first needed
def limit(files):
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
def open_now():
    return len(os.listdir("/proc/self/fd"))
"""

_MANY_FILES = (
    _START
    + """
from concurrent.futures import ThreadPoolExecutor
limit(64)
most = 0
def read(number):
    global most
    store = stores[number % len(stores)]
    for name in store.columns:
        store.read_batch(name, [6, 0, 3, 1])
        store.read_valid(name, number % 7)
        most = max(most, open_now())
for number in range(9):
    read(number)
with ThreadPoolExecutor(2) as pool:
    list(pool.map(read, range(9)))
print(sum(len(files) for store in stores for _, _, files in os.walk(store.path)), most)
"""
)

_NO_MORE = (
    _START
    + """
limit(64)
others = []
def take():
    try:
        while True:
            others.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
def tell(call):
    while MAPPED._mapped:
        MAPPED._let_go()
    take()
    try:
        told = call()
    except Exception as error:
        told = error
    while others:
        os.close(others.pop())
    print(f"{type(told).__name__}: {told}" if isinstance(told, Exception) else type(told).__name__)
path = sys.argv[1]
file = stores[0].path / "zarr.json"
store = ShardStore.open(path)
tell(lambda: store.read("label", 6))
tell(lambda: store.pose(6))
tell(lambda: ShardStore.open(path))
tell(lambda: verify_store(stores[0].path))
tell(lambda: wrong_content(file, FileRecord(os.stat(file).st_size, "")))
store.read("label", 6)
print(verify_store(stores[0].path))
stores[0].read("label", 6)
take()
print(stores[0].read("depth", 0).shape)
"""
)


def _run(script: str, *stores: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, stores)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_stores_of_more_files_than_a_process_may_open_are_read(tmp_path: Path, store_path: Path) -> None:
    stores = [shutil.copytree(store_path, tmp_path / f"{n}.zarr") for n in range(3)]
    (line,) = _run(_MANY_FILES, *stores)
    files, most = map(int, line.split())
    assert files > 64
    assert most < 64


def test_too_many_open_files_are_no_damage(store_path: Path) -> None:
    *told, whole, shape = _run(_NO_MORE, store_path)
    for line in told:
        assert line.startswith(f"MachineError: {store_path}"), line
        assert "cannot be read: Too many open files. This process may open no more files: raise the limit" in line
        assert "damage" not in line.replace(str(store_path), "")
    assert len(told) == 5
    assert whole == "[]", "a later look finds it whole"
    assert shape == "(12, 20)", "what this process has mapped itself gives way"


@pytest.mark.parametrize(("limit", "most"), [(64, 16), (1024, 256), (1 << 20, 1024), (2, 1), (-1, 1024)])
def test_mapped_files_take_half_of_what_a_process_may_open(
    monkeypatch: pytest.MonkeyPatch, limit: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert open_files.most_mapped() == most
