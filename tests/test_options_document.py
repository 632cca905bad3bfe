"""`docs/options.md` says what the declarations say.

`python tests/test_options_document.py` writes it anew.
"""

from pathlib import Path

from segprep.datasets.program.parameters import markdown_table
from segprep.prep.modalities import MODALITIES
from segprep.workflows.stages.arguments import FlowArguments, MotionLabelArguments, ResizeArguments

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "options.md"
HEAD = """\
# Options of the commands that make columns

Each command takes its options from the command line, else from its last run, else from `prep.toml`, else the default;
`-v` says which. In `prep.toml` they stand in `[defaults.resize]`, `[defaults."modality jet"]`, ..., named without the
dashes: `--label-ids` is `label_ids`, `--no-check` is `check = false`, a size is `[768, 384]`, a list `["pole", "car"]`.
`--set KEY=VALUE` takes the same names. `python tests/test_options_document.py` writes this file from the program.
"""


def written() -> str:
    stages = {"resize": ResizeArguments, "flow": FlowArguments, "motion-labels": MotionLabelArguments}
    names = sorted(path.stem for path in (ROOT / "prep" / "modalities").glob("[!_]*.py"))  # without plug-ins
    stages |= {f"modality {name}": MODALITIES.load(name).Arguments for name in names}
    return "\n".join([HEAD, *(f"## prep {command}\n\n{markdown_table(cls)}" for command, cls in stages.items())])


def test_the_document_lists_the_options_as_they_are() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == written(), f"run python {Path(__file__).name} in tests/"


if __name__ == "__main__":
    DOCUMENT.write_text(written(), encoding="utf-8")
