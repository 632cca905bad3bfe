import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.file_records import OTHER_CONTENT, FileRecord, read_recorded
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards import verify as shard_verify
from segprep.datasets.shards.layout import SCHEMA_VERSION
from segprep.datasets.shards.metadata import ROOT_FILE, root_file
from segprep.datasets.shards.root import StoreRoot, read_root
from segprep.datasets.shards.verify import verify_store
from support.stores import make_plan, write_store

IMAGE = "image/c.1.0.0.0"  # rows 3, 4, 5
LOST = ("aachen_3", "aachen_4", "aachen_5")


@pytest.fixture
def store(tmp_path: Path, store_path: Path) -> Path:
    """A copy to be damaged."""
    copy = tmp_path / "train.zarr"
    shutil.copytree(store_path, copy)
    return copy


def flip_bit(file: Path, byte: int) -> None:
    content = bytearray(file.read_bytes())
    content[byte] ^= 0x10
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def test_an_intact_store_has_no_damage(store_path: Path) -> None:
    assert verify_store(store_path) == []
    assert verify_store(store_path, fast=True) == []


SIZE_DAMAGES = [
    pytest.param(Path.unlink, "missing", id="missing"),
    pytest.param(lambda file: file.write_bytes(b""), "0 bytes instead of", id="empty"),
    pytest.param(truncate, "bytes instead of", id="truncated"),
]


@pytest.mark.parametrize("file", [IMAGE, "label/c.1.0.0", "depth_valid/c.1.0.0", "pose/c.1.0.0", "variant/c.1"])
@pytest.mark.parametrize(("damage", "reason"), SIZE_DAMAGES)
def test_a_missing_empty_or_cut_shard_is_found_when_opening_and_names_store_file_and_samples(
    store: Path, damage: Callable[[Path], object], reason: str, file: str
) -> None:
    damage(store / file)
    with pytest.raises(DamagedStoreError, match=reason) as caught:
        ShardStore.open(store)
    for part in (str(store), file, *LOST):
        assert part in str(caught.value)
    for fast in (True, False):
        (found,) = verify_store(store, fast=fast)
        assert (found.file, found.keys, found.shard) == (file, LOST, 1)
        assert reason in found.reason


@pytest.mark.parametrize(("damage", "reason"), SIZE_DAMAGES)
def test_a_shard_that_vanishes_or_shrinks_after_opening_is_found_when_reading(
    store: Path, damage: Callable[[Path], object], reason: str, blocks: dict[str, Array]
) -> None:
    opened = ShardStore.open(store)
    np.testing.assert_array_equal(opened.read("image", 4), blocks["image"][4])
    damage(store / IMAGE)
    for indices in ([4], [0, 4]):
        with pytest.raises(DamagedStoreError, match=reason) as caught:
            opened.read_batch("image", indices)
        for part in (str(store), IMAGE, "sample aachen_4 (row 4)"):
            assert part in str(caught.value)
    np.testing.assert_array_equal(opened.read("image", 0), blocks["image"][0])


@pytest.mark.parametrize(
    ("column", "file"), [("image", IMAGE), ("depth", "depth/c.1.0.0"), ("optical_flow", "optical_flow/c.1.0.0.0")]
)
def test_a_flipped_bit_loses_one_sample_and_is_found_when_reading_it(
    store: Path, column: str, file: str, blocks: dict[str, Array]
) -> None:
    flip_bit(store / file, 100)  # in the first chunk, that of row 3
    opened = ShardStore.open(store)
    with pytest.raises(DamagedStoreError, match="checksum") as caught:
        opened.read(column, 3)
    for part in (str(store), file, "sample aachen_3 (row 3)"):
        assert part in str(caught.value)
    np.testing.assert_array_equal(opened.read(column, 5), blocks[column][5])
    assert verify_store(store, fast=True) == []
    (found,) = verify_store(store)
    assert (found.file, found.keys, found.shard) == (file, ("aachen_3",), 1)
    assert "crc32c" in found.reason


