import os
from pathlib import Path
from typing import Any

import pytest
import torch

from segprep.datasets.augmentation.config import PRESETS
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.train.learning.config import config_toml, parse_config, read_toml
from segprep.train.runs.folder import create_run, find_run, next_name


def test_an_empty_table_gives_the_defaults() -> None:
    config = parse_config({}, "test")
    assert config.data.inputs == ("image",)
    assert config.model.name == "frrn"
    assert config.model.options["base_channels"] == 48
    assert config.augmentation == PRESETS["flip"]
    assert config.total_steps(samples=100) == 1500
    assert config.validation_interval(1500) == 150


def test_the_saved_configuration_is_read_back_equal(tmp_path: Path) -> None:
    table = {
        "steps": 7,
        "shards": ["/s"],
        "data": {"inputs": ["flow", "image"]},
        "schedule": {"lr": 1},
        "model": {"base_channels": 3},
    }
    config = parse_config(table, "test")
    (tmp_path / "config.toml").write_text(config_toml(config))
    assert parse_config(read_toml(tmp_path / "config.toml"), "again") == config


def test_the_length_is_rounded_up_to_whole_steps() -> None:
    config = parse_config({"epochs": 2, "data": {"batch_size": 4}}, "test")
    assert [config.total_steps(n) for n in (4, 5, 8)] == [2, 3, 4]
    assert parse_config({"epochs": 0.01}, "test").total_steps(4) == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"epoch": 3}, r"test has no key 'epoch'. Did you mean 'epochs'\?"),
        ({"data": {"bath_size": 3}}, r"\[data\] has no key 'bath_size'. Did you mean 'batch_size'"),
        ({"model": {"depth": 3}}, r"\[model\] has no key 'depth'. .* base_channels"),
        ({"data": 3}, r"test: data must be a table"),
        ({"data": {"batch_size": "four"}}, r"\[data\] batch_size must be a whole number, not 'four'"),
        ({"model": {"compile": 1}}, r"\[model\] compile must be true or false, not 1"),
        ({"augmentation": {"flop": 1}}, r"test: \[augmentation\] has no key 'flop'. Did you mean 'flip'"),
        ({"data": {"weights": [1, "a"]}}, r"\[data\] weights must be a list of numbers, not \[1, 'a'\]"),
        (
            {"data": {"inputs": ["image", "image"]}},
            r"inputs must be one or more columns, none of them twice",
        ),
        ({"data": {"inputs": "image"}}, r"\[data\] inputs must be .*, not .image."),
        ({"data": {"inputs": []}}, r"\[data\] inputs must be one or more columns"),
        (
            {"schedule": {"kind": "linear"}},
            r"\[schedule\] kind must be one of poly, cosine, exponential, plateau, constant, not 'linear'",
        ),
        ({"schedule": {"lr": -1.0}}, r"\[schedule\] lr must be a number above 0, not -1"),
        ({"model": {"precision": "fp64"}}, r"\[model\] precision must be one of fp32, bf16, fp16, not 'fp64'"),
        ({"model": {"base_channels": 0}}, r"\[model\] base_channels must be a whole number above 0, not 0"),
        ({"seed": -1}, r"seed must be a whole number from 0 to 2\^63 - 1, not -1"),
        ({"seed": True}, r"seed must be a whole number, not True"),
        ({"steps": 0}, r"steps must be a whole number above 0, not 0"),
        ({"steps": 3, "epochs": 2}, r"epochs or steps, not both"),
    ],
)
def test_entries_that_make_no_sense_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_config(table, "test")


def test_sixteen_bits_are_the_default_only_where_the_processor_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for supported, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda answer=supported: answer)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert parse_config({}, "test").model.precision == expected


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("steps = ")
    with pytest.raises(ConfigurationError, match=r"x\.toml cannot be read"):
        read_toml(tmp_path / "x.toml")
    with pytest.raises(ConfigurationError, match=r"y\.toml cannot be read"):
        read_toml(tmp_path / "y.toml")


def test_runs_are_numbered_on_and_found_by_name_or_as_the_last(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no run yet"):
        find_run(tmp_path, None)
    assert next_name(tmp_path) == "run-001"
    for name in ("run-001", "run-007", "mine"):
        create_run(tmp_path, name, "")
    assert next_name(tmp_path) == "run-008"
    assert find_run(tmp_path, "run-001").name == "run-001"
    with pytest.raises(ConfigurationError, match=r"no run 'run-002' .*Runs: mine, run-001, run-007"):
        find_run(tmp_path, "run-002")


def test_the_last_run_is_the_one_written_to_last(tmp_path: Path) -> None:
    first, second = create_run(tmp_path, "a", ""), create_run(tmp_path, "b", "")
    os.utime(first.config_path, (1, 1))
    os.utime(second.config_path, (2, 2))
    assert find_run(tmp_path, None) == second
    first.log({"step": 1})
    assert find_run(tmp_path, None) == first


def test_an_existing_run_is_not_written_over(tmp_path: Path) -> None:
    create_run(tmp_path, "mine", "first")
    with pytest.raises(ConflictError, match="--resume --name mine"):
        create_run(tmp_path, "mine", "second")
    assert (tmp_path / "mine" / "config.toml").read_text() == "first"


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b"])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="a run's name"):
        create_run(tmp_path, name, "")


def test_the_log_is_cut_to_the_steps_that_the_checkpoint_knows(tmp_path: Path) -> None:
    run = create_run(tmp_path, "mine", "")
    for step in (1, 2, 3):
        run.log({"step": step})
    with run.log_path.open("a") as stream:
        stream.write('{"step": 4, "lo')
    run.cut_log(2)
    assert run.log_path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_folder_without_a_run_is_not_called_one(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(ConflictError, match="mine exists and holds no run: move it away"):
        create_run(tmp_path, "mine", "")
