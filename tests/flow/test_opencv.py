"""A known answer tells how OpenCV interpolates, on any processor, and no other answer passes for it."""

import cv2
import numpy as np
import pytest

from segprep.datasets.errors import ConfigurationError
from segprep.flow import opencv
from segprep.flow.estimators import dis, farneback
from segprep.flow.opencv import behaviour, require_known_behaviour
from support.opencv import opencv_like


def test_this_opencv_is_known_by_its_major_version() -> None:
    behaviour.cache_clear()
    assert require_known_behaviour() == behaviour() == int(cv2.__version__.split(".", maxsplit=1)[0])


@pytest.mark.parametrize(("change_px", "known"), [(1e-4, True), (9e-4, True), (2e-3, False)])
@pytest.mark.parametrize("number", [4, 5])
def test_other_instructions_of_a_processor_change_nothing_and_other_results_are_unknown(
    monkeypatch: pytest.MonkeyPatch, number: int, change_px: float, known: bool
) -> None:
    found = np.array(opencv._ANSWERS[number])
    found[3] += change_px
    monkeypatch.setattr(opencv, "_quarters", lambda: found)
    behaviour.cache_clear()
    assert behaviour() == (number if known else None)
    behaviour.cache_clear()


def test_an_opencv_like_none_that_is_known_is_refused_with_what_to_install() -> None:
    with opencv_like(None):
        assert behaviour() is None
        with pytest.raises(ConfigurationError, match=r"than OpenCV 4 and 5 do.* pip install 'opencv-python"):
            require_known_behaviour()


def test_only_what_is_refined_rests_on_it() -> None:
    assert [name for name, config in dis.PRESETS.items() if not dis.rests_on_opencv(config)] == ["ultrafast"]
    assert not hasattr(farneback, "rests_on_opencv")
