"""What every code must fulfil, shown on random integers of its type."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.codes import Code, IdCode, MaskPlace, VoidFirstCode, code_from_json
from segprep.datasets.conformance.refusals import refusal
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.sample import Array, Mask

__all__ = ["CODE_CHECKS", "check_code"]

_SHAPES: Final = ((1, 1), (1, 6), (6, 1), (3, 3), (5, 6))
_SEEDS: Final = 3


def check_code(code: Code) -> None:
    """Run all checks on a code, with several sizes and random numbers.

    Raises:
        AssertionError: If it does not keep what codes promise.
    """
    for check in CODE_CHECKS:
        for shape in _SHAPES:
            for seed in range(_SEEDS):
                check(code, shape, seed)


def check_json(code: Code, shape: tuple[int, int] = (5, 6), seed: int = 0) -> None:
    """It survives JSON."""
    text = json.dumps(code.to_json())
    assert code_from_json(json.loads(text)) == code, f"{code} comes back from JSON as another code: {text}"


def check_round_trip(code: Code, shape: tuple[int, int] = (5, 6), seed: int = 0) -> None:
    """What was decoded and encoded again is as before, and so is the mask."""
    stored, given = _stored(code, shape, seed), _valid(code, shape, seed)
    values, valid = code.decode(stored, given)
    first = code.encode(values, valid)
    again = code.encode(*code.decode(first.stored, first.valid))
    assert np.array_equal(again.stored, first.stored), f"{code}: encoding again changes stored integers"
    where = np.ones(shape, np.bool_) if first.valid is None else first.valid
    if values.ndim == 3 and values.shape[2] < stored.shape[2]:  # the last channels follow from the first
        own = np.s_[..., : values.shape[2]]
        kept = np.array_equal(first.stored[own][where], stored[own][where])
    else:
        assert first.clipped == 0, f"{code}: {first.clipped} values that it decoded itself are beyond its range"
        kept = np.array_equal(first.stored[where], stored[where])
    assert kept, f"{code}: what it decoded itself is encoded as something else"
    if given is not None and first.valid is not None and code.mask is MaskPlace.BESIDE:
        assert np.array_equal(first.valid, given), f"{code}: the mask has changed"


def check_files(code: Code, shape: tuple[int, int] = (5, 6), seed: int = 0) -> None:
    """Files keep the stored integers, and the mask where they have room for it."""
    encoded = code.encode(*code.decode(_stored(code, shape, seed), _valid(code, shape, seed)))
    assert encoded.stored.dtype == code.dtype, f"{code}: stores {encoded.stored.dtype} in place of {code.dtype}"
    data = encode_image(code.extension, code.to_file(encoded.stored, encoded.valid))
    stored, valid = code.from_file(decode_image(data, Path(f"cell{code.extension}")))
    assert np.array_equal(stored, encoded.stored), f"{code}: the file holds other integers"
    has = valid is not None
    assert has == (code.mask is MaskPlace.IN_FILE), f"{code}: the mask is kept {code.mask}, one in the file: {has}"
    if valid is not None and encoded.valid is not None:
        assert np.array_equal(valid, encoded.valid), f"{code}: the file holds another mask"


def check_scale(code: Code, shape: tuple[int, int] = (5, 6), seed: int = 0) -> None:
    """Scale and offset tell readers the values."""
    stored = _stored(code, shape, seed)
    values, valid = code.decode(stored, None)
    count = max(len(code.channels), 1)
    assert len(code.scale) == len(code.offset) == count, f"{code}: has no scale and offset for each channel"
    scale, offset = (np.array(v if code.channels else v[0]) for v in (code.scale, code.offset))
    linear = stored * scale + offset
    linear = linear[..., : values.shape[-1]] if values.ndim == 3 else linear
    known = True if valid is None else valid[..., None] if values.ndim == 3 else valid
    where = np.isfinite(values) & known
    close = np.allclose(values[where], linear[where], rtol=1e-6, atol=1e-5)
    assert close, f"{code}: decoded values are not stored * scale + offset"


def check_shapes(code: Code, shape: tuple[int, int] = (5, 6), seed: int = 0) -> None:
    """Arrays and masks of other shapes are refused."""
    for call, word in (
        (lambda: code.encode(np.zeros((*shape, 5), np.float32), None), "shape"),
        (lambda: code.decode(np.zeros((*shape, 5), code.dtype), None), "channel"),
    ):
        message = refusal(CodeRangeError, call, f"{code}: an array of five channels")
        assert word in message, f"{code}: the message does not speak of {word}: {message}"
    if code.mask is not MaskPlace.NONE:
        values, _ = code.decode(_stored(code, shape, seed), None)
        narrow = np.ones((shape[0], shape[1] + 1), np.bool_)
        message = refusal(CodeRangeError, lambda: code.encode(values, narrow), f"{code}: a mask of another size")
        assert "mask" in message, f"{code}: the message does not speak of the mask: {message}"


def check_numbers(code: Code, shape: tuple[int, int] = (5, 6), seed: int = 0) -> None:
    """A valid value that is no number is refused, an invalid one is not. Ids have no such values."""
    if isinstance(code, IdCode | VoidFirstCode):
        return
    values = np.ones(code.decode(_stored(code, shape, seed), None)[0].shape, np.float64)
    values[-1, 0] = np.nan
    message = refusal(CodeRangeError, lambda: code.encode(values, None), f"{code}: a valid pixel that is NaN")
    assert "1 valid pixels are no numbers" in message, f"{code}: the message does not count the pixels: {message}"
    if code.mask is not MaskPlace.NONE:
        valid = np.ones(shape, np.bool_)
        valid[-1, 0] = False
        assert code.encode(values, valid).clipped == 0, f"{code}: an invalid pixel counts as clipped"


CODE_CHECKS: Final[tuple[Callable[[Code, tuple[int, int], int], None], ...]] = (
    check_json,
    check_round_trip,
    check_files,
    check_scale,
    check_shapes,
    check_numbers,
)
"""Each is given a code, (height, width) and a seed."""


def _stored(code: Code, shape: tuple[int, int], seed: int) -> Array:
    full = (*shape, len(code.channels)) if code.channels else shape
    return np.random.default_rng(seed).integers(0, np.iinfo(code.dtype).max, full, dtype=code.dtype, endpoint=True)


def _valid(code: Code, shape: tuple[int, int], seed: int) -> Mask | None:
    return None if code.mask is MaskPlace.NONE else np.random.default_rng(seed + 1).random(shape) < 0.7
