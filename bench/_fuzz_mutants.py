"""Mutants of files: single changes of bytes and, in texts, of what stands there."""

import re

import numpy as np

__all__ = ["mutant"]

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_ODD = (
    *(b"1e400", b"-1", b"0", b"99999999999999999999999", b"nan", b"NaN", b"Infinity", b"-1e-320", b"1e308"),
    *(b"null", b"true", b'""', b"[]", b"{}", b"[" * 3000, b'{"a":' * 3000, b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r"),
    *(b"../../../x", b"A" * 5000, b"#", b";", b"\t", b"=", b"[[a]]\n", b"2011-13-45 99:99:99", "\u202e\u0301".encode()),
)


def mutant(sound: bytes, rng: np.random.Generator) -> bytes:
    """Return a changed copy, by one to three changes."""
    data = sound
    for _ in range(int(rng.integers(1, 4))):
        data = _changed(data, rng)
    return data


def _changed(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(data) + 1))
    length = int(rng.integers(1, 1 + min(64, max(1, len(data)))))
    match int(rng.integers(8)):
        case 0 if start < len(data):
            return data[:start] + bytes([data[start] ^ (1 << int(rng.integers(8)))]) + data[start + 1 :]
        case 1:
            return data[:start] + rng.bytes(length) + data[start + length :]
        case 2:
            return data[:start]
        case 3:
            return data[:start] + data[start + length :]
        case 4:
            return data[:start] + data[start : start + length] * int(rng.integers(2, 40)) + data[start + length :]
        case 5:
            return data[:start] + _ODD[int(rng.integers(len(_ODD)))] + data[start:]
        case 6:
            return data[:start] + bytes([(0, 0xFF)[int(rng.integers(2))]]) * length + data[start + length :]
        case _:
            return _other_number(data, rng)


def _other_number(data: bytes, rng: np.random.Generator) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data[::-1]
    chosen = found[int(rng.integers(len(found)))]
    return data[: chosen.start()] + _ODD[int(rng.integers(len(_ODD)))] + data[chosen.end() :]
