"""Typed tables: what is accepted, how faults are told; command lines and documents from them."""

import inspect
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import typer
import typer.testing

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.json_values import as_json
from segprep.datasets.names import nearest_name
from segprep.datasets.program.layers import COMMAND_LINE, Layer, settled
from segprep.datasets.program.parameters import completed, help_text, markdown_table, parameters, said_by
from segprep.datasets.program.tables import Place, check_accepted, default_table, from_table, option, options_of
from segprep.datasets.program.values import Accept, parse_size, read_text, within
from support.arguments import PREP_TOML, Arguments, Inner, Way


def read(**table: object) -> Arguments:
    return from_table(Arguments, table, PREP_TOML)


# -- tables ------------------------------------------------------------------------------------------------------------


def test_what_is_left_out_has_its_default() -> None:
    assert read() == Arguments()
    assert Arguments().inner == Inner(0.1, ("a",))


def test_values_become_what_the_fields_hold() -> None:
    made = read(
        factor=2, size=[4, 3], scale=5, way="far", bits=16, gravity=[0, 1, 0], experts={"a": "b"}, ids=[1], kept=40,
        inner={"lr": 1, "names": ["x", "y"]},
    )  # fmt: skip
    assert (made.factor, made.size, made.way, made.bits, made.ids) == (2, (4, 3), Way.FAR, 16, (1,))
    assert (made.gravity, type(made.scale), type(made.kept)) == ((0.0, 1.0, 0.0), float, int)
    assert made.inner == Inner(1.0, ("x", "y"))
    assert isinstance(made.way, Way)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"scale": "big"}, "prep.toml: [defaults.flow] scale must be a number, not 'big'"),
        ({"scale": True}, "prep.toml: [defaults.flow] scale must be a number, not True"),
        ({"scale": -1}, "scale must be a number above 0, not -1"),
        ({"scale": float("inf")}, "scale must be a number above 0, not inf"),
        ({"scale": float("nan")}, "scale must be a number above 0, not nan"),
        ({"scale": None}, "scale must be a number, not None"),
        ({"scale": 10**400}, "scale must be a number, not 1000"),
        ({"scal": 1}, "prep.toml: [defaults.flow] has no key 'scal'. Did you mean 'scale'? There are: factor, size"),
        ({"factor": 2.0}, "factor must be a whole number, not 2.0"),
        ({"factor": True}, "factor must be a whole number, not True"),
        ({"factor": 0}, "factor must be a whole number of at least 1, not 0"),
        ({"size": [8]}, "size must be a list of 2 whole numbers, not [8]"),
        ({"size": "8x6"}, "size must be a list of 2 whole numbers, not '8x6'"),
        ({"ids": [1, "a"]}, "ids must be a list of whole numbers, not [1, 'a']"),
        ({"method": "soft"}, "method must be vote or nearest, not 'soft'"),
        ({"method": {"a": 1}}, "method must be vote or nearest, not {'a': 1}"),
        ({"share": 1.5}, "share must be a number from 0 to 1, not 1.5"),
        ({"kept": "far"}, "kept must be a number, not 'far'"),
        ({"check": 1}, "check must be true or false, not 1"),
        ({"way": "up"}, "way must be near or far, not 'up'"),
        ({"bits": 12}, "bits must be 8 or 16, not 12"),
        ({"bits": 8.0}, "bits must be 8 or 16, not 8.0"),
        ({"gravity": "down"}, "gravity must be estimate or a list of 3 numbers, not 'down'"),
        ({"gravity": [0, 1]}, "gravity must be estimate or a list of 3 numbers, not [0, 1]"),
        ({"span": [0, float("inf")]}, "span must be two finite numbers, not [0, inf]"),
        ({"experts": ["a"]}, "experts must be a table of texts, not ['a']"),
        ({"experts": {"a": 1}}, "experts must be a table of texts, not {'a': 1}"),
        ({"column": 3}, "column must be a text, not 3"),
        ({"column": "sky"}, "prep.toml: [defaults.flow]: the sky has no depth"),
        ({"inner": {"lr": 0}}, "prep.toml: [defaults.flow.inner] lr must be a number above 0, not 0"),
        ({"inner": {"name": 0}}, "prep.toml: [defaults.flow.inner] has no key 'name'. Did you mean 'names'?"),
        ({"inner": 3}, "inner must be a table, not 3"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_table(Arguments, table, PREP_TOML)
    assert message in str(caught.value)


def test_places_are_written_as_toml_has_them() -> None:
    assert str(Place("prep.toml", ("defaults", "modality jet"))) == 'prep.toml: [defaults."modality jet"]'
    with pytest.raises(ConfigurationError, match=r"^run\.toml: scale must be a number"):
        from_table(Arguments, {"scale": "big"}, Place("run.toml"))
    with pytest.raises(ConfigurationError, match=r"^run\.toml has no key 'model'\. .*, base_channels"):
        from_table(Arguments, {"model": 1}, Place("run.toml"), known=["base_channels"])


def test_fields_that_are_made_already_are_no_entries_of_the_table() -> None:
    made = from_table(Arguments, {"scale": 1}, Place("run.toml"), inner=Inner(3.0))
    assert (made.scale, made.inner.lr) == (1.0, 3.0)
    with pytest.raises(ConfigurationError, match="no key 'inner'"):
        from_table(Arguments, {"inner": {}}, Place("run.toml"), inner=Inner(3.0))


def test_a_field_without_a_default_must_be_said() -> None:
    @dataclass(frozen=True)
    class Named:
        name: str

    assert from_table(Named, {"name": "a"}, Place("x")) == Named("a")
    with pytest.raises(ConfigurationError, match="x: name is missing"):
        from_table(Named, {}, Place("x"))


def test_json_is_read_back_and_keeps_names_order_and_values() -> None:
    made = read(size=[4, 3], way="far", experts={"a": "b"}, gravity=[0, 1, 0])
    text = json.dumps(as_json(made))
    assert from_table(Arguments, json.loads(text), Place("ledger")) == made
    assert json.loads(text)["size"] == [4, 3]
    assert list(default_table(Inner)) == ["lr", "names"]
    assert json.dumps(default_table(Inner)) == '{"lr": 0.1, "names": ["a"]}'


def test_what_code_builds_is_checked_as_tables_are() -> None:
    @dataclass(frozen=True)
    class Checked:
        size: tuple[int, ...] = option((2, 1), accept=Accept("falling", lambda size: list(size) == sorted(size)[::-1]))
        share: float | None = option(None, accept=within(0, 1, but=1))
        plain: int = -1

        def __post_init__(self) -> None:
            check_accepted(self)

    assert Checked(share=0.0).plain == -1
    with pytest.raises(ConfigurationError, match=r"^share must be a number from 0 to 1 \(1 excluded\), not 1\.0$"):
        Checked(share=1.0)
    with pytest.raises(ConfigurationError, match=r"^size must be falling, not \[1, 2\]$"):
        Checked(size=(1, 2))


def test_defaults_of_tables_are_not_shared() -> None:
    assert Arguments().experts is not Arguments().experts


def test_the_nearest_name_is_named() -> None:
    assert nearest_name("sise", ["size", "scale"]) == "Did you mean 'size'? There are: size, scale"
    assert nearest_name("a", []) == "There are none"


# -- command lines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "3", 3),
        (float, "3", 3.0),
        (int, "three", "three"),
        (bool, "true", True),
        (str, "3", "3"),
        (Literal[8, 16], "16", 16),
        (Literal[8, 16], "12", "12"),
        (tuple[str, ...], "pole, traffic sign,", ["pole", "traffic sign"]),
        (tuple[float, float], "2,98", [2.0, 98.0]),
        (tuple[float, float], "2,98,a", [2.0, 98.0, "a"]),
        (tuple[float, float] | None, "2,98", [2.0, 98.0]),
        (Literal["mount"] | tuple[float, float], "mount", "mount"),
        (Literal["mount"] | tuple[float, float], "1,2", [1.0, 2.0]),
        (Literal["mount"] | tuple[float, float], "1", "1"),
        (Mapping[str, int], "a=1, b=2", {"a": 1, "b": 2}),
        (Mapping[str, int], "a", "a"),
    ],
)
def test_a_text_is_read_as_its_type_says(hint: Any, text: str, value: object) -> None:
    assert read_text(hint, text) == value


