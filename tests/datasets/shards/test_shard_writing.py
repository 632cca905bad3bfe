import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.errors import (
    CodeRangeError,
    ConfigurationError,
    ConflictError,
    DamagedStoreError,
    LabelIdError,
    SizeMismatchError,
    WriteFailedError,
)
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.rows import RowInfo, ShardRows, cells_of
from segprep.datasets.shards.statistics import LabelStatistics, ValueStatistics
from segprep.datasets.shards.verify import verify_store
from segprep.datasets.shards.writer import ShardReport, create_store, finish_store, write_shard
from support.stores import make_plan, shard_rows


def changed(
    rows: ShardRows, column: str, change: Callable[[Array, Array | None], tuple[Array, Array | None]]
) -> ShardRows:
    def cells(name: str) -> Iterator[tuple[Array, Array | None]]:
        stored, valid = zip(*rows.cells(name), strict=True)
        if name != column:
            return zip(stored, valid, strict=True)
        return cells_of(*change(np.stack(stored), None if valid[0] is None else np.stack(valid)))

    return dataclasses.replace(rows, cells=cells)


def test_value_statistics_are_those_of_all_valid_pixels(store_path: Path, blocks: dict[str, Array]) -> None:
    statistics = ShardStore.open(store_path).statistics
    for column in ("image", "nir", "thermal", "depth", "optical_flow", "normals", "flow"):
        values = blocks[column].astype(object)  # Python's integers, which do not overflow
        values = values[blocks[f"{column}_valid"]] if f"{column}_valid" in blocks else values
        channels = blocks[column].shape[3] if blocks[column].ndim == 4 else 1
        values = values.reshape(-1, channels)
        expected = ValueStatistics(len(values), tuple(values.sum(0)), tuple((values**2).sum(0)))
        found = statistics[column]
        assert found == expected
        assert isinstance(found, ValueStatistics)
        np.testing.assert_allclose(found.mean, values.astype(float).mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.std, values.astype(float).std(0), rtol=1e-9)
    assert "instance" not in statistics


def test_label_statistics_count_pixels_and_presence(store_path: Path, blocks: dict[str, Array]) -> None:
    pixels, present, labelled = [0, 0, 0], [0, 0, 0], [0, 0, 0]
    for label in blocks["label"]:
        for c in range(3):
            pixels[c] += int((label == c).sum())
            present[c] += bool((label == c).any())
            labelled[c] += int((label != 255).sum()) if (label == c).any() else 0
    ignored = int((blocks["label"] == 255).sum())
    found = ShardStore.open(store_path).statistics["label"]
    assert found == LabelStatistics(tuple(pixels), tuple(present), tuple(labelled), ignored)
    assert present[1] < present[2] < 7  # the data tell presence from the number of samples


def test_statistics_without_a_valid_pixel_are_not_a_number() -> None:
    nothing = ValueStatistics.of(np.ones((2, 3, 4), np.uint8), np.zeros((2, 3, 4), bool))
    assert nothing.count == 0
    assert np.isnan([*nothing.mean, *nothing.std]).all()


def test_reports_and_plans_survive_json(plan: StorePlan, tmp_path: Path) -> None:
    create_store(tmp_path, plan)
    report = write_shard(tmp_path, plan, 2, shard_rows(plan, 2))
    assert ShardReport.from_json(json.loads(json.dumps(report.to_json()))) == report
    assert StorePlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert len(report.files) == len(plan.arrays())


def test_a_cell_is_let_go_before_the_next_but_one_is_made(plan: StorePlan, tmp_path: Path) -> None:
    rows = shard_rows(plan, 0)
    made: list[weakref.ref[Array]] = []

    def cells(name: str) -> Iterator[tuple[Array, Array | None]]:
        for stored, valid in rows.cells(name):
            assert all(earlier() is None for earlier in made[:-1]), f"{len(made)} cells before that of {name}"
            copied = stored.copy()
            made.append(weakref.ref(copied))
            yield copied, valid
            del copied

    write_shard(tmp_path, plan, 0, dataclasses.replace(rows, cells=cells))
    assert len(made) == len(plan.specs) * len(rows.rows)


@pytest.mark.parametrize("bad", [3, 254])
def test_a_label_that_is_no_train_id_is_refused_with_its_sample_and_pixel_count(
    plan: StorePlan, tmp_path: Path, bad: int
) -> None:
    def spoil(stored: Array, valid: Array | None) -> tuple[Array, Array | None]:
        stored[2, :2, 5] = bad
        return stored, valid

    create_store(tmp_path, plan)
    with pytest.raises(LabelIdError, match=rf"label of sample aachen_5 \(variant 0\).*0\.\.2 nor 255: {bad} \(2 px\)"):
        write_shard(tmp_path, plan, 1, changed(shard_rows(plan, 1), "label", spoil))
    assert not (tmp_path / "label/c.1.0.0").exists()