def test_every_flipped_byte_of_a_shard_is_found(store: Path) -> None:
    file = store / "label/c.1.0.0"
    whole = file.read_bytes()
    for byte in range(0, len(whole), 7):
        flip_bit(file, byte)
        assert [d.file for d in verify_store(store)] == ["label/c.1.0.0"], byte
        file.write_bytes(whole)


def test_a_damaged_index_loses_the_samples_of_its_shard(store: Path) -> None:
    flip_bit(store / IMAGE, -20)
    with pytest.raises(DamagedStoreError, match=r"image/c\.1.*aachen_4"):
        ShardStore.open(store).read("image", 4)
    (found,) = verify_store(store)
    assert (found.file, found.keys) == (IMAGE, LOST)


def test_a_sound_shard_of_another_place_is_found_by_its_digest(tmp_path: Path) -> None:
    store = write_store(tmp_path / "train.zarr", make_plan("none"))
    shutil.copy(store / "image/c.0.0.0.0", store / IMAGE)
    assert verify_store(store, fast=True) == []  # the sizes agree and every chunk is sound
    (found,) = verify_store(store)
    assert (found.file, found.keys) == (IMAGE, LOST)
    assert found.reason == OTHER_CONTENT


def test_damaged_keys_are_named_by_row(store: Path, blocks: dict[str, Array]) -> None:
    flip_bit(store / "key/c.1.0", 40)
    flip_bit(store / IMAGE, 100)
    opened = ShardStore.open(store)
    with pytest.raises(DamagedStoreError, match=r"key/c\.1\.0.*row 3, row 4, row 5"):
        _ = opened.keys
    with pytest.raises(DamagedStoreError, match=r"image/c\.1.*Lost of image: row 3\."):
        opened.read("image", 3)
    np.testing.assert_array_equal(opened.read("image", 4), blocks["image"][4])
    found = {d.file: d.keys for d in verify_store(store)}
    assert found == {IMAGE: ("row 3",), "key/c.1.0": ("row 3", "row 4", "row 5")}


def test_a_damaged_row_array_is_found_when_it_is_read(store: Path) -> None:
    flip_bit(store / "pose/c.0.0.0", 40)
    opened = ShardStore.open(store)
    with pytest.raises(DamagedStoreError, match=r"pose/c\.0.*aachen_0"):
        opened.pose(5)
    (found,) = verify_store(store)
    assert found.keys == ("aachen_0", "aachen_%C3%A9_1", "aachen_%C3%A9_1")


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    for call in (ShardStore.open, verify_store):
        with pytest.raises(DamagedStoreError, match="no such folder"):
            call(tmp_path / "none.zarr")
    with pytest.raises(DamagedStoreError, match=f"no shard store.*{ROOT_FILE}"):
        ShardStore.open(tmp_path)
    (found,) = verify_store(tmp_path)
    assert found.file == ROOT_FILE


def change_root(store: Path, change: Callable[[dict[str, object]], object]) -> None:
    root = json.loads((store / ROOT_FILE).read_bytes())
    change(root["attributes"])
    (store / ROOT_FILE).write_text(json.dumps(root))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda a: a.clear(), "unfinished", id="unfinished"),
        pytest.param(lambda a: a.update(schema_version=3), "digest differs", id="one-bit-newer"),
        pytest.param(lambda a: a.update(rows=8), "digest differs", id="changed"),
        pytest.param(lambda a: a["statistics"]["image"].update(count=1), "digest differs", id="changed-deep"),
        pytest.param(lambda a: a.update(provenance=float("nan")), "NaN is no number", id="nan"),
    ],
)
def test_attributes_that_are_not_those_of_a_finished_store_are_refused(
    store: Path, change: Callable[[dict[str, object]], object], reason: str
) -> None:
    change_root(store, change)
    with pytest.raises(DamagedStoreError, match=reason) as caught:
        ShardStore.open(store)
    assert str(store) in str(caught.value)
    assert [d.file for d in verify_store(store)] == [ROOT_FILE]