@pytest.mark.parametrize("text", ["8", "8x", "0x4", "8x6x4", "axb"])
def test_a_size_is_two_numbers(text: str) -> None:
    assert parse_size("768X384") == [768, 384]
    with pytest.raises(ConfigurationError, match="a size is WIDTHxHEIGHT"):
        parse_size(text)


def program() -> tuple[typer.Typer, list[dict[str, Any]]]:
    app, calls = typer.Typer(), list[dict[str, Any]]()
    options = [each for each in options_of(Arguments) if each.name not in ("inner", "experts")]

    def run(**given: Any) -> None:
        calls.append(said_by(options, given))

    found = parameters(options, {"column": lambda _: ["depth", "depth_filled", "image"]})
    run.__signature__ = inspect.Signature(found)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in found}
    app.command()(run)
    return app, calls


def typed(*arguments: str) -> dict[str, Any]:
    app, calls = program()
    assert typer.testing.CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    return calls[0]


def test_a_command_line_says_what_was_typed_and_nothing_else() -> None:
    assert typed() == {}
    line = "--factor 2 --size 8x6 --scale 5 --no-check --gravity 0,1,0 --bits 16 --way far --ids 1,2 --kept 40"
    assert typed(*line.split()) == {
        "factor": 2, "size": [8, 6], "scale": 5.0, "check": False, "gravity": [0.0, 1.0, 0.0], "bits": 16,
        "way": "far", "ids": [1, 2], "kept": 40.0,
    }  # fmt: skip


