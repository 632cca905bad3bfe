"""Whether intrinsics and baseline are those of the pictures: their size, their unit, their place."""

import math
from collections.abc import Iterator
from typing import Final

from segprep.datasets.sample import Camera
from segprep.prep.inspection.doubts import Doubt

__all__ = ["camera_doubts"]

_OFF_CENTRE: Final = 0.2  # of width or height; KITTI's crops and Kinects stay below 0.06
_IMPOSSIBLE: Final = 1.5  # a part cut out of a picture does not have the principal point in its middle
_VIEW_DEG: Final = (10.0, 150.0)
_POSSIBLE_VIEW_DEG: Final = (1.0, 175.0)
_ASPECT: Final = 1.25
_BASELINE_M: Final = (0.005, 5.0)


def camera_doubts(camera: Camera, image_size: tuple[int, int] | None) -> Iterator[Doubt]:
    """Yield what speaks against a camera.

    Args:
        camera: As the dataset gives it.
        image_size: (width, height) of one of its images; None if none can be read.
    """
    width, height = camera.width, camera.height
    if image_size is not None and image_size != (width, height):
        found = f"{image_size[0]}x{image_size[1]}"
        yield Doubt("camera", f"it is calibrated for {width}x{height}, but the images are {found}: give the K of these")
    strange, impossible = _strange_intrinsics(camera)
    if strange:
        (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
        numbers = f"K says fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g} for pictures of {width}x{height}"
        yield Doubt("camera", f"{numbers}: {strange}. Give the K of these pictures", impossible)
    if camera.baseline is not None and not _BASELINE_M[0] <= camera.baseline <= _BASELINE_M[1]:
        text = f"its baseline is {camera.baseline:g} m: metres are expected, to the right"
        yield Doubt("camera", text, impossible=camera.baseline <= 0)


def _strange_intrinsics(camera: Camera) -> tuple[str, bool]:
    """Return what is strange, "" for nothing, and whether it cannot be."""
    width, height = camera.width, camera.height
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    if min(fx, fy) <= 0:
        return "focal lengths are above 0", True
    views = [math.degrees(2 * math.atan(side / (2 * f))) for side, f in ((width, fx), (height, fy))]
    view = f"that is a field of view of {views[0]:.0f} by {views[1]:.0f} degrees"
    if max(fx, fy, cx, cy) <= 2:
        return "these look like shares of width and height, and pixels are expected", True
    away = max(abs(cx / width - 0.5), abs(cy / height - 0.5))
    if away > _IMPOSSIBLE:
        return f"the principal point lies far outside the picture{_size_of(camera)}", True
    if not all(_POSSIBLE_VIEW_DEG[0] <= each <= _POSSIBLE_VIEW_DEG[1] for each in views):
        return view, True
    if away > _OFF_CENTRE:
        return f"the principal point is far from the middle{_size_of(camera)}", False
    if not all(_VIEW_DEG[0] <= each <= _VIEW_DEG[1] for each in views):
        return view, False
    if max(fx / fy, fy / fx) > _ASPECT:
        return "the two focal lengths differ, as after a change of width and height by different factors", False
    return "", False


def _size_of(camera: Camera) -> str:
    """Return which size of pictures the principal point would suit, if it is the middle of one of that shape."""
    width, height = 2 * camera.K[0, 2], 2 * camera.K[1, 2]
    alike = min(width, height) > 0 and abs(math.log(width / height * camera.height / camera.width)) < math.log(1.2)
    return f", as if K were that of pictures of about {width:.0f}x{height:.0f}" if alike else ""