def test_a_store_of_a_newer_schema_is_not_called_damaged(store: Path) -> None:
    def renew(attributes: dict[str, object]) -> None:
        attributes |= {"schema_version": SCHEMA_VERSION + 1, "rows": {"nobody": "knows"}, "digest": "of another kind"}

    change_root(store, renew)
    for call in (ShardStore.open, verify_store):
        with pytest.raises(DamagedStoreError, match=r"schema version 2; this program reads up to 1\. Update segprep"):
            call(store)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"attributes": 3}', b"\xff"])
def test_an_unreadable_root_is_refused(store: Path, content: bytes) -> None:
    (store / ROOT_FILE).write_bytes(content)
    with pytest.raises(DamagedStoreError, match=ROOT_FILE):
        ShardStore.open(store)
    assert [d.file for d in verify_store(store)] == [ROOT_FILE]


def test_attributes_of_a_right_digest_that_make_no_sense_are_refused(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoreRoot, "from_attributes", classmethod(lambda cls, data: data["no such name"]))
    with pytest.raises(DamagedStoreError, match="make no sense"):
        ShardStore.open(store)


def test_changed_metadata_of_an_array_are_found(store: Path) -> None:
    file = store / "image" / ROOT_FILE
    file.write_text(file.read_text().replace("uint8", "int8 "))
    with pytest.raises(DamagedStoreError, match=r"image/zarr\.json is damaged"):
        ShardStore.open(store)
    assert [d.file for d in verify_store(store)] == ["image/zarr.json"]


def test_changed_consolidated_metadata_are_found_and_do_not_mislead_our_reader(
    store: Path, blocks: dict[str, Array]
) -> None:
    root = json.loads((store / ROOT_FILE).read_bytes())
    root["consolidated_metadata"]["metadata"]["label"]["data_type"] = "int8"
    (store / ROOT_FILE).write_text(json.dumps(root))
    np.testing.assert_array_equal(ShardStore.open(store).read("label", 5), blocks["label"][5])
    (found,) = verify_store(store)
    assert found.file == ROOT_FILE
    assert "label/zarr.json" in found.reason


def test_a_store_that_is_replaced_while_it_is_verified_is_checked_anew(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    shutil.copytree(store, other)
    root = read_root(store)
    (other / ROOT_FILE).write_bytes(root_file(root.plan, dataclasses.replace(root, provenance={}).to_attributes()))
    (store / IMAGE).unlink()
    checked: list[Path] = []

    def replaced_meanwhile(path: Path, record: FileRecord) -> tuple[bytes, str | None]:
        found = read_recorded(path, record)
        if path == store / IMAGE:
            checked.append(path)
            if len(checked) == 1:
                store.rename(tmp_path / "old")
                other.rename(store)
        return found

    monkeypatch.setattr(shard_verify, "read_recorded", replaced_meanwhile)
    assert verify_store(store) == []
    assert len(checked) == 2


def test_files_that_are_no_part_of_the_store_are_reported(store: Path) -> None:
    strays = ["image/c.1.0.0.0.77.partial", "notes.txt"]
    for name in strays:
        (store / name).write_bytes(b"x")
    ShardStore.open(store)
    assert [(d.file, d.reason) for d in verify_store(store, fast=True)] == [
        (name, "the file is no part of the store") for name in strays
    ]


def test_what_browsers_and_editors_leave_behind_is_no_damage(store: Path) -> None:
    (store / ".AppleDouble").mkdir()
    for name in ("._zarr.json", ".DS_Store", "image/Thumbs.db", "image/._c.0.0.0.0", "zarr.json~", ".zarr.json.swp"):
        (store / name).write_bytes(b"x")
    ShardStore.open(store)
    assert verify_store(store) == []
