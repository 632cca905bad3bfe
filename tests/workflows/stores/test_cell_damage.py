"""Cells whose bytes have changed while size and time have not: found wherever they are read, and made again."""

import json
import os
import re
from pathlib import Path

import pytest

from segprep.datasets.errors import DamagedCellError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.program.progress import Progress
from segprep.datasets.program.writer_lock import writer_lock
from segprep.workflows.ledger.table import open_for_writing
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.stores import writing
from segprep.workflows.stores.planning import plan_split
from support.commands import prep, prepared_drive, tree_bytes

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def ready(ws: Path, camvid: Path) -> Path:
    """A workspace with images and labels."""
    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "2") == 0
    return ws


def _spoil(path: Path, place: int = -30) -> Path:
    """Change a byte and nothing that a look at the folder would tell."""
    stat = path.stat()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return path


def _first(pattern: str) -> Path:
    return sorted(Path().glob(pattern))[0]


@pytest.mark.parametrize("augment", [(), ("--augment", "2")], ids=["as they are", "variants"])
def test_shard_names_the_file_and_the_command_that_mends_it(
    ready: Path, capsys: Captured, augment: tuple[str, ...]
) -> None:
    before = tree_bytes(ready)
    spoilt = [_spoil(_first("train/label_data/*")), _spoil(sorted(Path("train/image_data").iterdir())[3])]
    capsys.readouterr()
    assert prep("shard", *augment) == 6
    message = capsys.readouterr().err
    assert "2 cells are damaged" in message
    for path in spoilt:
        assert f"{path} of sample {path.stem}: its content is not what was written" in message
    assert "Run `prep resize` and then `prep shard`" in message
    assert prep("status") == 0
    assert "stale: damaged: train/label_data/" in capsys.readouterr().out
    assert prep("shard", *augment) == 5
    assert "Run `prep resize`" in capsys.readouterr().err
    assert prep("resize") == 0
    assert {path: data for path, data in tree_bytes(ready).items() if path in before} == before
    assert prep("shard", *augment) == 0


def test_an_error_about_one_cell_is_kept_if_no_other_is_damaged(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no cause in itself: whoever follows the causes of an error would not come to an end."""
    _spoil(_first("train/label_data/*"))
    monkeypatch.setattr(writing, "damaged_cells", lambda *_, **__: (1, []))
    with open_for_writing(ready) as table:
        plan = plan_split(table, "train", None, codec="lz4", per_shard=None, require_all=False)
        with (
            pytest.raises(DamagedCellError, match="not what was written") as caught,
            Progress("prep shard") as progress,
        ):
            writing.write_split(table, plan, ClusterOptions(workers=0), progress)
    assert caught.value.__cause__ is not caught.value


def test_verify_finds_cells_and_their_stage_makes_them_again(ready: Path, capsys: Captured) -> None:
    assert prep("verify") == 0, "there need be no store"
    assert "23 cells, whole" in capsys.readouterr().out
    assert prep("shard") == 0
    spoilt = _spoil(_first("val/image_data/*"))
    assert prep("status", "--json") == 0
    assert prep("verify", "--fast") == 0
    capsys.readouterr()
    assert prep("verify", "--json") == 6
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found[str(ready)] == [
        {"file": str(spoilt), "reason": "its content is not what was written here", "keys": [spoilt.stem]}
    ]
    assert found[str(ready / "shards/val.zarr")] == []
    assert "Run `prep resize` and then `prep verify`" in told.err
    assert prep("resize") == 0
    assert prep("verify") == 0


def test_a_file_that_is_gone_or_cut_is_found_by_size(ready: Path, capsys: Captured) -> None:
    gone, cut = sorted(Path("train/label_data").iterdir())[:2]
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-4])
    capsys.readouterr()
    assert prep("verify", "--fast") == 6
    message = capsys.readouterr().err
    assert f"{gone} of sample {gone.stem}: the file is missing" in message
    assert f"{cut} of sample {cut.stem}: it has" in message
    assert prep("resize") == 0
    assert prep("verify") == 0
    assert ready.is_dir()


def test_what_cannot_be_remembered_is_told(ready: Path, capsys: Captured) -> None:
    spoilt = _spoil(_first("train/label_data/*"))
    with writer_lock(ready):
        assert prep("verify") == 6
    message = capsys.readouterr().err
    assert f"damaged: {spoilt}" in message
    assert "is being written by process" in message


def test_a_step_does_not_read_a_damaged_input_and_goes_on_when_it_is_mended(ready: Path, capsys: Captured) -> None:
    spoilt = _spoil(sorted(Path("val/image_data").iterdir())[2])
    capsys.readouterr()
    assert prep("flow") == 6
    message = capsys.readouterr().err
    assert f"1 cell is damaged: {spoilt} of sample {spoilt.stem}" in message
    assert "Run `prep resize` and then `prep flow`" in message
    assert not Path(f"val/optical_flow_data/{spoilt.stem}.png").exists()
    assert prep("resize") == 0
    assert prep("flow") == 0, "without --retry-failed"
    assert Path(f"val/optical_flow_data/{spoilt.stem}.png").exists()
    assert ready.is_dir()


def test_a_digit_of_a_camera_and_a_bit_of_a_mask_do_not_go_into_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    workspace = prepared_drive(tmp_path, ("flow",), splits={"train": 3}, width=64, height=48)
    monkeypatch.chdir(workspace)
    mask = _first("train/flow_valid/*")
    camera = Path("train/camera_data") / f"{mask.stem}.json"
    found = re.search(rb'"K": \[\s*\[\s*(\d)', camera.read_bytes())
    assert found is not None
    _spoil(camera, found.start(1))
    _spoil(mask)
    capsys.readouterr()
    assert prep("shard") == 6
    message = capsys.readouterr().err
    assert str(camera) in message
    assert str(mask) in message
    assert "Run `prep resize` and then `prep flow` and then `prep shard`" in message
    assert prep("show", camera.stem, "--out", "shown.png") == 0
    assert prep("list", "cells.jsonl", "--prepared") == 6
    assert prep("resize") == 0
    assert prep("flow") == 0
    assert prep("shard") == 0
    assert prep("verify") == 0


def test_a_scale_that_does_not_fit_the_cells_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Programs without segprep, and `prep init folder`, believe what stands there."""
    workspace = prepared_drive(tmp_path, splits={"train": 2}, width=32, height=32)
    monkeypatch.chdir(workspace)
    scale = Path("train/depth_data/scale.json")
    before = scale.read_bytes()
    scale.write_bytes(before.replace(b"0.00", b"0.01"))
    assert scale.read_bytes() != before
    capsys.readouterr()
    assert prep("verify") == 6
    assert "train/depth_data/scale.json: it does not say what the cells' numbers mean" in capsys.readouterr().out
    assert prep("resize") == 0
    assert scale.read_bytes() == before
    assert prep("verify") == 0


def test_a_source_whose_content_changed_behind_its_size_and_time_is_not_read(
    ready: Path, camvid: Path, capsys: Captured
) -> None:
    """A cell would carry the fingerprint of what the file was before."""
    source, *_, other = sorted((camvid / "trainannot").iterdir())
    _spoil(source)
    capsys.readouterr()
    assert prep("resize", "--labels", "nearest") == 4
    assert f"{source} holds something else than when it was read first" in capsys.readouterr().out
    source.touch()
    write_image(source, read_image(other))
    assert prep("resize") == 0
    assert ready.is_dir()
