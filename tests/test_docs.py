"""The documentation site: it builds without a warning, needs no network, and what it shows works."""

import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typer.core import TyperGroup

from segprep.flow.conformance import ESTIMATOR_CHECKS
from segprep.prep.conformance import ModalityCase, check_modality
from segprep.train.cli import app as train
from segprep.workflows.cli import app as prep
from support.users_day import users_day

ROOT = Path(__file__).resolve().parents[1]
_PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/howto/*.md")])


class _Loads(HTMLParser):
    """Collects what a page loads by itself; links that a reader may follow are not among it."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [
            v for k, v in attrs if v and (k in ("src", "srcset", "data") or (tag, k) == ("link", "href"))
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return folder


@pytest.mark.long
def test_the_site_has_the_pages_of_docs_and_a_reference(site: Path) -> None:
    for page in ROOT.glob("docs/**/*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file(), page
    shards = (site / "reference/datasets.shards.html").read_text(encoding="utf-8")
    assert 'id="segprep.datasets.shards.store.ShardStore"' in shards
    assert "Open a store after the checks that are cheap" in shards
    commands = (site / "reference/command-prep.html").read_text(encoding="utf-8")
    assert "<code>--factor N</code>" in commands
    assert "COLUMN[.CHANNEL][/WHITE]" in commands.replace("&#91;", "[").replace("&#93;", "]")


@pytest.mark.long
def test_no_page_loads_anything_from_a_network(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loads = _Loads()
        loads.feed(text)
        assert loads.addresses
        assert [a for a in loads.addresses if re.match(r"(\w+:)?//", a)] == [], page
        assert 'class="mermaid"' not in text, f"{page}: the theme fetches the program that draws it"
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:\w+:)?//[^)\s]*", text) == [], style


def test_the_tutorial_has_every_command_of_the_users_day_in_its_order() -> None:
    first = dict.fromkeys(line for line in _shown(ROOT / "docs/tutorial.md") if line in users_day())
    assert list(first) == users_day()


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_shows_exists(page: Path) -> None:
    programs = {"prep": typer.main.get_command(prep), "train": typer.main.get_command(train)}
    for line in _shown(page):
        name, *words = shlex.split(line.split(" #")[0])
        program = programs[name]
        assert isinstance(program, TyperGroup)
        assert words, line
        assert words[0] in program.commands, line
        context = program.commands[words[0]].make_context(words[0], [], resilient_parsing=True)
        known = {option for p in context.command.params for option in (*p.opts, *p.secondary_opts)}
        assert [w for w in words[1:] if re.match(r"--?[A-Za-z]", w) and w.split("=")[0] not in known] == [], line


@pytest.fixture
def plug_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that the page on plug-ins shows."""
    page = (ROOT / "docs/howto/plug-in.md").read_text(encoding="utf-8")
    (source,) = re.findall(
        rf"^`my_package/{request.param}\.py`:\n\n```python\n(.*?)```", page, re.DOTALL | re.MULTILINE
    )
    module = ModuleType(request.param)
    monkeypatch.setitem(sys.modules, request.param, module)  # dataclasses and pickle look there
    exec(compile(source, f"{request.param}.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("plug_in", ["still"], indirect=True)
def test_the_estimator_that_the_page_on_plug_ins_shows_fits_as_far_as_the_page_says(plug_in: ModuleType) -> None:
    refused = set()
    for check in ESTIMATOR_CHECKS:
        try:
            check(plug_in, "default")
        except AssertionError:
            refused.add(check.__name__)
    assert refused == {"check_direction", "check_mirror", "check_time", "check_drive"}


@pytest.mark.parametrize("plug_in", ["greenness"], indirect=True)
def test_the_modality_that_the_page_on_plug_ins_shows_fits(plug_in: ModuleType) -> None:
    check_modality(ModalityCase("greenness", plug_in))


def _shown(page: Path) -> list[str]:
    """Return the lines of a page's blocks that call one of our programs."""
    blocks = re.findall(r"^```\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if re.match(r"(prep|train) ", line)]
