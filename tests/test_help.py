"""What `--help` of every command shows: nothing that people or scripts rely on vanishes.

`python tests/test_help.py` writes `help_texts.json` anew from the programs as they are, which takes what is new in.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from segprep.train.cli import app as train
from segprep.workflows.cli import app as prep

TEXTS = Path(__file__).with_name("help_texts.json")
PROGRAMS = {"prep": prep, "train": train}
_OF_TYPER = {"--help", "--install-completion", "--show-completion"}


def described(app: typer.Typer) -> dict[str, dict[str, Any]]:
    """Return for each command, and "" for the program: what it is about, and metavar and help of its options."""
    program: Any = typer.main.get_command(app)
    found = {"": _described(program)}
    context = program.make_context("program", [], resilient_parsing=True)
    for name in program.list_commands(context):
        found[name] = _described(program.get_command(context, name))
    return found


def _described(command: Any) -> dict[str, Any]:
    context = command.make_context("command", [], resilient_parsing=True)
    return {
        "about": command.help,
        "options": {
            "/".join([*each.opts, *each.secondary_opts]): [each.metavar, each.help]
            for each in command.get_params(context)
            if not getattr(each, "hidden", False) and not _OF_TYPER.intersection(each.opts)
        },
    }


BEFORE: dict[str, dict[str, Any]] = json.loads(TEXTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("program", "command"), [(p, c) for p, commands in BEFORE.items() for c in commands])
def test_no_command_option_or_sentence_vanishes(program: str, command: str) -> None:
    now = described(PROGRAMS[program])
    before = BEFORE[program][command]
    assert now[command]["about"] == before["about"]
    assert {o: now[command]["options"].get(o) for o in before["options"]} == before["options"]


if __name__ == "__main__":
    texts = {name: described(app) for name, app in PROGRAMS.items()}
    TEXTS.write_text(json.dumps(texts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
