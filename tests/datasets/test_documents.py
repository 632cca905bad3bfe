"""JSON and TOML that are damaged, or hold what no document of ours holds: one kind of error for all of it."""

from pathlib import Path

import pytest

from segprep.datasets.documents import MAX_DEPTH, parse_json, parse_toml, read_json, read_text, read_toml


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 5000, "nested too deeply"),
        ('{"a":' * 5000, "nested too deeply"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested too deeply"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("[1e400]", "larger"),
        ("[-1e400]", "larger"),
        ("[" + "9" * 400 + "]", "more digits"),
        ("[" + "9" * 5000 + "]", "digits"),
        ("[NaN]", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        (r'["a\u0000b"]', "NUL"),
        (r'{"a\u0000b": 1}', "NUL"),
        (r'["\ud800"]', "surrogate"),
        ("{", "Expecting"),
        ("", "Expecting"),
    ],
)
def test_json_that_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 5000, "nested too deeply"),
        ("a = " + "[" * 70 + "]" * 70, "nested too deeply"),
        (".".join("a" * 3000) + " = 1", "nested too deeply"),
        ("a = 1\na = 2", "overwrite"),
        ("a = 1e400", "larger"),
        ("a = " + "9" * 400, "more digits"),
        (r'a = "b\u0000"', "NUL"),
    ],
)
def test_toml_that_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_toml(text)


def test_what_is_sound_is_read() -> None:
    inside = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert parse_json(f'{{"a": [1, -2.5, true, null, "ä\\ud83d\\ude00"], "b": {inside}}}')["a"] == [
        *(1, -2.5, True, None, "ä\U0001f600")
    ]
    assert parse_json("[" + "9" * 300 + "]") == [int("9" * 300)]
    assert parse_toml("a = inf\nb = [1, 2.5]") == {"a": float("inf"), "b": [1, 2.5]}


def test_files_may_start_with_a_byte_order_mark_and_must_be_text(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(path) == [1]
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r")
    assert read_toml(path) == {"a": 1, "b": 2}
    assert read_text(path) == "a = 1\nb = 2\n"
    path.write_bytes(b"[\xff]")
    with pytest.raises(ValueError, match=r"not UTF-8 \(byte 1\)"):
        read_json(path)
