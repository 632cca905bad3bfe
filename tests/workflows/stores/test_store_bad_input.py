"""What must not become or replace a store: each has its own message, and what stood there stands there afterwards."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.imageio import write_image
from segprep.datasets.shards import ShardStore
from support.commands import make_camvid, prep, tree_bytes

pytestmark = pytest.mark.usefixtures("ws")

Prep = Callable[..., int]
Captured = pytest.CaptureFixture[str]

STORE = Path("shards/train.zarr")


@pytest.fixture
def ready(ws: Path, tmp_path: Path) -> None:
    """A workspace with a store of three samples."""
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=3, val=1)) == 0
    assert prep("resize", "--factor", "4", "--split", "train") == 0
    assert prep("shard") == 0


def _grow(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "camvid")
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=4, val=1)) == 0
    assert prep("resize", "--split", "train") == 0


def _change_attributes(change: Callable[[dict[str, Any]], object]) -> None:
    root = json.loads((STORE / "zarr.json").read_bytes())
    change(root["attributes"])
    (STORE / "zarr.json").write_text(json.dumps(root, indent=2))


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("sealed", [True, False], ids=["ours", "another program's"])
def test_a_store_of_a_newer_schema_is_neither_read_nor_replaced(capsys: Captured, sealed: bool) -> None:
    def renew(attributes: dict[str, Any]) -> None:
        attributes |= {"schema_version": 7, "digest": "of another kind"}
        if not sealed:
            del attributes["digest"], attributes["files"]

    _change_attributes(renew)
    before = tree_bytes(Path("shards"))
    with pytest.raises(DamagedStoreError, match="schema version 7"):
        ShardStore.open(STORE)
    commands = {
        ("verify",): 6,
        ("verify", "--fast"): 6,
        ("verify", "--repair"): 6,
        ("stats", STORE): 6,
        ("peek", STORE, "0"): 6,
        ("shard",): 5,
        ("shard", "--dry-run"): 5,
    }
    for command, code in commands.items():
        capsys.readouterr()
        assert prep(*command) == code, command
        message = capsys.readouterr().err
        if sealed or code == 6:
            assert "schema version 7" in message, command
            assert "pdate segprep" in message or "update segprep" in message, command
        else:
            assert "another program" in message
        assert tree_bytes(Path("shards")) == before, command
    assert prep("status") == 0


def _foreign(path: Path, to: Path) -> None:
    """Write a copy of a store as zarr-python does, without what only segprep records."""
    source = zarr.open_group(path, mode="r", use_consolidated=False)
    attributes = {k: v for k, v in source.attrs.asdict().items() if k not in ("files", "digest")}
    target = zarr.create_group(to, zarr_format=3, attributes=attributes)
    for name, array in source.arrays():
        made = target.create_array(
            name,
            shape=array.shape,
            dtype=array.dtype,
            chunks=(1, *array.shape[1:]),
            fill_value=array.fill_value,
            config={"write_empty_chunks": True},
        )
        made[:] = array[:]


@pytest.mark.usefixtures("ready")
def test_another_program_s_store_is_checked_as_far_as_it_can_be(capsys: Captured) -> None:
    _foreign(STORE, Path("foreign.zarr"))
    assert prep("verify", "foreign.zarr") == 0
    out = capsys.readouterr().out
    assert "foreign.zarr: another program wrote it, without checksums to compare; every sample decodes" in out
    assert prep("verify", "foreign.zarr", "--fast") == 0
    assert "shapes and dtypes agree" in capsys.readouterr().out
    assert prep("verify", "foreign.zarr", STORE, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"foreign.zarr": [], str(STORE): []}
    keys = ShardStore.open(STORE).keys

    labels = zarr.open_array("foreign.zarr/label", mode="r+")
    labels[1, 0, :2] = 77
    shutil.rmtree("foreign.zarr/image/c/2")
    assert prep("verify", "foreign.zarr", "--fast") == 0
    capsys.readouterr()
    assert prep("verify", "foreign.zarr") == 6
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "foreign.zarr: 2 damaged files"
    assert "image: " in lines[1]
    assert "is missing" in lines[1]
    assert lines[1].endswith(f"samples {keys[2]}")
    assert "label: it holds ids that are neither a class 0..10 nor 255: 77; samples " + keys[1] in lines[2]
    assert prep("verify", "foreign.zarr", "--repair") == 2
    assert "is no store of the workspace" in capsys.readouterr().err


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("what", ["another program's store", "a folder", "a file", "a link"])
def test_what_is_no_store_of_the_workspace_is_not_replaced(capsys: Captured, tmp_path: Path, what: str) -> None:
    other = Path("shards/val.zarr")
    assert prep("resize", "--split", "val") == 0
    if what == "another program's store":
        _foreign(STORE, other)
    elif what == "a folder":
        other.mkdir()
        (other / "notes.txt").write_text("mine")
    elif what == "a file":
        other.write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        other.symlink_to(tmp_path / "elsewhere")
    before = tree_bytes(Path("shards"))
    assert prep("shard") == 5
    assert f"{other.absolute()} is " in (message := capsys.readouterr().err)
    assert "move it away" in message
    assert tree_bytes(Path("shards")) == before
    assert other.is_symlink() == (what == "a link")


@pytest.mark.usefixtures("ready")
def test_a_store_in_use_by_another_writer_is_left_alone(tmp_path: Path, capsys: Captured) -> None:
    _grow(tmp_path)
    next(STORE.glob("image/c.0*")).unlink()
    before = tree_bytes(Path("shards"))
    code = (
        "import sys, pathlib\nfrom segprep.datasets.program.writer_lock import writer_lock\n"
        "with writer_lock(pathlib.Path.cwd()):\n print('held', flush=True)\n sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for command in (("shard",), ("verify", "--repair")):
            capsys.readouterr()
            assert prep(*command) == 5
            assert f"is being written by process {holder.pid} on " in capsys.readouterr().err
            assert tree_bytes(Path("shards")) == before
        assert prep("verify") == 6  # reading needs no lock
        holder.communicate()
    assert prep("verify", "--repair") == 0


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("ids", ["train", "raw"])
def test_ids_outside_the_class_map_leave_the_old_store(tmp_path: Path, capsys: Captured, ids: str) -> None:
    assert prep("resize", "--split", "train", "--label-ids", ids) == 0
    assert prep("shard") == 0
    _grow(tmp_path)
    before = tree_bytes(STORE)
    config = Path("prep.toml").read_text()
    assert config.count("raw_ids = [4]") == 1
    Path("prep.toml").write_text(config.replace("raw_ids = [4]", "raw_ids = [200]"))
    capsys.readouterr()
    assert prep("shard") == 5
    assert "column label is stale for 4 samples" in capsys.readouterr().err
    assert prep("resize", "--split", "train") == 4
    assert re.search(r"0001TP_\d+ label: label ids outside the class map: 4 \(\d+ px\)", capsys.readouterr().out)
    assert prep("shard") == 5
    assert "no sample of split train has every one of the columns" in capsys.readouterr().err
    assert tree_bytes(STORE) == before
    assert prep("verify") == 0
    Path("prep.toml").write_text(config)
    assert prep("resize", "--split", "train", "--retry-failed") == 0
    assert prep("shard") == 0
    assert len(ShardStore.open(STORE)) == 4


@pytest.mark.usefixtures("ready")
def test_images_of_mixed_sizes_leave_the_old_store(tmp_path: Path, capsys: Captured) -> None:
    write_image(tmp_path / "camvid/train/0001TP_007030.png", np.zeros((72, 96, 3), np.uint8))
    write_image(tmp_path / "camvid/trainannot/0001TP_007030.png", np.zeros((72, 96), np.uint8))
    assert prep("resize", "--split", "train") == 0
    before = tree_bytes(Path("shards"))
    capsys.readouterr()
    assert prep("shard") == 5
    assert "images of different sizes (2 of 12x9, 1 of 24x18)" in capsys.readouterr().err
    assert tree_bytes(Path("shards")) == before
    assert prep("verify") == 0


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("file", ["train.zarr.partial/zarr.json", "key/c.0.0", "label/c.0.0.0", "variant/zarr.json"])
def test_a_disk_that_takes_no_more_leaves_the_old_store(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    _grow(tmp_path)
    before = tree_bytes(STORE)

    def fsync(descriptor: int) -> None:
        if f"{file}." in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        capsys.readouterr()
        assert prep("shard") == 3
    message = capsys.readouterr().err
    assert f"{file} cannot be written" in message
    assert "the disk is full" in message
    assert tree_bytes(STORE) == before
    assert not list(Path("shards").rglob("*.[0-9]*.partial"))
    assert prep("verify") == 0
    assert prep("shard") == 0
    assert len(ShardStore.open(STORE)) == 4
    assert [path.name for path in Path("shards").iterdir()] == ["train.zarr"]


@pytest.fixture
def read_only(ready: Prep, tmp_path: Path) -> Iterator[Path]:
    """The workspace, mounted a second time as read-only; needs the right to mount."""
    place = tmp_path / "read-only"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no program to mount a folder with")
    for options in (("--bind",), ("-o", "remount,bind,ro")):
        done = subprocess.run(["mount", *options, str(Path.cwd()), str(place)], capture_output=True, check=False)
        if done.returncode != 0:
            subprocess.run(["umount", str(place)], capture_output=True, check=False)
            pytest.skip(f"a folder cannot be mounted as read-only here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.usefixtures("ready")
def test_a_store_in_a_read_only_folder_is_read_and_not_written(
    read_only: Path, capsys: Captured, tmp_path: Path
) -> None:
    store = read_only / STORE
    opened = ShardStore.open(store)
    np.testing.assert_array_equal(opened.read("image", 2), ShardStore.open(STORE).read("image", 2))
    assert prep("verify", "-C", read_only) == 0
    assert prep("stats", "-C", read_only) == 0
    assert prep("peek", store, "0", "--out", tmp_path / "row.png") == 0
    capsys.readouterr()
    assert prep("peek", store, "0") == 3  # beside the store, if nobody says where
    assert "the file system is read-only" in capsys.readouterr().err
    next(STORE.glob("image/c.0*")).unlink()
    before = tree_bytes(Path("shards"))
    for command in ("shard", "-C", read_only), ("verify", "--repair", "-C", read_only):
        assert prep(*command) == 3, command
        assert str(read_only) in capsys.readouterr().err
        assert tree_bytes(Path("shards")) == before
