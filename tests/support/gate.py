"""A command that waits for the test, so that a signal reaches it where the test wants, however busy the machine is."""

import json
import os
import subprocess
import time
from pathlib import Path

__all__ = ["Gate"]

_FOLDER = Path(__file__).with_name("gated")
_PATIENCE_SECONDS = 120


class Gate:
    """Processes wait here before they give a file its name.

    Args:
        place: A folder for the gate's own files.
        pattern: Glob of whole paths.
        number: At the so many-th matching file of each process.
    """

    def __init__(self, place: Path, pattern: str, number: int) -> None:
        self._place = place
        place.mkdir(parents=True)
        (place / "gate.json").write_text(json.dumps({"pattern": pattern, "number": number}))

    @property
    def environment(self) -> dict[str, str]:
        """Environment for the process; its children wait here, too."""
        path = os.pathsep.join(filter(None, (str(_FOLDER), os.environ.get("PYTHONPATH"))))
        return {**os.environ, "PYTHONPATH": path, "SEGPREP_TEST_GATE": str(self._place)}

    def wait_until_reached(self, process: "subprocess.Popen[str]") -> None:
        """Wait until a process, or one of its children, stands here.

        Raises:
            AssertionError: If it ends before.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not list(self._place.glob("waiting-*")):
            assert process.poll() is None, f"it ended before the gate: {process.communicate()}"
            assert time.monotonic() < deadline, "it did not come to the gate"
            time.sleep(0.005)

    def open(self) -> None:
        """Let all go on."""
        (self._place / "open").touch()