def test_blocks_that_are_not_the_plan_s_are_refused(plan: StorePlan, tmp_path: Path) -> None:
    def refused(
        error: type[Exception], column: str, change: Callable[[Array, Array | None], tuple[Array, Array | None]]
    ) -> None:
        with pytest.raises(error, match=f"column {column}"):
            write_shard(tmp_path, plan, 0, changed(shard_rows(plan, 0), column, change))

    refused(SizeMismatchError, "image", lambda stored, valid: (stored[:, 1:], valid))
    refused(SizeMismatchError, "nir", lambda stored, valid: (stored[:2], valid))
    refused(SizeMismatchError, "image", lambda stored, valid: (stored, stored[..., 0]))
    refused(SizeMismatchError, "depth", lambda stored, valid: (stored, None))
    refused(SizeMismatchError, "depth", lambda stored, valid: (stored, None if valid is None else valid[:, 1:]))
    refused(CodeRangeError, "depth", lambda stored, valid: (stored.astype(np.float32), valid))
    for index, of in ((3, 2), (-1, 0), (2, 0)):
        with pytest.raises(SizeMismatchError, match="shard"):
            write_shard(tmp_path, plan, index, shard_rows(plan, of))


def test_masks_of_any_number_type_are_stored_as_zero_and_one(plan: StorePlan, tmp_path: Path) -> None:
    plain = write_shard(tmp_path / "a", plan, 0, shard_rows(plan, 0))
    scaled = changed(
        shard_rows(plan, 0),
        "depth",
        lambda stored, valid: (stored, None if valid is None else valid.astype(np.uint8) * 255),
    )
    assert write_shard(tmp_path / "b", plan, 0, scaled) == plain


def test_texts_longer_than_planned_are_refused(plan: StorePlan, tmp_path: Path) -> None:
    def with_first(**what: object) -> ShardRows:
        rows = shard_rows(plan, 0)
        first = dataclasses.replace(rows.rows[0], **what)  # type: ignore[arg-type]
        return dataclasses.replace(rows, rows=[first, *rows.rows[1:]])

    long = "x" * 90
    with pytest.raises(CodeRangeError, match="key_bytes is 15"):
        write_shard(tmp_path, plan, 0, with_first(key=SampleKey(long)))
    with pytest.raises(CodeRangeError, match="source_bytes is 80"):
        write_shard(tmp_path, plan, 0, with_first(source_paths={"image": long}))
    with pytest.raises(CodeRangeError, match="augmentation_bytes is 20"):
        write_shard(tmp_path, plan, 0, with_first(augmentation={"angle": long}))


