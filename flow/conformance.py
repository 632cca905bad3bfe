"""What every flow estimator must do with every preset, on pictures whose motion is known exactly.

For authors of plug-ins. `check_estimator(member)` runs all checks; a test for each is

    @pytest.mark.parametrize("preset", my_estimator.PRESETS)
    @pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
    def test_my_estimator(check, preset):
        check(my_estimator, preset)
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.conformance import refusal
from segprep.datasets.errors import ConfigurationError, SizeMismatchError
from segprep.datasets.sample import Array, Matrix
from segprep.datasets.synthetic.motion import Motion, motion
from segprep.datasets.synthetic.render import render
from segprep.datasets.synthetic.world import World

__all__ = ["ESTIMATOR_CHECKS", "EstimatorMember", "check_estimator", "check_mirror", "moved", "texture"]

_INNER: Final = (slice(24, -24), slice(24, -24))  # no estimator knows what came in over the border
_SIZE: Final = (240, 160)
_SHAPES: Final = ((1, 1), (5, 7), (8, 100), (17, 300), (200, 9), (3, 900), (63, 64))


class EstimatorMember(Protocol):
    """A module of the estimators.

    Attributes:
        Config: A frozen dataclass whose fields have defaults.
        PRESETS: Name to config; the default config is one of them.

    It may have `rests_on_opencv(config) -> bool`, for results that depend on how OpenCV interpolates (`cv2.remap`,
    `cv2.warpAffine`, the refinement of dense inverse search): see `segprep.flow.opencv`.
    """

    Config: type[Any]
    PRESETS: Mapping[str, Any]

    def config_from(self, preset: str | None) -> Any:  # noqa: ANN401  (each member has a class of its own)
        """Return the config of a preset; the default one for None.

        Raises:
            ConfigurationError: If there is no such preset.
        """

    def estimate(self, first_rgb_HWC: Array, second_rgb_HWC: Array, config: Any = ...) -> npt.NDArray[np.float32]:  # noqa: ANN401
        """Return (H, W, 2) float32 (u, v): what is at p in the first image is at p + (u, v) in the second.

        Raises:
            SizeMismatchError: If the images are no (H, W, 3) uint8 arrays of one size.
        """


def check_estimator(member: EstimatorMember) -> None:
    """Run all checks with every preset.

    Args:
        member: A module, or an object that looks like one; `ESTIMATORS.load(name)` gives an installed one.

    Raises:
        AssertionError: If it does not keep what estimators promise.
    """
    for preset in member.PRESETS:
        for check in ESTIMATOR_CHECKS:
            check(member, preset)


def texture() -> Array:
    """Return a (160, 240, 3) uint8 picture with detail at several scales."""
    rng = np.random.default_rng(3)
    layers = [cv2.GaussianBlur(rng.normal(size=(*_SIZE[::-1], 3)), (0, 0), s) * s for s in (1.0, 3.0, 9.0)]
    total = sum(layers)
    picture: Array = np.clip(128 + 50 * total / np.std(total), 0, 255).astype(np.uint8)
    return picture


def check_presets(member: EstimatorMember, preset: str) -> None:
    """Presets are found by name, are different, and one is the default; another name is refused with theirs."""
    presets = member.PRESETS
    assert member.config_from(preset) == presets[preset], f"config_from({preset!r}) is not PRESETS[{preset!r}]"
    default = member.config_from(None)
    assert default == member.Config(), "config_from(None) is not Config()"
    assert default in presets.values(), "the default config has no name in PRESETS"
    assert len({*presets.values()}) == len(presets), f"two presets are equal: {presets}"
    message = refusal(ConfigurationError, lambda: member.config_from("superb"), "config_from('superb')")
    unsaid = [word for word in ("superb", *presets) if word not in message]
    assert not unsaid, f"the refusal of an unknown preset does not say {unsaid}: {message}"


def check_config(member: EstimatorMember, preset: str) -> None:
    """Configs are frozen."""
    config = member.PRESETS[preset]
    for field in dataclasses.fields(config):
        setting = partial(setattr, config, field.name, 1)
        refusal(dataclasses.FrozenInstanceError, setting, f"changing {field.name} of a config")


def check_opencv(member: EstimatorMember, preset: str) -> None:
    """What it says of OpenCV is a yes or a no, for each config."""
    states = getattr(member, "rests_on_opencv", None)
    said = False if states is None else states(member.PRESETS[preset])
    assert isinstance(said, bool), f"rests_on_opencv(config) is {said!r} in place of a yes or a no"


def check_default(member: EstimatorMember, preset: str) -> None:
    """Without a config, `estimate` uses the default."""
    first = texture()
    second = _shifted(first, 2, 1)
    same = np.array_equal(member.estimate(first, second), member.estimate(first, second, member.Config()))
    assert same, "estimate(first, second) is not estimate(first, second, Config())"


def check_stillness(member: EstimatorMember, preset: str) -> None:
    """Equal images do not move."""
    uv = _run(member, preset, texture(), texture())
    assert np.abs(uv).max() < 0.1, f"equal images move by up to {np.abs(uv).max()} px"
    assert np.abs(uv[_INNER]).max() < 0.05, f"equal images move by up to {np.abs(uv[_INNER]).max()} px inside"


def check_threads(member: EstimatorMember, preset: str) -> None:
    """Results are equal to the bit whatever OpenCV's number of threads, and inputs are left as they are."""
    first = texture()
    before, second = first.copy(), _shifted(first, 2, 1)
    threads = cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            results.append(_run(member, preset, first, second))
    finally:
        cv2.setNumThreads(threads)
    for count, result in zip((2, 4), results[1:], strict=True):
        assert np.array_equal(results[0], result), f"{count} threads give another result than one"
    assert np.array_equal(first, before), "the first image was changed"


