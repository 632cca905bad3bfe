"""`docs/options.md` and `docs/training_options.md` say what the declarations say.

`python tests/test_options_document.py` writes them anew.
"""

from pathlib import Path

import pytest

from segprep.datasets.program.parameters import markdown_table
from segprep.prep.modalities import MODALITIES
from segprep.train.command.run_options import SECTIONS
from segprep.train.models import MODELS
from segprep.workflows.stages.arguments import FlowArguments, MotionLabelArguments, ResizeArguments

ROOT = Path(__file__).resolve().parents[1]
HEAD = """\
# Options of the commands that make columns

Each command takes its options from the command line, else from its last run, else from `prep.toml`, else the default;
`-v` says which. In `prep.toml` they stand in `[defaults.resize]`, `[defaults."modality jet"]`, ..., named without the
dashes: `--label-ids` is `label_ids`, `--no-check` is `check = false`, a size is `[768, 384]`, a list `["pole", "car"]`.
`--set KEY=VALUE` takes the same names. `python tests/test_options_document.py` writes this file from the program.
"""


TRAIN_HEAD = """\
# Entries of a run's configuration

`train run` takes them from its flags, else from the TOML file that `--config` names, else the default; `--set` takes
every one of them, and `--print-config` shows what holds. `[augmentation]` has [a page of its own](augmentation.md); its
flag is `--augment NAME|FILE`. This file is written from the program by `python tests/test_options_document.py`.
"""


def _members(folder: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / folder).glob("[!_]*.py"))  # without plug-ins


def _of_prep() -> str:
    stages = {"resize": ResizeArguments, "flow": FlowArguments, "motion-labels": MotionLabelArguments}
    names = _members("prep/modalities")
    stages |= {f"modality {name}": MODALITIES.load(name).Arguments for name in names}
    return "\n".join([HEAD, *(f"## prep {command}\n\n{markdown_table(cls)}" for command, cls in stages.items())])


def _of_train() -> str:
    tables = {f"[{table}]" if table else "Outside of the tables": (cls, table) for table, (cls, *_) in SECTIONS.items()}
    tables |= {f"[model] of {name}": (MODELS.load(name).Config, "model") for name in _members("train/models")}
    return "\n".join([TRAIN_HEAD, *(f"## {head}\n\n{markdown_table(*each)}" for head, each in tables.items())])


WRITTEN = {"options.md": _of_prep, "training_options.md": _of_train}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_document_lists_the_options_as_they_are(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert text == WRITTEN[name](), f"run python tests/{Path(__file__).name}"


if __name__ == "__main__":
    for name, text in WRITTEN.items():
        (ROOT / "docs" / name).write_text(text(), encoding="utf-8")
