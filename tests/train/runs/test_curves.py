"""The picture of a run's log."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.imageio import read_image
from segprep.train.runs.curves import draw_curves, write_curves

_BLUE = (31, 119, 180)


def _log(path: Path, entries: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def _run(steps: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    entries: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        loss = 0.1 + 2 * np.exp(-4 * step / steps) * rng.lognormal(0, 0.3)
        entries.append({"step": step, "loss": loss, "lr": 1e-3 * (1 - step / steps) ** 0.9, "images_per_second": 9.0})
        if step % max(1, steps // 10) == 0:
            entries[-1] |= {"val_mean_iou": 0.7 * step / steps, "val_pixel_accuracy": 0.9 * step / steps}
    return entries


def _rows(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Mean row of a colour in each column of the first chart's field; NaN where it is not."""
    field = (np.abs(picture[40:310, 110:1040].astype(int) - color).max(-1) < 40).astype(float)
    count = field.sum(0)
    rows: np.ndarray = np.where(
        count > 0, (field * np.arange(len(field))[:, None]).sum(0) / np.maximum(count, 1), np.nan
    )
    return rows


def test_a_falling_loss_is_a_falling_line_from_side_to_side(tmp_path: Path) -> None:
    entries = [{"step": step, "loss": 3 - step / 100} for step in range(1, 201)]
    rows = _rows(draw_curves(_log(tmp_path / "log.jsonl", entries), "run"), _BLUE)
    drawn = np.flatnonzero(np.isfinite(rows))
    assert len(drawn) > 800
    assert np.corrcoef(drawn, rows[drawn])[0, 1] > 0.999


def test_a_hundred_thousand_steps_show_the_same_line_as_a_thousand(tmp_path: Path) -> None:
    long = _rows(draw_curves(_log(tmp_path / "long.jsonl", _run(100_000)), "run"), _BLUE)
    short = _rows(draw_curves(_log(tmp_path / "short.jsonl", _run(1_000)), "run"), _BLUE)
    both = np.isfinite(long) & np.isfinite(short)
    assert both.sum() > 800
    assert np.median(np.abs(long - short)[both]) < 12


@pytest.mark.parametrize("steps", [1, 2, 59, 361])
def test_a_run_of_any_length_is_drawn(tmp_path: Path, steps: int) -> None:
    picture = draw_curves(_log(tmp_path / "log.jsonl", _run(steps)), "run")
    assert picture.dtype == np.uint8
    assert picture.shape == (3 * 320, 1200, 3)
    assert np.isfinite(_rows(picture, _BLUE)).any()


def test_a_validation_that_is_missing_is_no_chart(tmp_path: Path) -> None:
    assert draw_curves(_log(tmp_path / "log.jsonl", [{"step": 1, "loss": 1.0, "lr": 0.1}]), "run").shape[0] == 640


def test_the_scores_of_single_classes_are_left_out(tmp_path: Path) -> None:
    entries = _run(30)
    plain = draw_curves(_log(tmp_path / "plain.jsonl", entries), "run")
    for entry in entries:
        entry |= {f"val_iou/class {number}": 0.5 for number in range(30)} if "val_mean_iou" in entry else {}
    np.testing.assert_array_equal(draw_curves(_log(tmp_path / "classes.jsonl", entries), "run"), plain)


def test_a_line_cut_by_a_crash_changes_nothing(tmp_path: Path) -> None:
    whole = _log(tmp_path / "whole.jsonl", _run(30))
    cut = tmp_path / "cut.jsonl"
    cut.write_text(whole.read_text() + '{"step": 31, "lo')
    np.testing.assert_array_equal(draw_curves(whole, "run"), draw_curves(cut, "run"))


def test_the_picture_is_written_as_drawn(tmp_path: Path) -> None:
    log = _log(tmp_path / "log.jsonl", _run(30))
    write_curves(log, tmp_path / "curves.png")
    np.testing.assert_array_equal(read_image(tmp_path / "curves.png"), draw_curves(log, tmp_path.name))


def test_a_log_without_numbers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"log\.jsonl does not exist"):
        draw_curves(tmp_path / "log.jsonl", "run")
    for text, why in (("", "holds no step"), ('{"step": 1, "images_per_second": 3.0}\n', "neither losses nor scores")):
        (tmp_path / "log.jsonl").write_text(text)
        with pytest.raises(UnreadableFileError, match=why):
            draw_curves(tmp_path / "log.jsonl", "run")
