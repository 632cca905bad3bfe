"""An OpenCV that interpolates as another version does, as far as the known answer tells."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from segprep.flow import opencv

__all__ = ["opencv_like"]


@contextmanager
def opencv_like(number: int | None) -> Iterator[None]:
    """Let the known answer be that of OpenCV 4 or 5, or of none that is known; results stay those of the real one."""
    with pytest.MonkeyPatch.context() as patch:
        answer = np.zeros(8) if number is None else np.array(opencv._ANSWERS[number])
        patch.setattr(opencv, "_quarters", lambda: answer)
        opencv.behaviour.cache_clear()
        yield
    opencv.behaviour.cache_clear()
