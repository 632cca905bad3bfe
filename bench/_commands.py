"""The commands as users run them, timed."""

import io
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Said", "answer", "run"]

_PROGRAMS = {
    "prep": "from segprep.workflows.cli import main; main()",
    "train": "from segprep.train.cli import main; main()",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered.

    Attributes:
        code: Its exit code.
        text: Both of its streams.
    """

    code: int
    text: str


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


def answer(program: str, *words: str, at: Path) -> Said:
    """Run `prep` or `train` in this process and in a folder, whatever comes of it."""
    said = io.StringIO()
    with chdir(at), redirect_stdout(said), redirect_stderr(said):
        return Said(_exit_code(program, words), said.getvalue())


def _exit_code(program: str, words: Sequence[str]) -> int:
    from segprep.datasets.program.command_line import run_app
    from segprep.train.cli import app as train
    from segprep.workflows.cli import app as prep

    return run_app({"prep": prep, "train": train}[program], program, words)


def _run_here(program: str, words: Sequence[str], cwd: Path) -> str:
    said = io.StringIO()
    with chdir(cwd), redirect_stdout(said):
        code = _exit_code(program, words)
    if code:
        raise SystemExit(f"{program} {' '.join(words)} exited with {code}")
    return said.getvalue()
