"""The flags of `train run` and what Tab offers, from the declarations of a run's entries."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from segprep.datasets.augmentation.config import PRESETS
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import options_of
from segprep.train.cli import app
from segprep.train.command.place import TrainingPlace
from segprep.train.command.run import read_configuration
from segprep.train.command.run_options import SECTIONS, said_tables
from segprep.train.learning.config import RunConfig, parse_config
from segprep.train.models import MODELS
from segprep.train.network.pointers import point_at
from segprep.train.runs.folder import create_run


def _command(name: str) -> Any:
    program: Any = typer.main.get_command(app)
    return program.commands[name]


def test_every_entry_that_names_a_flag_has_it() -> None:
    flags = {flag for each in _command("run").params for flag in each.opts}
    declared = {each.flag for classes in SECTIONS.values() for cls in classes for each in options_of(cls) if each.flag}
    assert declared <= flags


def test_every_section_of_a_configuration_is_known_to_the_command_line() -> None:
    assert set(SECTIONS) - {""} == {each.name for each in options_of(RunConfig)} & set(SECTIONS)
    tables = {each.name for each in options_of(RunConfig)} - {each.name for each in options_of(SECTIONS[""][0])}
    assert tables == {*SECTIONS, "augmentation"} - {""}


def test_the_help_of_augment_names_the_presets() -> None:
    (augment,) = (each for each in _command("run").params if "--augment" in each.opts)
    assert augment.help.startswith(f"{', '.join(PRESETS)}, or a TOML file of ranges. Default: flip.")
    assert parse_config({}, "test").augmentation == PRESETS["flip"]


def test_flags_become_tables_and_settings_win() -> None:
    given = {
        "data_inputs": "image, flow", "data_weights": "2,1", "data_size": "64x32",
        "model_experts": ["image=a", "flow=/b,c"],
        "model_compile": True, "schedule_lr": 0.1, "epochs": 2.0, "augmentation": None,
    }  # fmt: skip
    assert said_tables(given, ["schedule.lr=0.2", "optimizer.kind=sgd"]) == {
        "data": {"inputs": ["image", "flow"], "weights": [2.0, 1.0], "size": [64, 32]},
        "model": {"experts": {"image": "a", "flow": "/b,c"}, "compile": True},
        "schedule": {"lr": 0.2},
        "epochs": 2.0,
        "optimizer": {"kind": "sgd"},
    }
    assert said_tables({"augmentation": "ssma"}, ())["augmentation"] == PRESETS["ssma"].to_json()
    with pytest.raises(ConfigurationError, match=r"--expert COLUMN=RUN, for example image=run-001, not image"):
        said_tables({"model_experts": ["image"]}, ())


@pytest.mark.parametrize(
    ("file", "given", "settings", "message"),
    [
        ("", {"schedule_lr": -1.0}, (), "--lr must be a number above 0, not -1.0"),
        ("", {"loss_kind": "cros"}, (), "--loss must be one of cross_entropy, bootstrapped, focal, dice, lovasz, not"),
        ("", {"data_weights": "2,a"}, (), "--dataset-weights must be a list of numbers, not [2.0, 'a']"),
        ("", {}, ("schedule.power=0",), "--set schedule.power must be a number above 0, not 0"),
        ("", {}, ("model.gn_groups=a",), "--set model.gn_groups must be a whole number, not 'a'"),
        ("", {}, ("model.gn=1",), "the command line: [model] has no key 'gn'. Did you mean 'gn_groups'?"),
        ("", {}, ("data=3",), "--set data must be a table, not 3"),
        ("", {}, ("augmentation.flip=a",), "--set augmentation.flip must be a probability in 0..1, not 'a'"),
        ("", {}, ("augmentation.flop=1",), "the command line: [augmentation] has no key 'flop'. Did you mean 'flip'?"),
        ("steps = 0", {"schedule_lr": 1.0}, (), "x.toml: steps must be a whole number above 0, not 0"),
        ("[optimizer]\nlr = 1", {"seed": 1}, (), "x.toml: [optimizer] has no key 'lr'"),
        ("[schedule]\nend_lr = 0.5", {"schedule_lr": 0.1}, (), "x.toml: [schedule]: a schedule needs end_lr"),
        ("[augmentation]\nhue = 3", {}, (), "x.toml: [augmentation] hue must be [low, high] (degrees)"),
        ('[[stage]]\nname = "a"\nseed = -1', {}, (), "x.toml, stage s-a: seed must be a whole number"),
    ],
)  # fmt: skip
def test_an_error_says_where_a_value_stands(
    tmp_path: Path, file: str, given: dict[str, Any], settings: tuple[str, ...], message: str
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(file)
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(
            TrainingPlace((), False, tmp_path), "s", path if file else None, said_tables(given, settings)
        )
    assert message in str(caught.value)


def test_a_flag_mends_what_a_file_says(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('epochs = 3\n[model]\nname = "ssma"\nexperts = { image = "a", hha = "b" }\n')
    said = said_tables({"steps": 5, "model_experts": ["hha=c"]}, ())
    ((_, config),) = read_configuration(TrainingPlace((), False, tmp_path), "s", path, said)
    assert (config.steps, config.epochs) == (5, None)
    assert config.model.experts == {"image": "a", "hha": "c"}


def test_tab_offers_what_is_there(workspace: Path) -> None:
    for name, step in (("run-001", "step-00000004"), ("mine", "step-00000006")):
        checkpoints = create_run(workspace / "runs", name, "").checkpoints
        (checkpoints / step).mkdir(parents=True)
        (checkpoints / f"{step}.123.partial").mkdir()
        point_at(checkpoints, "last", step)

    def offered(command: str, option: str, incomplete: str = "", *typed: str) -> list[str]:
        context = _command(command).make_context(command, ["-C", str(workspace), *typed], resilient_parsing=True)
        (found,) = (each for each in context.command.params if option in each.opts)
        return [item.value for item in found.shell_complete(context, incomplete)]

    assert offered("run", "--inputs") == ["image", "flow"]
    assert offered("run", "--inputs", "image,") == ["image,flow"]
    assert offered("run", "--model") == MODELS.names()
    assert offered("run", "--loss", "f") == ["focal"]
    assert offered("run", "--schedule") == ["poly", "cosine", "exponential", "plateau", "constant"]
    assert offered("run", "--augment") == [*PRESETS]
    assert offered("run", "--start") == offered("run", "--name") == offered("eval", "--name") == ["mine", "run-001"]
    assert offered("run", "--expert", "image=") == ["image=mine", "image=run-001"]
    assert offered("eval", "--split") == ["train", "val"]
    assert offered("eval", "--checkpoint") == ["last", "step-00000004", "step-00000006"]
    assert offered("eval", "--checkpoint", "", "--name", "mine") == ["last", "step-00000006"]


@pytest.mark.parametrize("option", ["--inputs", "--name", "--expert"])
def test_tab_offers_nothing_where_nothing_is(tmp_path: Path, option: str) -> None:
    context = _command("run").make_context("run", ["-C", str(tmp_path)], resilient_parsing=True)
    (found,) = (each for each in context.command.params if option in each.opts)
    assert found.shell_complete(context, "") == []


def test_a_network_of_another_package_brings_its_own_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "network_of_tests.py").write_text(
        "from dataclasses import dataclass\nfrom segprep.datasets.program.tables import option\n"
        "from segprep.datasets.program.values import above\n\n@dataclass(frozen=True)\nclass Config:\n"
        "    width: int = option(8, accept=above(0))\n    plain: tuple[int, ...] = (1,)\n"
    )
    info = tmp_path / "network_of_tests-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: network-of-tests\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[segprep.models]\nguest = network_of_tests\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "network_of_tests", raising=False)
    importlib.invalidate_caches()
    monkeypatch.setattr(MODELS, "_loaded", {})

    def configured(*settings: str) -> RunConfig:
        said = said_tables({"model_name": "guest"}, settings)
        return read_configuration(TrainingPlace((), False, tmp_path), "s", None, said)[0][1]

    assert "guest" in MODELS.names()
    assert configured("model.width=3", "model.plain=[4]").model.options == {"width": 3, "plain": (4,)}
    with pytest.raises(ConfigurationError, match=r"--set model\.width must be a number above 0, not 0"):
        configured("model.width=0")
    with pytest.raises(ConfigurationError, match=r"no key 'widht'\. Did you mean 'width'"):
        configured("model.widht=3")
