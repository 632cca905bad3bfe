"""The commands as users run them, timed."""

import io
import subprocess
import sys
import time
from contextlib import chdir, redirect_stdout
from pathlib import Path

__all__ = ["run"]

_PROGRAMS = {
    "prep": "from segprep.workflows.cli import main; main()",
    "train": "from segprep.train.cli import main; main()",
}


def run(program: str, *arguments: object, cwd: Path, here: bool = False) -> str:
    """Run `prep` or `train`, show its progress, print its time, and return its output.

    Args:
        program: Which one.
        arguments: Of the command.
        cwd: Where.
        here: Whether in this process: quicker to start, for tiny runs.
    """
    words = [str(a) for a in arguments]
    began = time.perf_counter()
    if here:
        output = _run_here(program, words, cwd)
    else:
        command = [sys.executable, "-c", _PROGRAMS[program], *words]
        output = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout
    shown = " ".join(word for word in words if not Path(word).is_absolute())
    print(f"- `{program} {shown}`: {time.perf_counter() - began:.1f} s", flush=True)
    return output


def _run_here(program: str, words: list[str], cwd: Path) -> str:
    from segprep.datasets.program.command_line import run_app
    from segprep.train.cli import app as train
    from segprep.workflows.cli import app as prep

    said = io.StringIO()
    with chdir(cwd), redirect_stdout(said):
        code = run_app({"prep": prep, "train": train}[program], program, words)
    if code:
        raise SystemExit(f"{program} {' '.join(words)} exited with {code}")
    return said.getvalue()
