"""Typed tables laid over one another: which value wins, where it came from, and `KEY=VALUE`."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.layers import COMMAND_LINE, Layer, Overlaid, parse_setting, settled
from segprep.datasets.program.tables import Place, from_table, option, options_of
from segprep.datasets.program.values import above
from support.arguments import PREP_TOML, Arguments


def layers(said: dict[str, Any], last: dict[str, Any], written: dict[str, Any]) -> list[Layer]:
    return [
        Layer("command line", said, COMMAND_LINE),
        Layer("last run", last, Place("the last run"), strict=False),
        Layer("prep.toml", written, PREP_TOML),
    ]


def test_the_strongest_layer_decides_and_each_value_knows_its_origin() -> None:
    found = settled(Arguments, layers({"scale": 1}, {"scale": 2, "ids": [2]}, {"ids": [3], "kept": 4, "check": False}))
    assert found.arguments == Arguments(scale=1.0, ids=(2,), kept=4, check=False)
    assert json.dumps(found.values["scale"]) == "1", "as it was written"
    origins = {name: found.origins[name] for name in ("scale", "ids", "kept", "way")}
    assert origins == {"scale": "command line", "ids": "last run", "kept": "prep.toml", "way": "default"}
    assert list(found.values) == [each.name for each in options_of(Arguments)]


def test_an_alternative_takes_back_what_weaker_layers_say_of_the_other() -> None:
    found = settled(Arguments, layers({"size": [8, 6]}, {"factor": 2}, {}))
    assert (found.values["size"], found.values["factor"]) == ([8, 6], None)
    assert found.origins["factor"] == "command line"
    with pytest.raises(ConfigurationError, match=r"factor and size exclude each other \(prep\.toml\)"):
        settled(Arguments, layers({}, {}, {"size": [8, 6], "factor": 2}))


def test_a_new_choice_takes_back_its_details() -> None:
    last = {"method": "vote", "share": 0.9, "ids": [1]}
    assert settled(Arguments, layers({}, last, {})).values["share"] == 0.9
    found = settled(Arguments, layers({"method": "nearest", "ids": [2]}, last, {"share": 0.5}))
    assert (found.values["share"], found.origins["share"], found.values["ids"]) == (None, "default", [2])


@pytest.mark.parametrize(
    ("said", "last", "written", "message"),
    [
        ({"scal": 1}, {}, {}, "--set has no key 'scal'. Did you mean 'scale'?"),
        ({"scale": "big"}, {}, {}, "--scale must be a number, not 'big'"),
        ({"check": 3}, {}, {}, "--check must be true or false, not 3"),
        ({}, {"scale": "big"}, {}, "the last run: scale must be a number"),
        ({"scale": 1.0}, {}, {"scale": "big"}, "prep.toml: [defaults.flow] scale must be a number, not 'big'"),
        ({}, {}, {"column": "sky"}, "the sky has no depth"),
    ],
)
def test_an_error_says_which_layer(
    said: dict[str, Any], last: dict[str, Any], written: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settled(Arguments, layers(said, last, written))
    assert message in str(caught.value)


def test_a_last_run_may_know_more_and_what_is_overruled_of_it_is_not_asked() -> None:
    found = settled(Arguments, layers({"scale": 1.0}, {"scale": "big", "dropped": 1}, {}))
    assert found.arguments == Arguments(scale=1.0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"top": {"lr": 0}}, "--set top.lr must be a number above 0, not 0"),
        ({"top": {"rate": 0}}, "--rate must be a number above 0, not 0"),
        ({"top": {"lrr": 0}}, "the command line: [top] has no key 'lrr'. Did you mean 'lr'?"),
        ({"tpo": {}}, "the command line has no key 'tpo'. Did you mean 'top'?"),
    ],
)
def test_what_was_typed_over_a_file_is_called_as_it_was_typed(table: dict[str, Any], message: str) -> None:
    @dataclass(frozen=True)
    class Top:
        lr: float = option(1.0, accept=above(0))
        rate: float = option(1.0, accept=above(0), flag="--rate")

    @dataclass(frozen=True)
    class File:
        top: Top = field(default_factory=Top)

    with pytest.raises(ConfigurationError) as caught:
        from_table(File, table, Overlaid("run.toml", said=table))
    assert str(caught.value).startswith(message)
    with pytest.raises(ConfigurationError, match=r"^run\.toml"):
        from_table(File, table, Overlaid("run.toml", said={"top": {"other": 1}}))


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("scale=2", {"scale": 2}),
        ("size=[8, 6]", {"size": [8, 6]}),
        ("check=false", {"check": False}),
        ("pattern=flow/{stem}.flo", {"pattern": "flow/{stem}.flo"}),
        ("name=it's", {"name": "it's"}),
        ("data.inputs=['a']", {"data": {"inputs": ["a"]}}),
    ],
)
def test_a_setting_is_toml_or_a_text(text: str, table: dict[str, Any]) -> None:
    assert parse_setting(text, "scale=1") == table


@pytest.mark.parametrize("text", ["scale", "=3", "a b=3"])
def test_a_setting_that_is_none_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"for example --set optimizer\.clip_norm=1"):
        parse_setting(text, "optimizer.clip_norm=1")
