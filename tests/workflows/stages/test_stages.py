"""Arguments of commands: where they come from, and which are refused."""

from pathlib import Path

import pytest

from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[defaults.rezise]\nfactor = 2", "there are no defaults for rezise; commands that have some: resize"),
        ("[defaults.resize]\nfaktor = 2", "[defaults.resize] has unknown entries: faktor"),
        ("[defaults.resize]\nfactor = 2\nsize = [8, 6]", "factor and size exclude each other (prep.toml)"),
        ("[defaults.resize]\nfactor = 'two'", "the factor must be a whole number of at least 1, not two"),
        ("[defaults.resize]\nsize = [8]", "the size must be two whole numbers"),
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
