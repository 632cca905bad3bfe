"""What people install: whole archives, true metadata, and a `prep` that needs nothing of what `train` brings."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

from segprep.datasets.program.extras import EXTRA_OF

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("prep", "flow", "datasets", "train", "workflows")
_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({absent}))
from segprep.datasets.program.command_line import run_app
from segprep.{module}.cli import app
for words in {commands}:
    code = run_app(app, {program!r}, words)
    if code:
        sys.exit(code)
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str], set[str]]:
    """Return the names of the files under version control, in the source archive, and in the wheel made from it."""
    place = tmp_path_factory.mktemp("archives")
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode != 0:
        pytest.skip("the sources are no git checkout, so there is nothing to compare with")
    names = {name for name in tracked.stdout.splitlines() if (ROOT / name).is_file()}
    for name in names:
        (place / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "sources" / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place), str(place / "sources")]
    subprocess.run(build, check=True, capture_output=True)
    (source,), (wheel,) = place.glob("*.tar.gz"), place.glob("*.whl")
    with tarfile.open(source) as file:
        packed = {name.partition("/")[2] for name in file.getnames() if not name.endswith("/")}
    return names, packed, {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}


def test_the_source_archive_holds_tests_documents_and_benchmarks(archives: tuple[set[str], set[str], set[str]]) -> None:
    tracked, packed, _ = archives
    assert {name for name in tracked - packed if not name.startswith(".typing/")} <= {".gitignore"}


def test_the_wheel_holds_every_module_under_one_top_level_name(
    archives: tuple[set[str], set[str], set[str]],
) -> None:
    tracked, _, packed = archives
    expected = {f"segprep/{n}" for n in tracked if n.split("/")[0] in FOLDERS and "/" in n}
    assert packed == {n for n in expected if n.endswith((".py", "py.typed", ".html", ".toml"))}
    assert {n.split("/")[0] for n in packed} == {"segprep"}


def test_metadata_name_authors_and_the_citation_has_the_version_of_the_package() -> None:
    assert metadata("segprep")["Author"]
    cited = dict(re.findall(r"^(version|license): (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    assert cited == {"version": version("segprep"), "license": metadata("segprep")["License-Expression"]}


def test_every_package_of_an_extra_is_named_when_it_is_missing() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    brought = {
        re.split(r"[>=<\[]", each)[0].replace("-", "_"): name
        for name, all_ in extras.items()
        if name != "dev"
        for each in all_
    }
    assert dict(EXTRA_OF) == brought


def _without(absent: tuple[str, ...], program: str, commands: list[list[str]], cwd: Path) -> tuple[int, str]:
    module = {"prep": "workflows", "train": "train"}[program]
    text = _WITHOUT.format(absent=absent, module=module, commands=commands, program=program)
    done = subprocess.run([sys.executable, "-c", text], cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_without_what_train_brings_prep_works_whole_and_train_says_what_to_install(tmp_path: Path) -> None:
    absent = tuple(EXTRA_OF)
    alone = ["--workers", "0"]
    day = [
        ["init", "synthetic", "--miniature", "../drive", "--frames", "4"],
        ["check", *alone],
        ["resize", "--factor", "4", *alone],
        ["flow", "--scale", "6.4", *alone],
        ["modality", "hha", "jet", "evi", *alone],
        ["status"],
        ["show", "train_drive00_000001", "--out", "shown.png"],
        ["shard", "--augment", "1", *alone],
        ["verify"],
        ["stats"],
        ["list", "all.jsonl"],
    ]
    (tmp_path / "workspace").mkdir()
    code, said = _without(absent, "prep", day, tmp_path / "workspace")
    assert code == 0, said
    code, said = _without(absent, "prep", [["list", "all.parquet"]], tmp_path / "workspace")
    assert code == 2
    assert "a list in .parquet needs pyarrow: install it with `pip install 'segprep[parquet]'`, or use .jsonl" in said
    code, said = _without(absent, "train", [["run", "--steps", "1"]], tmp_path / "workspace")
    assert code == 2
    assert re.fullmatch(r"train: `train run` needs \w+: install it with `pip install 'segprep\[train\]'`\n", said)
    code, said = _without(absent, "train", [["--help"]], tmp_path / "workspace")
    assert code == 0, said
