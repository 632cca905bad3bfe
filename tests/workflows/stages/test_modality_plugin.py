"""A modality of another package, found through its entry point, brings its own options to every place that has some."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from segprep.datasets.imageio import read_image
from segprep.prep.modalities import MODALITIES
from support.commands import prep, prepared_drive

Captured = pytest.CaptureFixture[str]

MODULE = '''
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segprep.datasets.codes import IdCode
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.program.values import within
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.step import Input, Origin


@dataclass(frozen=True)
class Arguments:
    """Options of `glow`."""

    level: float = option(5.0, metavar="METRES", accept=within(0, 100), help="what is nearer glows.")
    preset: int = option(1, metavar="1|2", help="how it glows.")
    tint: Literal["warm", "cold"] = option("warm", help="its colour.")
    hard: bool = option(False, help="without a rim.")


@dataclass(frozen=True)
class Glow:
    level: float
    preset: int

    name = "glow"
    version = 1
    inputs = (Input("depth", Origin.COLUMN),)
    outputs = (Column("glow", Kind.MASK, IdCode()),)

    @property
    def parameters(self):
        return {"level": self.level, "preset": self.preset}

    def __call__(self, sample):
        return {"glow": Cell((sample.arrays["depth"] < self.level).astype(np.uint8) * self.preset)}


def build(arguments, scene):
    assert isinstance(arguments, Arguments)
    return Glow(arguments.level, arguments.preset)
'''


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_drive(tmp_path_factory.mktemp("plugin"), splits={"train": 2}, width=96, height=48)


@pytest.fixture(autouse=True)
def _ready(ws: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace, and an installed package that adds the modality `glow`."""
    site = tmp_path / "site"
    info = site / "lamps-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "lamp_of_tests.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lamps\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[segprep.modalities]\nglow = lamp_of_tests\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "lamp_of_tests", raising=False)
    monkeypatch.setattr(MODALITIES, "_loaded", {})
    importlib.invalidate_caches()
    shutil.copytree(prepared, ws, dirs_exist_ok=True)


def arguments(capsys: Captured, *given: str) -> dict[str, object]:
    capsys.readouterr()
    assert prep("modality", *given, "--dry-run", "--json") == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)["arguments"]
    return found


def test_its_options_are_typed_as_those_of_the_others(capsys: Captured) -> None:
    assert prep("modality", "glow", "--level", "20", "--preset", "2", "--hard") == 0
    (picture, *_) = sorted(Path("train/glow_data").glob("*.png"))
    assert set(read_image(picture).ravel()) == {0, 2}
    assert arguments(capsys, "glow") == {"level": 20.0, "preset": 2, "tint": "warm", "hard": True}
    assert arguments(capsys, "glow", "--no-hard", "--set", "tint=cold")["hard"] is False
    text = Path("prep.toml").read_text(encoding="utf-8")
    Path("prep.toml").write_text(f"{text}\n[defaults.\"modality glow\"]\nlevel = 'near'\n", encoding="utf-8")
    assert prep("modality", "glow") == 2
    assert "[defaults.\"modality glow\"] level must be a number, not 'near'" in capsys.readouterr().err


def test_an_option_that_two_modalities_have_is_read_by_each_in_its_own_way(capsys: Captured) -> None:
    assert prep("modality", "glow", "hha", "--preset", "2") == 2
    assert "--preset must be indoor or outdoor, not '2'" in capsys.readouterr().err
    assert prep("modality", "hha", "--preset", "outdoor") == 0
    assert arguments(capsys, "glow", "--preset", "2")["preset"] == 2


def test_wrong_values_and_foreign_options_are_told(capsys: Captured) -> None:
    for given, message in (
        (("glow", "--level", "200"), "--level must be a number from 0 to 100, not 200.0"),
        (("glow", "--tint", "green"), "--tint must be warm or cold, not 'green'"),
        (("jet", "--level", "3"), "--level is no option of jet: it goes with glow"),
        (("jet", "--set", "tint=warm"), "--tint is no option of jet: it goes with glow"),
        (("glow", "--set", "lvl=3"), "--set has no key 'lvl'. Did you mean 'level'?"),
    ):
        assert prep("modality", *given) == 2
        assert message in capsys.readouterr().err


def test_the_help_shows_what_the_named_modality_takes(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")

    def shown(*names: str) -> str:
        capsys.readouterr()
        assert prep("modality", *names, "--help") == 0
        return capsys.readouterr().out

    assert "glow: what is nearer glows. Default: 5.0." in shown("glow")
    assert "--near" not in shown("glow")
    assert "--near" in shown("jet")
    assert "--level" not in shown("jet")
    assert "glow: how it glows. Default: 1. hha: the reference's constants" in shown("glow", "hha")
    every = shown()
    for option in ("--level", "--near", "--bands", "--fill", "--depth-file"):
        assert option in every


def test_other_commands_do_not_import_it(tmp_path: Path) -> None:
    (tmp_path / "site" / "lamp_of_tests.py").write_text("raise RuntimeError('imported')\n")
    assert prep("--help") == 0
    assert prep("resize", "--help") == 0
    assert prep("modality", "jet", "--help") == 0
    assert prep("modality", "jet", "--quantity", "disparity", "--dry-run") == 0


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("raise ImportError('no lamp here')", "cannot be loaded (ImportError: no lamp here)"),
        ("DEFAULTS = {}", "has no class Arguments"),
        (MODULE.replace("level: float", "limit: float"), "calls an option limit, as `prep modality` calls one"),
    ],
    ids=["faulty", "old", "reserved"],
)
def test_one_that_does_not_fit_is_told_and_leaves_the_others_alone(
    tmp_path: Path, capsys: Captured, module: str, message: str
) -> None:
    (tmp_path / "site" / "lamp_of_tests.py").write_text(module)
    assert prep("modality", "glow") == 2
    assert message in capsys.readouterr().err
    assert prep("modality", "--help") == 0
    shown = capsys.readouterr()
    assert message in shown.err
    assert "--near" in shown.out
    assert prep("modality", "jet", "--levl", "3") == 2
    assert "No such option" in capsys.readouterr().err
    assert prep("modality", "jet") == 0