def check_sizes(member: EstimatorMember, preset: str) -> None:
    """Images of any size and proportion give finite float32 vectors."""
    for shape in _SHAPES:
        first = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        uv = _run(member, preset, first, _shifted(first, 1, 0))
        assert uv.shape == (*shape, 2), f"an image of {shape} has flow of {uv.shape}"
        assert uv.dtype == np.float32, f"the flow is {uv.dtype} in place of float32"
        assert np.isfinite(uv).all(), f"flow of an image of {shape} is not finite"


def check_grey(member: EstimatorMember, preset: str) -> None:
    """Images without texture give finite vectors."""
    grey = np.full((70, 90, 3), 128, np.uint8)
    assert np.isfinite(_run(member, preset, grey, grey)).all(), "flow of a grey image is not finite"


def check_views(member: EstimatorMember, preset: str) -> None:
    """Views of images are read as their copies."""
    first, second = texture()[::-1, 10:], _shifted(texture(), 2, 1)[::-1, 10:]
    same = np.array_equal(_run(member, preset, first, second), _run(member, preset, first.copy(), second.copy()))
    assert same, "a mirrored and cut view of images gives another flow than its copy"


def check_refusals(member: EstimatorMember, preset: str) -> None:
    """Images that do not fit together are refused."""
    picture = np.zeros((70, 90, 3), np.uint8)
    for other in (picture[:, 1:], picture[..., 0], picture.astype(np.float32), picture[0, 0]):
        what = f"an image of {picture.shape} and one of {other.shape}, {other.dtype}"
        for first, second in ((picture, other), (other, picture)):
            refusal(SizeMismatchError, partial(_run, member, preset, first, second), what)


def check_direction(member: EstimatorMember, preset: str) -> None:
    """Motion points from the first image to the second, right and down."""
    inner = _run(member, preset, texture(), _shifted(texture(), 5, -3))[_INNER].reshape(-1, 2)
    middle = np.median(inner, axis=0)
    assert np.abs(middle - [5, -3]).max() <= 0.2, f"a shift by (5, -3) is found as {middle}"
    error = np.hypot(*(inner - [5, -3]).T).mean()
    assert error < 0.5, f"a shift is wrong by {error} px in the mean"


def check_mirror(
    member: EstimatorMember,
    preset: str,
    zoom: float = 1.03,
    degrees: float = 1.5,
    right: float = 4.5,
    down: float = -3.5,
) -> None:
    """A mirrored pair moves as the mirror image; of pictures that zoom, turn and shift by a few percent."""
    first = texture()
    second, truth, _ = moved(first, _about_centre(_SIZE, zoom, degrees, right, down))
    plain = _run(member, preset, first, second)
    mirrored = _run(member, preset, first[:, ::-1].copy(), second[:, ::-1].copy())[:, ::-1] * [-1, 1]
    assert _gap(plain, truth) < 0.4, f"the flow is wrong by {_gap(plain, truth)} px"
    assert _gap(mirrored, plain) < 0.2, f"that of the mirrored pair differs by {_gap(mirrored, plain)} px"


