"""Bad input has its own message and exit code, and nothing is lost."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.imageio import read_image, write_image
from support.commands import make_camvid, prep

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def ready(ws: Path, camvid: Path) -> Path:
    """A workspace whose dataset can be spoilt before the first command; returns the dataset."""
    assert prep("init", "camvid", camvid) == 0
    return camvid


def _resized(capsys: Captured, *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = prep("resize", "--factor", "2", *arguments)
    captured = capsys.readouterr()
    return code, " ".join((captured.out + captured.err).split())


def _others_are_done(bad: str) -> bool:
    made = {p.stem for split in ("train", "val") for p in Path(split, "image_data").glob("*.png")}
    return len(made - {bad}) == 9


def test_a_truncated_png_is_named_and_the_rest_goes_on(ready: Path, capsys: Captured) -> None:
    victim = ready / "train/0001TP_007030.png"
    victim.write_bytes(victim.read_bytes()[:-40])
    code, text = _resized(capsys)
    assert code == 4
    assert str(victim) in text
    assert "truncated" in text
    assert _others_are_done("0001TP_007030")
    assert not Path("train/image_data/0001TP_007030.png").exists()
    with closing(sqlite3.connect("ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT exit_code FROM runs").fetchall() == [(4,)], "as the command ended"


def test_a_zero_byte_file_is_named(ready: Path, capsys: Captured) -> None:
    victim = ready / "trainannot/0001TP_007030.png"
    victim.write_bytes(b"")
    code, text = _resized(capsys)
    assert code == 4
    assert f"{victim}" in text
    assert "empty" in text
    assert len(list(Path("train/label_data").glob("*.png"))) == 5


def test_pipes_and_devices_fail_their_samples_and_nobody_waits(ready: Path, capsys: Captured) -> None:
    pipe, endless = (ready / "train" / f"0001TP_{number:06d}.png" for number in (7000, 7030))
    pipe.unlink()
    os.mkfifo(pipe)
    endless.unlink()
    endless.symlink_to("/dev/zero")
    assert prep("check", "--workers", "0") == 4
    capsys.readouterr()
    code, out = _resized(capsys)
    assert code == 4
    assert "0001TP_007000.png cannot be read: it is a pipe where a file is needed" in out
    assert "0001TP_007030.png cannot be read: it is a device where a file is needed" in out
    assert prep("status") == 0


def test_a_label_id_outside_the_class_map_is_named_with_its_pixel_count(ready: Path, capsys: Captured) -> None:
    label = read_image(ready / "valannot/0016E5_007002.png").copy()
    label[0, :7] = 99
    write_image(ready / "valannot/0016E5_007002.png", label)
    code, text = _resized(capsys)
    assert code == 4
    assert "0016E5_007002 label: label ids outside the class map: 99 (7 px)" in text


def test_an_image_and_a_label_of_different_size_are_told_apart(ready: Path, capsys: Captured) -> None:
    write_image(ready / "valannot/0016E5_007002.png", np.zeros((18, 24), np.uint8))
    code, text = _resized(capsys)
    assert code == 4
    assert "label is 24x18, but its image is 48x36" in text


def test_a_missing_label_is_said_by_init_and_fails_its_sample(ready: Path, capsys: Captured) -> None:
    (ready / "valannot/0016E5_007002.png").unlink()
    assert prep("init", "camvid", ready) == 0
    assert "valannot/0016E5_007002.png" in capsys.readouterr().out
    code, text = _resized(capsys)
    assert code == 4
    assert "0016E5_007002.png does not exist" in text


def test_a_failed_sample_stays_failed_until_it_is_mended(ready: Path, capsys: Captured) -> None:
    victim = ready / "train/0001TP_007030.png"
    content = victim.read_bytes()
    victim.write_bytes(content[:100])
    assert _resized(capsys)[0] == 4
    assert _resized(capsys)[0] == 4, "a rerun does not turn green by itself"
    assert prep("resize", "--max-bad", "50%") == 0
    assert prep("shard", "--split", "train") == 0
    assert "1 without image (failed)" in capsys.readouterr().out
    victim.write_bytes(content)
    assert _resized(capsys)[0] == 0


def test_retry_failed_tries_again_what_failed(ready: Path, capsys: Captured) -> None:
    (ready / "train/0001TP_007030.png").write_bytes(b"no picture at all")
    code, text = _resized(capsys)
    assert " 10 worked on" in text
    code, text = _resized(capsys)
    assert (code, " 0 worked on now" in text) == (4, True)
    code, text = _resized(capsys, "--retry-failed")
    assert (code, "1 worked on now" in text) == (4, True)


def test_a_folder_that_is_no_dataset_exits_with_3_and_shows_the_layout(tmp_path: Path, capsys: Captured) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert prep("init", "camvid", empty) == 3
    message = capsys.readouterr().err
    assert str(empty) in message
    assert "ROOT/trainannot/" in message or "ROOT/train/" in message
    assert prep("init", "camvid", tmp_path / "nowhere") == 3
    assert not Path("prep.toml").exists()


def test_an_unknown_dataset_lists_the_known_ones(tmp_path: Path, capsys: Captured) -> None:
    assert prep("init", "camvidd", tmp_path) == 2
    assert f"Known: {', '.join(CATALOG.names())}" in capsys.readouterr().err


def test_commands_without_a_workspace_say_how_to_make_one(capsys: Captured) -> None:
    assert prep("status") == 2
    assert "prep init" in capsys.readouterr().err


def test_a_workspace_inside_the_dataset_is_refused(camvid: Path) -> None:
    assert prep("init", "camvid", camvid, "-C", camvid / "prepared") == 2
    assert not (camvid / "prepared").exists()


def test_a_workspace_of_another_dataset_is_refused(ready: Path, tmp_path: Path) -> None:
    assert prep("init", "synthetic", "--miniature", tmp_path / "drive", "--frames", "2") == 5


def test_wrong_options_exit_with_2(ready: Path) -> None:
    assert prep("resize") == 2
    assert prep("resize", "--factor", "0") == 2
    assert prep("resize", "--size", "axb") == 2
    assert prep("resize", "--factor", "2", "--size", "8x8") == 2
    assert prep("resize", "--factor", "2", "--labels", "often") == 2
    assert prep("resize", "--factor", "2", "--max-bad", "many") == 2
    assert prep("resize", "--factor", "2", "--split", "trian") == 2
    assert prep("flow", "--scale", "-1") == 2
    assert prep("flow", "--estimator", "dos") == 2
    assert not Path("train").exists()


def test_flow_before_resize_says_what_to_run(ready: Path, capsys: Captured) -> None:
    assert prep("flow") == 5
    assert "`prep resize`" in capsys.readouterr().err


def test_images_of_different_sizes_cannot_be_sharded_and_the_message_mends_it(ready: Path, capsys: Captured) -> None:
    write_image(ready / "train/0001TP_007030.png", np.zeros((72, 96, 3), np.uint8))
    write_image(ready / "trainannot/0001TP_007030.png", np.zeros((72, 96), np.uint8))
    assert _resized(capsys)[0] == 0
    assert prep("shard") == 5
    message = capsys.readouterr().err
    assert "`prep resize --size 24x18`" in message
    assert prep("resize", "--size", "24x18") == 0
    assert prep("shard") == 0


def test_damage_in_a_store_is_found_and_named(ready: Path, capsys: Captured) -> None:
    _resized(capsys)
    prep("shard")
    victim = next(Path("shards/train.zarr/label").glob("c.*"))
    data = bytearray(victim.read_bytes())
    data[40] ^= 1
    victim.write_bytes(data)
    capsys.readouterr()
    assert prep("verify") == 6
    text = capsys.readouterr().out
    assert "label/" in text
    assert "0001TP_" in text
    assert prep("verify", "shards/val.zarr") == 0
    assert prep("shard") == 0  # sizes are right, so nothing is to do
    victim.unlink()
    assert prep("verify", "--fast") == 6
    assert prep("shard") == 0
    assert prep("verify") == 0


# -- disks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB; needs the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no program to mount a small tmpfs with")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.cluster)])
def test_a_full_disk_stops_with_a_message_and_loses_nothing(
    tmp_path: Path, small_disk: Path, capsys: Captured, workers: int
) -> None:
    dataset = make_camvid(tmp_path / "large", train=40, val=2, width=240, height=180)
    place = small_disk / "ws"
    assert prep("init", "camvid", dataset, "-C", place) == 0
    capsys.readouterr()
    assert prep("resize", "--factor", "1", "-C", place, "--workers", workers) == 3
    message = capsys.readouterr().err
    assert "cannot be written" in message
    assert "full" in message
    assert str(place) in message
    assert not list(place.rglob("*.partial"))
    for path in place.rglob("*_data/*.png"):
        read_image(path)  # whatever has its name is whole
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert prep("resize", "-C", place, "--workers", 0) == 0
    assert len(list(place.rglob("image_data/*.png"))) == 42


def test_a_read_only_workspace_is_refused_before_any_work(
    camvid: Path, tmp_path: Path, small_disk: Path, capsys: Captured
) -> None:
    prep("init", "camvid", camvid, "-C", small_disk / "ws")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    capsys.readouterr()
    assert prep("resize", "--factor", "2", "-C", small_disk / "ws") == 3
    assert "ws" in capsys.readouterr().err
    assert prep("init", "camvid", camvid, "-C", small_disk / "other") == 3
    assert "read-only" in capsys.readouterr().err.lower()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every folder")
def test_a_folder_without_permission_is_refused(camvid: Path, tmp_path: Path) -> None:
    place = tmp_path / "closed"
    place.mkdir(mode=0o555)
    assert prep("init", "camvid", camvid, "-C", place) == 3


def test_verifying_before_anything_was_stored_says_what_to_run(ready: Path, capsys: Captured) -> None:
    assert prep("verify") == 3
    assert prep("verify", "shards/train.zarr") == 3
    assert capsys.readouterr().err.count("`prep shard`") == 2
