"""Arguments of commands: where they come from, and which are refused."""

from pathlib import Path
from typing import get_args

import pytest

from segprep.datasets.program.tables import options_of
from segprep.datasets.program.values import choices_of
from segprep.flow.flow_files import FlowFormat
from segprep.prep.motion.ego_steps import EgoMode
from segprep.workflows.stages.arguments import FlowArguments
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[defaults.rezise]\nfactor = 2", "there are no defaults for rezise; commands that have some: resize"),
        ("[defaults.resize]\nfaktor = 2", "prep.toml: [defaults.resize] has no key 'faktor'. Did you mean 'factor'?"),
        ("[defaults.resize]\nfactor = 2\nsize = [8, 6]", "factor and size exclude each other (prep.toml)"),
        ("[defaults.resize]\nfactor = 'two'", "prep.toml: [defaults.resize] factor must be a whole number, not 'two'"),
        ("[defaults.resize]\nsize = [8]", "[defaults.resize] size must be two whole numbers"),
    ],
)
def test_defaults_that_nobody_would_read_are_refused(
    camvid: Path, capsys: pytest.CaptureFixture[str], table: str, message: str
) -> None:
    prep("init", "camvid", camvid)
    with Path("prep.toml").open("a") as file:
        file.write(f"\n{table}\n")
    capsys.readouterr()
    assert prep("resize", "--split", "val") == 2
    assert message in capsys.readouterr().err
    assert not Path("val").exists()


@pytest.mark.parametrize(
    ("command", "table", "message"),
    [
        ("flow", "[defaults.flow]\nscale = 'big'", "prep.toml: [defaults.flow] scale must be a number, not 'big'"),
        ("flow", "[defaults.flow]\nscal = 3", "prep.toml: [defaults.flow] has no key 'scal'. Did you mean 'scale'?"),
        ("flow", "[defaults.flow]\ncheck = 1", "prep.toml: [defaults.flow] check must be true or false, not 1"),
        (
            "modality normals",
            '[defaults."modality normals"]\nradius = 0',
            'prep.toml: [defaults."modality normals"] radius must be a whole number of pixels from 1 to 50, not 0',
        ),
        ("motion-labels", "[defaults.motion-labels]\nmax_range = 0", "max_range must be a number of metres above 0"),
        ("motion-labels", "[defaults.motion-labels]\nmovable = 'car'", "movable must be a list of texts, not 'car'"),
    ],
)
def test_an_error_in_prep_toml_says_where_it_stands(
    camvid: Path, capsys: pytest.CaptureFixture[str], command: str, table: str, message: str
) -> None:
    prep("init", "camvid", camvid)
    with Path("prep.toml").open("a") as file:
        file.write(f"\n{table}\n")
    capsys.readouterr()
    assert prep(*command.split()) == 2
    assert message in capsys.readouterr().err


def verbose(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert prep(*arguments, "--dry-run", "-v") == 0
    return capsys.readouterr().err


def test_set_says_any_option_by_its_name_in_prep_toml(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prep("init", "camvid", camvid)
    told = verbose(capsys, "resize", "--set", "size=[24, 18]", "--set", "labels=nearest", "--set", "label_ids=raw")
    for line in ("size = [24, 18]", "labels = 'nearest'", "label_ids = 'raw'"):
        assert f"{line} (command line)" in told
    told = verbose(
        capsys,
        "resize",
        "--factor",
        "4",
        "--set",
        "factor=2",
        "--set",
        "labels=priority",
        "--set",
        "priority=pole,car",
    )
    assert "factor = 2 (command line)" in told, "--set wins, as the more exact one"
    assert "priority = ['pole', 'car']" in told
    assert "size = [24, 18]" in verbose(capsys, "resize", "--set", "size=24x18"), "as the command line writes it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resize", "--set", "factr=2"), "--set has no key 'factr'. Did you mean 'factor'?"),
        (("resize", "--set", "factor"), "--set factor: write KEY=VALUE, for example"),
        (("resize", "--set", "factor='two'"), "--factor must be a whole number, not 'two'"),
        (("flow", "--set", "scale=-1"), "--scale must be a number above 0, not -1"),
        (("modality", "jet", "--set", "bands=nir=nir"), "--bands is no option of jet: it goes with evi, evi2, ndvi"),
        (("modality", "jet", "--set", "farr=3"), "--set has no key 'farr'. Did you mean 'far'?"),
        (("modality", "jet", "--set", "names=['hha']"), "--set has no key 'names'."),
    ],
)
def test_a_setting_that_makes_no_sense_is_told(
    camvid: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    prep("init", "camvid", camvid)
    capsys.readouterr()
    assert prep(*arguments) == 2
    assert message in capsys.readouterr().err


def test_the_choices_of_flow_files_are_those_that_are_read() -> None:
    (formats,) = (each for each in options_of(FlowArguments) if each.name == "flow_format")
    assert choices_of(formats.hint) == tuple(FlowFormat)
    assert set(choices_of(next(o.hint for o in options_of(FlowArguments) if o.name == "ego"))) == {
        *get_args(EgoMode),
        "none",
    }
