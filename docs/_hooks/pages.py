"""Pages of the site that no file in docs/ holds: the reference, and what stands at the top of the repository.

MkDocs calls the functions `on_config`, `on_files` and `on_page_markdown`. The reference of the commands is made from
the programs' own help, that of the modules is a page per room with the docstrings of its public modules.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from typer.core import TyperGroup

from segprep.train.cli import app as train
from segprep.workflows.cli import app as prep

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("datasets", "flow", "prep", "workflows", "train")
TOP_PAGES = {"changes.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
"""Page of the site -> file at the top of the repository."""
Nav = str | list["Nav"] | dict[str, "Nav"]
OPTION_PAGES = ("options.md", "training_options.md")
COMMAND_PAGES = {"reference/command-prep.md": ("prep", prep), "reference/command-train.md": ("train", train)}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference to the navigation, and to "How to" the pages of docs/ that the navigation does not name."""
    assert config.nav is not None
    named = {*_pages(config.nav), *TOP_PAGES, *COMMAND_PAGES, *OPTION_PAGES}
    docs = Path(config.docs_dir)
    rest = sorted({p.relative_to(docs).as_posix() for p in (*docs.glob("*.md"), *docs.glob("howto/*.md"))} - named)
    sections = {title: entry for section in config.nav for title, entry in section.items()}
    sections["How to"] += [*rest, "contributing.md"]
    reference: list[Nav] = [{f"Command {name}": page} for page, (name, _) in COMMAND_PAGES.items()]
    reference += OPTION_PAGES
    reference += [{folder: [_page(room) for room in _rooms(folder)]} for folder in FOLDERS]
    place = [title for section in config.nav for title in section].index("Benchmarks")
    config.nav.insert(place, {"Reference": reference})
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files of the pages that are made here."""
    made = {page: _top_page(name) for page, name in TOP_PAGES.items()}
    made |= {page: _command_page(name, app) for page, (name, app) in COMMAND_PAGES.items()}
    made |= {_page(room): _room_page(room) for folder in FOLDERS for room in _rooms(folder)}
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links of docs/ to files at the top of the repository lead to their pages."""
    up = "../" * page.file.src_uri.count("/")
    for target, source in TOP_PAGES.items():
        markdown = markdown.replace(f"]({up}../{source}", f"]({up}{target}")
    return markdown


def _pages(nav: Nav) -> Iterator[str]:
    """Yield every page that a part of the navigation names."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(part)


def _top_page(name: str) -> str:
    """Return a file of the repository's top with links as they are in docs/."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
    for page, source in TOP_PAGES.items():
        text = text.replace(f"]({source}", f"]({page}")
    return text


# Rooms.


def _rooms(folder: str) -> list[Path]:
    """Return the folder and its rooms that have a public module, relative to the repository. `_name` is private."""
    below = sorted(p for p in (ROOT / folder).rglob("[!_]*") if p.is_dir() and not p.parent.name.startswith("_"))
    return [room.relative_to(ROOT) for room in (ROOT / folder, *below) if _modules(room)]


def _modules(room: Path) -> list[str]:
    """Return the names of a room's public modules."""
    return sorted(p.stem for p in (ROOT / room).glob("[!_]*.py"))


def _page(room: Path) -> str:
    return f"reference/{'.'.join(room.parts)}.md"


def _room_page(room: Path) -> str:
    """Return the page of a room: what it is for, then the docstrings of its modules."""
    dotted = ".".join(("segprep", *room.parts))
    lines = [f"# {'/'.join(room.parts)}", ""]
    if (ROOT / room / "__init__.py").exists():
        lines += [*_docstrings(dotted, "members: false"), ""]
    for module in _modules(room):
        lines += [f"## {module}", "", *_docstrings(f"{dotted}.{module}"), ""]
    return "\n".join(lines)


def _docstrings(dotted: str, *options: str) -> list[str]:
    """Return the lines that put a module's docstrings below a heading of ours."""
    return [
        f"::: {dotted}",
        f"    options: {{{', '.join(('show_root_heading: false, show_root_toc_entry: false', *options))}}}",
    ]


# Commands.


def _command_page(name: str, app: typer.Typer) -> str:
    """Return the page of a program: each command with its help and its options."""
    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    top = typer.Context(program, info_name=name)
    parts = [f"# {name}", _prose(program.help)]
    for word, command in program.commands.items():
        # A command may make its options when it reads its words: here there are none, and none is missed.
        context = command.make_context(word, [], parent=top, resilient_parsing=True)
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        records = [record for p in command.get_params(context) if (record := p.get_help_record(context))]
        parts += [f"## {name} {word}", f"```\n{usage}\n```", _prose(command.help), _table(records)]
    return "\n\n".join(parts) + "\n"


def _table(records: Iterable[tuple[str, str]]) -> str:
    """Return a table of what a command takes."""
    rows = [f"| <code>{_cell(option)}</code> | {_cell(text)} |" for option, text in records]
    return "\n".join(["| argument, option | what it does |", "| --- | --- |", *rows])


def _prose(text: str | None) -> str:
    """Return a help text as Markdown: its `code` stays code, and nothing else is a mark or HTML."""
    pieces = re.split(r"(`[^`]*`)", re.sub(r"[\b\f]", "", text or ""))
    return "".join(piece if at % 2 else re.sub(r"[<\[\]*_|]", _entity, piece) for at, piece in enumerate(pieces))


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


def _cell(text: str) -> str:
    """Return a text as one cell of a table."""
    return " ".join(_prose(text).split())
