"""The commands one after another on a small dataset, as a user types them."""

import json
import shutil
from importlib.metadata import version
from io import BufferedReader
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets import source_files
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.shards import ShardStore
from segprep.workflows.ledger import freshness
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    data: dict[str, object] = json.loads(capsys.readouterr().out)
    return data


def test_the_users_day_leads_from_a_folder_to_verified_shards(camvid: Path) -> None:
    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "2") == 0
    assert prep("flow", "--scale", "6.4") == 0
    assert prep("status") == 0
    assert prep("shard") == 0
    assert prep("verify") == 0
    train, val = (ShardStore.open(Path("shards") / f"{split}.zarr") for split in ("train", "val"))
    assert (len(train), len(val)) == (6, 3)  # the first frame of the val sequence has no earlier one
    assert set(train.columns) == {"image", "label"}
    assert set(val.columns) == {"image", "label", "optical_flow", "flow"}
    assert np.array_equal(val.read("image", 0), read_image(Path("val/image_data") / f"{val.keys[0]}.png"))
    assert val.source_paths(0)["label"] == f"valannot/{val.keys[0]}.png"
    assert tuple(val.source_size(0)) == (48, 36)


def test_labels_become_train_ids_before_they_are_resized(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    assert prep("resize", "--factor", "1") == 0
    raw = read_image(camvid / "trainannot/0001TP_007000.png")
    made = read_image(Path("train/label_data/0001TP_007000.png"))
    assert np.array_equal(made, np.where(raw == 11, 255, raw))


def test_the_first_frame_of_a_sequence_is_absent_and_not_failed(
    camvid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    capsys.readouterr()
    assert prep("flow", "--split", "val", "--json") == 0
    columns = _json(capsys)["columns"]
    assert columns == {name: {"absent": 1, "done": 3} for name in ("optical_flow", "flow")}


def test_a_second_run_makes_nothing_and_needs_no_flag(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    before = {p: p.stat().st_mtime_ns for p in Path("train").rglob("*.png")}
    capsys.readouterr()
    assert prep("resize", "--json") == 0
    assert _json(capsys)["made"] == 0
    assert before == {p: p.stat().st_mtime_ns for p in Path("train").rglob("*.png")}


def test_a_copy_of_the_dataset_with_other_times_is_not_stale(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    copy = tmp_path / "elsewhere"
    shutil.copytree(camvid, copy, copy_function=shutil.copyfile)
    shutil.rmtree(camvid)
    assert prep("init", "camvid", copy) == 0
    capsys.readouterr()
    assert prep("resize", "--json") == 0
    assert _json(capsys)["made"] == 0


def test_only_what_changed_is_made_again(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    prep("flow")
    changed = "0016E5_007002"
    write_image(camvid / f"val/{changed}.png", np.full((36, 48, 3), 90, np.uint8))
    capsys.readouterr()
    prep("resize", "--json")
    assert _json(capsys)["made"] == 2  # its own image, and the one of its successor's previous frame
    prep("flow", "--json")
    assert _json(capsys)["made"] == 2
    assert (read_image(Path(f"val/image_data/{changed}.png")) == 90).all()


def test_another_factor_makes_everything_stale_and_shard_names_the_command(
    camvid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    assert prep("resize", "--factor", "3", "--limit", "2") == 0
    capsys.readouterr()
    assert prep("shard") == 5
    message = capsys.readouterr().err
    assert "factor 2 -> 3" in message
    assert "`prep resize`" in message
    assert prep("resize") == 0  # the last factor is remembered
    assert prep("shard") == 0
    assert ShardStore.open(Path("shards/train.zarr")).columns["image"].shape == (12, 16, 3)


def test_a_new_label_method_leaves_the_images_alone(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    images = {p: p.stat().st_mtime_ns for p in Path("train/image_data").iterdir()}
    labels = {p: p.read_bytes() for p in Path("train/label_data").iterdir()}
    assert prep("resize", "--labels", "nearest") == 0
    assert images == {p: p.stat().st_mtime_ns for p in Path("train/image_data").iterdir()}
    assert labels != {p: p.read_bytes() for p in Path("train/label_data").iterdir()}


def test_a_deleted_cell_is_made_again(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    victim = Path("val/label_data/0016E5_007004.png")
    content = victim.read_bytes()
    victim.unlink()
    assert prep("resize") == 0
    assert victim.read_bytes() == content


def test_prep_toml_gives_defaults_and_the_command_line_wins(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prep("init", "camvid", camvid)
    with Path("prep.toml").open("a") as file:
        file.write("\n[defaults.resize]\nfactor = 4\n")
    assert prep("resize", "-v") == 0
    assert "factor = 4 (prep.toml)" in capsys.readouterr().err
    assert read_image(Path("val/image_data/0016E5_007004.png")).shape == (9, 12, 3)
    assert prep("resize", "-v", "--size", "24x18") == 0
    assert "size = [24, 18] (command line)" in capsys.readouterr().err
    assert read_image(Path("val/image_data/0016E5_007004.png")).shape == (18, 24, 3)


def test_explicit_mode_makes_and_reuses_a_workspace(camvid: Path, tmp_path: Path) -> None:
    arguments = ("resize", "--factor", "2", "--dataset", "camvid", "--root", camvid, "--out", tmp_path / "down2")
    assert prep(*arguments) == 0
    assert prep(*arguments) == 0
    assert (tmp_path / "down2/train/image_data/0001TP_007000.png").is_file()
    assert prep("shard", "-C", tmp_path / "down2") == 0


def test_a_dry_run_writes_nothing(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prep("init", "camvid", camvid)
    capsys.readouterr()
    assert prep("resize", "--factor", "2", "--dry-run", "--json") == 0
    plan = _json(capsys)
    assert plan["columns"] == {
        "image": {"missing": 10},
        "label": {"missing": 10},
        "previous": {"absent": 7, "missing": 3},
    }
    assert not Path("train").exists()


def test_shard_repeated_is_up_to_date_and_other_columns_make_a_new_store(
    camvid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    prep("shard")
    capsys.readouterr()
    assert prep("shard", "--json") == 0
    assert {s["written"] for s in _json(capsys).values()} == {False}  # type: ignore[index]
    assert prep("shard", "--columns", "image") == 0
    assert set(ShardStore.open(Path("shards/val.zarr")).columns) == {"image"}
    assert not list(Path("shards").glob("*.partial"))
    assert not list(Path("shards").glob("*.old"))


def test_require_all_refuses_to_leave_samples_out(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    prep("flow")
    assert prep("shard", "--split", "val", "--require-all") == 5
    assert prep("shard", "--split", "val", "--require-all", "--columns", "image,label") == 0


def test_show_draws_every_column(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    prep("flow")
    assert prep("show", "*007004") == 0
    panel = read_image(Path("show/0016E5_007004.png"))
    assert panel.shape[1] > 1400  # three tiles wide
    assert prep("show", "nothing") == 2


def test_a_split_that_was_not_prepared_gets_no_store(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prep("init", "camvid", camvid)
    assert prep("shard") == 5
    prep("resize", "--factor", "2", "--split", "val")
    capsys.readouterr()
    assert prep("shard") == 0
    assert "split train" in capsys.readouterr().err
    assert [p.name for p in Path("shards").iterdir()] == ["val.zarr"]


def test_a_sample_whose_image_failed_later_does_not_go_on_with_its_old_flow(
    camvid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    prep("flow")
    (camvid / "val/0016E5_007006.png").write_bytes(b"")
    assert prep("resize", "--max-bad", "100%") == 0
    capsys.readouterr()
    assert prep("shard", "--split", "val", "--columns", "flow") == 0
    assert "1 whose optical_flow cannot be made (its image failed)" in capsys.readouterr().out
    assert set(ShardStore.open(Path("shards/val.zarr")).keys) == {"0016E5_007002", "0016E5_007004"}


def test_a_folder_with_its_own_motion_images_scales_their_vectors(tmp_path: Path) -> None:
    root = tmp_path / "own"
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[...] = (round(12.75 * 5), 128 + round(6.4 * 4), 128 + round(6.4 * 3))  # R=|uv|, G=v=4, B=u=3
    for name in ("a", "b c"):
        write_image(root / f"train/image_data/{name}.png", np.zeros((20, 40, 3), np.uint8))
        write_image(root / f"train/label_data/{name}.png", np.full((20, 40), 1 + (name == "a"), np.uint8))
        write_image(root / f"train/flow_data/{name}.png", picture)
    assert prep("init", "folder", root) == 0
    assert prep("resize", "--size", "20x10") == 0
    made = read_image(Path("train/flow_data/b%20c.png"))
    assert made.shape == (10, 20, 3)
    assert made[5, 5].tolist() == [32, 128 + round(6.4 * 2), 128 + round(6.4 * 1.5)]
    assert prep("flow") == 5  # it would replace the dataset's own column
    assert prep("shard") == 0
    assert ShardStore.open(Path("shards/train.zarr")).class_map.names == ("class_1", "class_2")


def test_a_split_struck_from_prep_toml_is_left_alone(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    text = Path("prep.toml").read_text()
    assert 'splits = ["train", "val"]' in text
    Path("prep.toml").write_text(text.replace('"train", "val"', '"val"'))
    assert prep("resize", "--factor", "2") == 0
    assert prep("init", "camvid", camvid) == 0, "a second init keeps what people wrote"
    assert prep("shard") == 0
    assert not Path("train").exists()
    assert prep("resize", "--split", "train") == 2


def test_the_neighbour_can_be_the_next_frame(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prep("init", "camvid", camvid, "--neighbour", "next") == 0
    assert prep("resize", "--factor", "2") == 0
    assert prep("flow") == 0
    assert prep("shard", "--split", "val") == 0
    store = ShardStore.open(Path("shards/val.zarr"))
    assert set(store.keys) == {"0016E5_007000", "0016E5_007002", "0016E5_007004"}, "the last frame has no later one"
    assert store.columns["optical_flow"].attributes == {"direction": "next"}
    assert np.array_equal(
        read_image(Path("val/next_data/0016E5_007000.png")), read_image(Path("val/image_data/0016E5_007002.png"))
    )
    assert prep("init", "camvid", camvid, "--neighbour", "previous") == 0
    capsys.readouterr()
    assert prep("flow") == 5, "its new input does not exist yet"
    assert prep("resize") == 0
    assert prep("flow") == 0
    assert prep("shard", "--split", "val") == 0
    assert ShardStore.open(Path("shards/val.zarr")).columns["flow"].attributes["direction"] == "previous"


def test_only_limits_a_command_to_matching_keys(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    assert prep("resize", "--factor", "2", "--only", "*_00700[24]") == 0
    assert sorted(p.stem for p in Path().glob("*/image_data/*.png")) == ["0016E5_007002", "0016E5_007004"]


def test_quiet_shows_no_progress(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prep("init", "camvid", camvid)
    assert prep("resize", "--factor", "2") == 0
    assert "prep resize 10/10" in capsys.readouterr().err
    assert prep("resize", "--factor", "3", "--quiet") == 0
    assert prep("shard", "-q") == 0
    assert capsys.readouterr().err == ""


def test_the_codec_changes_the_bytes_and_not_the_values(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    prep("resize", "--factor", "2")
    sizes, images = {}, []
    for codec in ("none", "lz4", "zstd"):
        assert prep("shard", "--split", "val", "--codec", codec) == 0
        (file,) = Path("shards/val.zarr/label").glob("c.*")
        sizes[codec] = file.stat().st_size
        images.append(ShardStore.open(Path("shards/val.zarr")).read_batch("image", range(4)))
    assert sizes["none"] > sizes["lz4"]
    assert sizes["none"] > sizes["zstd"]
    assert np.array_equal(images[0], images[1])
    assert np.array_equal(images[0], images[2])
    assert prep("shard", "--codec", "gzip") == 2


def test_version_and_debug(capsys: pytest.CaptureFixture[str]) -> None:
    assert prep("--version") == 0
    assert capsys.readouterr().out.strip() == version("segprep")
    assert prep("status", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err
    assert prep("status") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_every_source_is_read_once(camvid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    open_file = source_files.open_file

    def counted(path: Path) -> BufferedReader:
        read.append(path)
        return open_file(path)

    monkeypatch.setattr(source_files, "open_file", counted)
    monkeypatch.setattr(freshness, "digest_of", lambda path: pytest.fail(f"{path} is read for its hash alone"))
    prep("init", "camvid", camvid)
    assert prep("resize", "--factor", "2", "--split", "train") == 0
    images = [path for path in read if path.parent == camvid / "train"]
    assert len(images) == len(set(images)) == 6