def test_file_names_that_are_no_utf8_come_back(
    plan: StorePlan, infos: list[RowInfo], class_map: ClassMap, tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    create_store(tmp_path, plan)
    odd = dataclasses.replace(infos[6], source_paths={"image": name})
    reports = [write_shard(tmp_path, plan, i, shard_rows(plan, i)) for i in (0, 1)]
    reports.append(write_shard(tmp_path, plan, 2, dataclasses.replace(shard_rows(plan, 2), rows=[odd])))
    finish_store(tmp_path, plan, reports, class_map, {})
    assert ShardStore.open(tmp_path).source_paths(6) == {"image": name}


def test_a_store_is_unfinished_until_its_attributes_are_written(
    plan: StorePlan, class_map: ClassMap, tmp_path: Path
) -> None:
    create_store(tmp_path, plan)
    reports = [write_shard(tmp_path, plan, i, shard_rows(plan, i)) for i in range(3)]
    with pytest.raises(DamagedStoreError, match=r"unfinished.*prep shard"):
        ShardStore.open(tmp_path)
    (tmp_path / "image" / "c.1.0.0.0.4711.partial").write_bytes(b"left by a killed process")
    finish_store(tmp_path, plan, reports, class_map, {})
    ShardStore.open(tmp_path)
    assert verify_store(tmp_path) == []


def test_finishing_refuses_missing_shards_and_files(plan: StorePlan, class_map: ClassMap, tmp_path: Path) -> None:
    create_store(tmp_path, plan)
    reports = [write_shard(tmp_path, plan, i, shard_rows(plan, i)) for i in range(3)]
    with pytest.raises(DamagedStoreError, match=r"missing: \[1\]"):
        finish_store(tmp_path, plan, [reports[0], reports[2]], class_map, {})
    with pytest.raises(ConfigurationError, match="road"):
        finish_store(tmp_path, plan, reports, ClassMap((SemanticClass("sky", (0, 0, 0), (1,)),), ()), {})
    with pytest.raises(ConfigurationError, match="provenance"):
        finish_store(tmp_path, plan, reports, class_map, {"scale": float("nan")})
    (tmp_path / "depth/c.2.0.0").write_bytes(b"")
    with pytest.raises(DamagedStoreError, match=r"depth/c\.2.*0 bytes instead"):
        finish_store(tmp_path, plan, reports, class_map, {})
    with pytest.raises(DamagedStoreError, match="unfinished"):
        ShardStore.open(tmp_path)


def test_creating_again_resumes_the_same_plan_and_refuses_another(
    plan: StorePlan, tmp_path: Path, store_path: Path
) -> None:
    create_store(tmp_path, plan)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    create_store(tmp_path, plan)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    with pytest.raises(ConflictError, match="Delete"):
        create_store(tmp_path, make_plan("zstd"))
    with pytest.raises(ConflictError, match="finished"):
        create_store(store_path, plan)


@pytest.mark.parametrize("written", [1, 2, 5])
def test_what_another_plan_has_begun_is_refused_however_little_it_wrote(
    plan: StorePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Else the arrays that the new plan lacks would stay behind as strangers in its store."""
    names: list[Path] = []

    def write(path: Path, data: bytes, *, durable: bool) -> None:
        if len(names) == written:
            raise WriteFailedError("killed")
        names.append(path)
        atomic_write_bytes(path, data, durable=durable)

    with monkeypatch.context() as patch:
        patch.setattr("segprep.datasets.shards.writer.atomic_write_bytes", write)
        with pytest.raises(WriteFailedError, match="killed"):
            create_store(tmp_path, plan)
    assert len(names) == written
    with pytest.raises(ConflictError, match="of other columns"):
        create_store(tmp_path, dataclasses.replace(plan, specs=plan.specs[-1:]))
    create_store(tmp_path, plan)


def test_a_disk_that_refuses_to_write_is_reported_with_the_path_and_leaves_nothing(
    plan: StorePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_store(tmp_path, plan)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteFailedError, match=r"image/c\.0\.0\.0\.0.*No space left"):
        write_shard(tmp_path, plan, 0, shard_rows(plan, 0))
    assert [p.name for p in (tmp_path / "image").iterdir()] == ["zarr.json"]


def test_a_folder_that_cannot_be_made_is_reported(plan: StorePlan, tmp_path: Path) -> None:
    (tmp_path / "train.zarr").write_text("in the way")
    with pytest.raises(WriteFailedError, match=r"train\.zarr"):
        create_store(tmp_path / "train.zarr", plan)


WRITER = """
import json, os, sys, time
import numpy as np
from pathlib import Path
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.rows import RowInfo, ShardRows, cells_of
from segprep.datasets.shards.writer import write_shard

store, plan, where = Path(sys.argv[1]), StorePlan.from_json(json.loads(sys.argv[2])), sys.argv[3]
value = 2

def wait(*args):
    print("now", flush=True)
    time.sleep(60)

if where == "sync":
    os.fsync = wait  # the temporary file is written, the old one stands
def block(name):
    if where == "encode" and name == "label":
        wait()
    spec = next(s for s in plan.specs if s.name == name)
    valid = np.ones((plan.rows, *spec.shape[:2])) if spec.masked else None
    return cells_of(np.full((plan.rows, *spec.shape), value, spec.dtype), valid)
if where == "anywhere":
    print("now", flush=True)
while True:
    write_shard(store, plan, 0, ShardRows([RowInfo(str(i), (9, 9), {}) for i in range(plan.rows)], block))
    value = 3 - value
"""


def shard_files(store: Path) -> dict[str, bytes]:
    return {p.relative_to(store).as_posix(): p.read_bytes() for p in store.rglob("c.*") if p.suffix != ".partial"}


@pytest.mark.parametrize("where", ["sync", "encode", *(f"anywhere {ms}" for ms in (1, 7, 19, 43))])
def test_a_killed_writer_leaves_every_file_as_it_was_or_as_it_should_become(
    plan: StorePlan, tmp_path: Path, where: str
) -> None:
    whole = dataclasses.replace(plan, rows=3, samples_per_shard=3)
    rows = [RowInfo(SampleKey(str(i)), (9, 9), {}) for i in range(3)]

    def write(store: Path, value: int) -> dict[str, bytes]:
        def block(name: str) -> Iterator[tuple[Array, Array | None]]:
            spec = next(s for s in plan.specs if s.name == name)
            stored = np.full((3, *spec.shape), value, spec.dtype)
            return cells_of(stored, np.ones((3, 12, 20)) if spec.masked else None)

        write_shard(store, whole, 0, ShardRows(rows, block))
        return shard_files(store)

    store = tmp_path / "store"
    old, new = write(store, 1), write(tmp_path / "new", 2)
    assert old["image/c.0.0.0.0"] != new["image/c.0.0.0.0"]
    place, _, delay = where.partition(" ")
    command = [sys.executable, "-c", WRITER, str(store), json.dumps(whole.to_json()), place]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        time.sleep(int(delay or 0) / 1000)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    found = shard_files(store)
    assert found.keys() == old.keys()
    for name, content in found.items():
        assert content in (old[name], new[name]), name
    if place == "sync":
        assert found == old
        assert [p.name for p in store.rglob("*.partial")] == [f"c.0.0.0.0.{process.pid}.partial"]
    if place == "encode":
        assert found == old | {"image/c.0.0.0.0": new["image/c.0.0.0.0"]}
