import time

import pytest

from segprep.datasets.program.progress import Progress


def test_without_a_terminal_there_is_a_line_every_thirty_seconds_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Progress("step") as progress:
        progress.start(12, done=2)
        for step in range(3, 13):
            now += 11
            progress.advance(1, f"loss {step}")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "step 5/12: loss 5, about 1.3 min left",
        "step 8/12: loss 8, about 0.7 min left",
        "step 11/12: loss 11, about 0.2 min left",
        "step 12/12: loss 12",
    ]
