"""`prep stats` and `prep peek` of depth with sky: means of what is finite, and the share of what is not."""

import json
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.root import read_attributes
from support.commands import prep, prepared_drive
from support.stores import forget_far

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def store(tmp_path: Path, capsys: Captured) -> Path:
    ready = prepared_drive(tmp_path, ["shard"], splits={"train": 3}, width=64, height=32)
    capsys.readouterr()
    return ready / "shards" / "train.zarr"


def _depth_of(store: Path, capsys: Captured) -> JsonDict:
    assert prep("stats", store, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out).values()
    depth: JsonDict = found["columns"]["depth"]
    return depth


def test_the_sky_enters_no_mean_and_its_share_stands_beside(store: Path, capsys: Captured) -> None:
    opened = ShardStore.open(store)
    codes = np.stack([opened.read("depth", row) for row in range(len(opened))])
    far, finite = codes == 65535, codes[(codes != 0) & (codes != 65535)] * opened.columns["depth"].code_scale[0]
    assert 0.05 < far.mean() < 0.9, "the rendered world has no sky"
    depth = _depth_of(store, capsys)
    assert depth["infinitely_far"] == pytest.approx(far.mean())
    assert depth["valid"] == pytest.approx((codes != 0).mean())
    (channel,) = depth["channels"]
    assert channel["mean"] == pytest.approx(finite.mean())
    assert channel["std"] == pytest.approx(finite.std())
    assert channel["mean"] + channel["std"] < finite.max()


def test_the_table_says_it_too_and_columns_without_such_a_number_do_not(store: Path, capsys: Captured) -> None:
    assert prep("stats", store) == 0
    assert "infinitely far" in capsys.readouterr().out
    assert prep("stats", store, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out).values()
    assert found["columns"]["image"]["infinitely_far"] is None


def test_a_store_of_an_earlier_version_says_the_same(store: Path, capsys: Captured) -> None:
    now = _depth_of(store, capsys)
    sums = read_attributes(store)["statistics"]["depth"]
    assert sums.pop("far")["number"] == 65535
    forget_far(store)
    assert read_attributes(store)["statistics"]["depth"] == sums, "the sums themselves are not what they were"
    assert _depth_of(store, capsys) == now


def test_a_row_tells_its_largest_finite_number(store: Path, capsys: Captured) -> None:
    assert prep("peek", store, "0", "--json") == 0
    depth = json.loads(capsys.readouterr().out)["columns"]["depth"]
    codes = ShardStore.open(store).read("depth", 0)
    assert depth["largest"] == codes[codes != 65535].max()
    assert depth["infinitely_far"] == pytest.approx((codes == 65535).mean())