def test_what_was_typed_is_checked_as_tables_are() -> None:
    with pytest.raises(ConfigurationError, match=r"^--span must be two finite numbers, not \[2\.0\]"):
        settled(Arguments, [Layer("command line", typed("--span", "2"), COMMAND_LINE)])
    assert typer.testing.CliRunner().invoke(program()[0], ["--factor", "0"]).exit_code == 2


def test_a_table_is_typed_pair_by_pair() -> None:
    @dataclass(frozen=True)
    class Pairs:
        experts: Mapping[str, int] = option({}, flag="--expert", metavar="NAME=N")

    options = options_of(Pairs)
    (parameter,) = parameters(options)
    assert "list[str]" in str(parameter.annotation)
    assert said_by(options, {"experts": ["a=1", "b=2"]}) == {"experts": {"a": 1, "b": 2}}
    with pytest.raises(ConfigurationError, match=r"^--expert must be a table of whole numbers, not \['a'\]"):
        settled(Pairs, [Layer("command line", said_by(options, {"experts": ["a"]}), COMMAND_LINE)])


def test_a_metavar_may_be_left_to_the_type() -> None:
    @dataclass(frozen=True)
    class Plain:
        kind: Literal["a", "b"] = option("a", metavar="", help="Which.")

    (parameter,) = parameters(options_of(Plain))
    assert parameter.annotation.__metadata__[0].metavar is None
    assert "<code>a&#124;b</code>" in markdown_table(Plain)


def test_the_help_shows_choices_bounds_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    text = typer.testing.CliRunner().invoke(program()[0], ["--help"]).output
    for part in (
        "Grey levels. Default: 6.4.",
        "--method",
        "vote|nearest",
        "Which one. Default: vote.",
        "x>=1",
        "Of the pixel. Default: 0 with vote.",
        "--no-check",
        "Both ways. Default: check.",
        "8|16",
    ):
        assert part in text


def test_an_option_says_how_it_is_called_and_what_its_default_is() -> None:
    @dataclass(frozen=True)
    class Some:
        a_b: bool = option(False, help="A.")
        c: bool = option(False, help="C.", flag="--compile")
        d: str = option("medium", help="Slow, medium (default).", unsaid="")
        e: tuple[str, ...] = option(("image",), help="E.")

    found = {each.name: each for each in options_of(Some)}
    assert [found[name].flags for name in "cd"] == ["--compile", "--d"]
    assert found["a_b"].flags == "--a-b/--no-a-b"
    assert [help_text(each) for each in found.values()] == [
        "A.",
        "C.",
        "Slow, medium (default).",
        "E. Default: image.",
    ]


def test_the_table_for_documents_has_a_row_for_each_option() -> None:
    lines = markdown_table(Arguments).splitlines()
    assert len(lines) == 2 + sum(bool(each.help) for each in options_of(Arguments)) > 8
    assert "| `--method` | <code>vote&#124;nearest</code> | vote | Which one. |" in lines
    assert r"| `--way` | <code>near&#124;far</code> | near | Where \| to. |" in lines
    assert "| `--check` `--no-check` |  | check | Both ways. |" in lines


def test_the_table_for_documents_names_keys_of_files() -> None:
    @dataclass(frozen=True)
    class Some:
        lr: float = option(0.1, flag="--lr", help="A.")
        power: float = option(0.9, help="B.")
        fast: bool = option(True, help="fast or not.")
        plain: int = 0

    assert markdown_table(Some, "schedule").splitlines()[2:] == [
        "| `schedule.lr` `--lr` |  | 0.1 | A. |",
        "| `schedule.power` |  | 0.9 | B. |",
        "| `schedule.fast` |  | true | fast or not. |",
    ]
    assert "| `power` |" in markdown_table(Some, "")


def test_completion_knows_choices_and_what_the_program_looks_up() -> None:
    assert completed(["a", "ab", "b"], "a") == ["a", "ab"]
    assert completed(["a", "ab", "b"], "a,") == ["a,ab", "a,b"]
    command = typer.main.get_command(program()[0])
    context = command.make_context("x", [])
    offered = {each.name: [item.value for item in each.shell_complete(context, "")] for each in command.params}
    assert offered["method"] == ["vote", "nearest"]
    assert offered["column"] == ["depth", "depth_filled", "image"]
    assert offered["way"] == ["near", "far"]
    assert offered["scale"] == []


def test_tables_load_neither_typer_nor_numpy() -> None:
    code = "import sys, segprep.datasets.program.layers, segprep.datasets.program.parameters; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"typer", "numpy", "torch"}.isdisjoint(loaded)