def check_time(member: EstimatorMember, preset: str) -> None:
    """Reversed in time, the motion is that of the other frame, and not the opposite."""
    first = texture()
    second, there, back = moved(first, _about_centre(_SIZE, 1.12, 3, 5, -4))
    found_there, found_back = _run(member, preset, first, second), _run(member, preset, second, first)
    assert _gap(found_there, there) < 0.75, f"forward it is wrong by {_gap(found_there, there)} px"
    assert _gap(found_back, back) < 0.75, f"backward it is wrong by {_gap(found_back, back)} px"
    opposite = _gap(found_back, -there)
    assert opposite > 2 * _gap(found_back, back), "backward it is the opposite of forward, on the wrong grid"
    assert _gap(found_back, there) > 10, "backward it points forward"


def check_scale(member: EstimatorMember, preset: str) -> None:
    """At half the size the motion is half."""
    size, half = (2 * _SIZE[0], 2 * _SIZE[1]), _SIZE
    first = cv2.resize(texture(), size, interpolation=cv2.INTER_CUBIC)
    second, truth, _ = moved(first, _about_centre(size, 1.05, 1.5, 9, -7))
    small, small_second = (cv2.resize(picture, half, interpolation=cv2.INTER_AREA) for picture in (first, second))
    whole = cv2.resize(_run(member, preset, first, second), half, interpolation=cv2.INTER_AREA)
    assert np.linalg.norm(truth, axis=2).mean() > 10
    error = _gap(2 * _run(member, preset, small, small_second), whole)
    assert error < 1, f"twice the flow at half the size differs by {error} px from the whole"


def check_drive(member: EstimatorMember, preset: str) -> None:
    """The exact flow of a rendered drive is found in both directions of time."""
    for name, ((first, truth), (second, reverse)) in (("forward", _drive()), ("backward", _drive()[::-1])):
        seen = truth.valid_HW & ~truth.occluded_HW
        uv = _run(member, preset, first, second)
        error, swapped = (
            float(np.median(np.linalg.norm(uv - each.flow_HW2, axis=2)[seen])) for each in (truth, reverse)
        )
        assert error < 1, f"{name} in time, the median error on a rendered drive is {error} px"
        assert swapped > 5 * error, f"{name} in time, the flow fits the other direction as well: {swapped} px"


ESTIMATOR_CHECKS: Final[tuple[Callable[[EstimatorMember, str], None], ...]] = (
    check_presets,
    check_config,
    check_opencv,
    check_default,
    check_stillness,
    check_threads,
    check_sizes,
    check_grey,
    check_views,
    check_refusals,
    check_direction,
    check_mirror,
    check_time,
    check_scale,
    check_drive,
)
"""Each is given a member and the name of a preset."""


def _run(member: EstimatorMember, preset: str, first: Array, second: Array) -> npt.NDArray[np.float32]:
    return member.estimate(first, second, member.config_from(preset))


def _shifted(picture: Array, right: int, down: int) -> Array:
    return np.roll(picture, (down, right), axis=(0, 1))


def _about_centre(size: tuple[int, int], zoom: float, degrees: float, right: float, down: float) -> Matrix:
    """Return the map of pixels that zooms and turns about the centre of the picture, then shifts."""
    centre, angle = np.array(size) / 2, np.deg2rad(degrees)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    A = np.eye(3)
    A[:2, :2], A[:2, 2] = turn, centre - turn @ centre + [right, down]
    return A


def moved(picture: Array, A: Matrix) -> tuple[Array, Matrix, Matrix]:
    """Return the picture whose point x lies at A x, the exact flow to it, and the exact flow back on its own grid."""
    height, width = picture.shape[:2]
    second = cv2.warpAffine(picture, A[:2], (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    y, x = np.mgrid[0.0:height, 0.0:width]
    pixels = np.dstack([x, y, np.ones_like(x)])
    there, back = ((pixels @ M.T - pixels)[..., :2] for M in (A, np.linalg.inv(A)))
    return second, there, back


@cache
def _drive() -> tuple[tuple[Array, Motion], tuple[Array, Motion]]:
    """Return two frames, each with the exact motion to the other."""
    world = World()
    first, second = ((render(world, a, 384, 192).rgb_HWC, motion(world, a, 1 - a, 384, 192)) for a in (0, 1))
    return first, second


def _gap(uv: Array, other: Array) -> float:
    """Return the mean distance of two fields, away from the border."""
    return float(np.linalg.norm((uv - other)[_INNER], axis=2).mean())
