"""Loaded by Python processes that tests start with this folder on PYTHONPATH: they wait where a test tells them to.

See `support.gate`. Python imports a module of this name when it starts, so Dask's workers wait, too.
"""

import fnmatch
import json
import os
import time
from pathlib import Path
from typing import Any

_GATE = os.environ.get("SEGPREP_TEST_GATE")


def _wait_at(gate: Path, pattern: str, number: int) -> None:
    """Let every process wait before it gives a file a name that matches `pattern` for the so many-th time."""
    seen = 0
    parent = os.getppid()
    replace = os.replace

    def gated(source: Any, target: Any, **options: Any) -> None:
        nonlocal seen
        if fnmatch.fnmatch(os.fspath(target), pattern):
            seen += 1
            if seen == number:
                (gate / f"waiting-{os.getpid()}").touch()
                while not (gate / "open").exists():
                    if os.getppid() != parent:  # a worker whose command was killed
                        os._exit(1)
                    time.sleep(0.005)
        replace(source, target, **options)

    os.replace = gated  # type: ignore[assignment]  # its type names every kind of path


if _GATE:
    _wait_at(Path(_GATE), **json.loads((Path(_GATE) / "gate.json").read_text()))
