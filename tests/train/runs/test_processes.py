"""What one process does for all: each gets its result, or its error."""

import pickle
from typing import Any

import pytest

from segprep.datasets.errors import WorkspaceLockedError
from segprep.train.runs.processes import Processes


class _Second(Processes):
    """The second of two processes, when the first has sent what it found."""

    def __init__(self, *sent: Any) -> None:
        super().__init__(1, 2)
        self.sent = pickle.loads(pickle.dumps(list(sent)))

    def gathered(self, value: Any) -> list[Any]:
        assert value == [None, None]
        return [self.sent, value]


def test_the_others_get_what_the_first_process_found() -> None:
    def act() -> int:
        raise AssertionError("only the first process acts")

    assert _Second(7, None).once(act) == 7
    with pytest.raises(WorkspaceLockedError, match="process 5 on here") as raised:
        _Second(None, WorkspaceLockedError("written by process 5 on here")).once(act)
    assert raised.value.exit_code == 5


def test_one_process_acts_alone() -> None:
    def refuse() -> None:
        raise WorkspaceLockedError("held")

    assert Processes().once(lambda: 4) == 4
    with pytest.raises(WorkspaceLockedError, match="held"):
        Processes().once(refuse)
