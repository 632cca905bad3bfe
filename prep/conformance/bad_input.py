"""Inputs that a modality must refuse, if it reads them at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from segprep.datasets.conformance import refusal
from segprep.datasets.errors import SegprepError
from segprep.datasets.sample import Sample
from segprep.datasets.workspace.cells import encode_cell
from segprep.prep.conformance.case import HEIGHT, KEY, WIDTH, ModalityCase, street, with_depth
from segprep.prep.step import Absent

__all__ = ["CHECKS"]


def check_bad_depth(case: ModalityCase) -> None:
    """Depth that is valid nowhere, no number, or behind the camera is refused, each with a message of its own."""
    if "depth" not in case.reads:
        return
    depth, valid = street().arrays["depth"], street().valid["depth"]
    nothing = with_depth(np.zeros_like(depth), np.zeros_like(valid))
    messages = {_refused(case, nothing, "depth that is valid nowhere")}
    for bad in (np.nan, -1.0):
        wrong = depth.copy()
        wrong[np.unravel_index(np.flatnonzero(valid)[1000], valid.shape)] = bad
        messages.add(_refused(case, with_depth(wrong, valid), f"a valid depth of {bad}"))
    assert len(messages) == 3, f"different defects have one message: {sorted(messages)}"


def check_lone_pixel(case: ModalityCase) -> None:
    """One valid pixel of depth gives columns or an error that people understand."""
    if "depth" not in case.reads:
        return
    for value in (5.0, np.inf):
        valid = np.zeros((HEIGHT, WIDTH), np.bool_)
        valid[60, 100] = True
        sample = with_depth(np.where(valid, np.float32(value), np.float32(0)), valid)
        try:
            result = case.step()(sample)
        except SegprepError:
            _refused(case, sample, "one valid pixel")
        else:
            for column in case.columns:
                encode_cell(column, KEY, result[column.name])


def check_camera(case: ModalityCase) -> None:
    """Without intrinsics there is nothing to make, and those of another size are refused."""
    if "camera" not in case.reads:
        return
    sample = street()
    message = refusal((Absent, SegprepError), lambda: case.step()(replace(sample, camera=None)), "no intrinsics")
    assert "camera" in message or "intrinsics" in message, f"the message does not speak of the camera: {message}"
    assert sample.camera is not None
    other = replace(sample, camera=replace(sample.camera, width=WIDTH + 1))
    message = _refused(case, other, "intrinsics of another size")
    assert f"{WIDTH}x{HEIGHT}" in message, f"the message does not say the size of the sample: {message}"


def check_infrared(case: ModalityCase) -> None:
    """Near infrared of another size, or of other bits than its column says, is refused."""
    if "nir" not in case.reads:
        return
    sample = street()
    nir = sample.arrays["nir"]
    for other, words in ((nir[:, 1:], f"nir is {WIDTH - 1}x{HEIGHT}"), (nir.astype(np.uint16), "16 bits")):
        message = _refused(case, replace(sample, arrays={**sample.arrays, "nir": other}), "near infrared that differs")
        assert words in message, f"the message does not say {words!r}: {message}"


CHECKS: Final[tuple[Callable[[ModalityCase], None], ...]] = (
    check_bad_depth,
    check_lone_pixel,
    check_camera,
    check_infrared,
)


def _refused(case: ModalityCase, sample: Sample, what: str) -> str:
    message = refusal(SegprepError, lambda: case.step()(sample), what)
    assert len(message) > 10, f"{what}: this message tells nothing: {message}"
    return message
