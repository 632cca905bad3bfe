"""Signs of depth that is read as what it is not; every right reading of real files passes in silence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.codes.depth_units import depth_unit
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.imageio import read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera
from segprep.datasets.synthetic import World, make_camera, render
from segprep.prep.inspection.depth_doubts import Reading, depth_doubts
from segprep.prep.inspection.doubts import Doubt
from segprep.prep.inspection.facts import measure_distances
from segprep.prep.inspection.ray_length import ray_votes
from segprep.prep.inspection.reflectance_doubts import reflectance_doubts
from segprep.prep.inspection.seen_depth import DepthRange, SeenDepth, range_text, seen_depth

INDOORS = (0.4, 5.0)


def structured_light(scale_m: float = 0.001) -> Array:
    """Return numbers of a room as a depth camera writes them that measures disparity in steps of 1/8 pixel."""
    columns, rows = np.meshgrid(np.linspace(0, 1, 320), np.linspace(0, 1, 240))
    metres = 3.2 - 1.4 * rows + 0.8 * columns + 0.3 * np.sin(9 * columns) * np.cos(7 * rows)
    steps = np.rint(350 / metres)
    return np.rint(350 / steps / scale_m).astype(np.uint16)


def seen(picture: Array, unit: str) -> SeenDepth:
    kind, code = depth_unit(unit)
    facts = measure_distances(
        *code.decode(*code.from_file(picture)), zero_is_far=kind is Kind.DISPARITY, picture=picture
    )
    found = seen_depth(facts, None)
    assert found is not None
    return found


def doubts(
    picture: Array, unit: str, usual: tuple[float, float] | None = None, *, said: bool = False, files: int = 4
) -> list[Doubt]:
    reading = Reading("depth", depth_unit(unit)[1].to_json(), usual, said)
    return list(depth_doubts(reading, [seen(picture, unit)] * files))


def rotated(numbers: Array) -> Array:
    """Return numbers as SUN RGB-D has them."""
    return np.asarray((numbers << 3) | (numbers >> 13), np.uint16)


@pytest.mark.parametrize(("scale_m", "unit"), [(0.001, "mm"), (1 / 5000, "tum"), (1e-4, "1/10000"), (0.001, "sun")])
def test_what_a_depth_camera_wrote_passes_in_its_own_unit(scale_m: float, unit: str) -> None:
    numbers = structured_light(scale_m)
    picture = rotated(numbers) if unit == "sun" else numbers
    assert doubts(picture, unit) == doubts(picture, unit, INDOORS) == []


@pytest.mark.parametrize(
    ("scale_m", "unit", "remedy"),
    [
        (1 / 5000, "mm", "`--depth-unit tum`"),
        (1 / 10000, "mm", "`--depth-unit 1/10000`"),
        (0.001, "tum", "`--depth-unit mm`"),
        (0.001, "1/10000", "`--depth-unit mm`"),
        (0.001, "cm", "`--depth-unit mm`"),
        (1 / 10000, "tum", "`--depth-unit 1/10000`"),
    ],
)
def test_the_steps_of_a_sensor_tell_its_unit(scale_m: float, unit: str, remedy: str) -> None:
    found = doubts(structured_light(scale_m), unit, said=True)
    assert [d.impossible for d in found] == [False]
    assert remedy in found[0].text


def test_bits_in_another_order_are_noise_and_cannot_be() -> None:
    numbers = structured_light()
    (swapped,) = doubts(numbers.byteswap(), "mm")
    assert swapped.impossible
    assert "with swapped bytes" in swapped.text
    (as_sun,) = doubts(numbers, "sun")
    assert as_sun.impossible
    assert "`--depth-unit mm`" in as_sun.text
    (as_plain,) = doubts(rotated(numbers), "mm")
    assert "`--depth-unit sun`" in as_plain.text


def test_millimetres_times_five_are_told_without_any_law_of_steps() -> None:
    smooth = np.tile(np.linspace(900, 3000, 320).astype(np.uint16) * 5, (240, 1))
    (found,) = doubts(smooth, "mm", said=True)
    assert "all multiples of 5" in found.text
    assert "`--depth-unit tum`" in found.text
    assert doubts(smooth, "tum") == []


def test_raw_disparity_of_a_kinect_is_told() -> None:
    raw = np.tile(np.linspace(600, 1000, 320).astype(np.uint16), (240, 1))
    raw[:40] = 2047
    (found,) = doubts(raw, "mm")
    assert "`--depth-unit kinect`" in found.text
    assert doubts(raw, "kinect") == []


@pytest.mark.parametrize(
    ("metres", "unit", "impossible", "text"),
    [
        ((1.5, 4.0), "m", True, "times 0.1 or 0.01 or 0.001 it would be plausible"),  # numbers of millimetres
        ((0.0015, 0.004), "mm", True, "times 1000 it would be plausible"),
        ((8.0, 20.0), "mm", False, "nothing is nearer than 8 m"),
        ((0.35, 0.7), "mm", False, "nothing is farther than 0.7 m"),
    ],
)
def test_ranges_that_no_camera_sees(metres: tuple[float, float], unit: str, impossible: bool, text: str) -> None:
    picture = np.tile(np.linspace(*metres, 64, dtype=np.float32) * 1000, (8, 1))
    (found,) = doubts(picture, unit)
    assert found.impossible is impossible
    assert text in found.text
    assert doubts(picture, unit, said=True) == ([found] if impossible else []), "who says the unit is believed"


def test_a_known_dataset_has_its_own_range() -> None:
    room = np.tile(np.linspace(8000, 13000, 64, dtype=np.float32), (8, 1))
    (found,) = doubts(room, "mm", INDOORS)
    assert "should lie in 0.4 to 5 m" in found.text
    assert doubts(room, "mm", (2.0, 80.0)) == []


def test_disparity_taken_for_depth_has_the_ground_far_below() -> None:
    disparity = np.tile(np.linspace(900, 9000, 60, dtype=np.float32)[:, None], (1, 40))
    (found,) = doubts(disparity, "mm")
    assert "is it disparity that is taken for depth" in found.text
    assert doubts(disparity[::-1].copy(), "mm") == []
    assert doubts(disparity, "mm", files=2) == [], "two pictures may look down a stair"


def test_a_sky_of_some_kilometres_is_told() -> None:
    street = np.tile(np.linspace(2, 60, 64, dtype=np.float32), (32, 1))
    street[:8] = 16_288
    (found,) = doubts(street, "m")
    assert "if that is the sky, write infinity or 0 there" in found.text
    assert not found.impossible
    street[:8] = np.inf
    assert doubts(street, "m") == []


@pytest.mark.parametrize("along_ray", [False, True])
def test_distances_along_the_ray_are_told_from_depth_by_planes(along_ray: bool) -> None:
    frame = render(World(seed=3), 0, width=256, height=128)
    camera = make_camera(256, 128)
    x_HW, y_HW = np.meshgrid(*((np.arange(n) - camera.K[i, 2]) / camera.K[i, i] for i, n in ((0, 256), (1, 128))))
    depth_HW = frame.depth_HW * (np.sqrt(1 + x_HW**2 + y_HW**2) if along_ray else 1)
    axis, distance = ray_votes(depth_HW, np.isfinite(depth_HW), camera)
    assert (axis > 4 * distance, distance > 4 * axis) == (not along_ray, along_ray)
    seen_votes = [replace(seen(depth_HW.astype(np.float32), "m"), votes=(axis, distance))]
    reading = Reading("depth", depth_unit("m")[1].to_json(), None, said=True)
    found = [doubt.text for doubt in depth_doubts(reading, seen_votes)]
    assert bool([text for text in found if "divide them by the length of the ray" in text]) is along_ray


@pytest.mark.parametrize("factor", [1.0, 5.0])
def test_noise_of_a_depth_camera_has_no_vote(factor: float) -> None:
    depth_HW = structured_light() * 0.001 * factor
    camera = Camera(np.array([[290.0, 0, 160], [0, 290, 120], [0, 0, 1]]), 320, 240)
    axis, distance = ray_votes(depth_HW, depth_HW > 0, camera)
    assert distance <= 4 * axis or distance < 4


@pytest.mark.parametrize(
    ("largest", "white"),
    [([1019, 700], "1023"), ([4095], "4095"), ([255], "255"), ([9000], "16383"), ([65535, 900], None), ([], None)],
)
def test_reflectance_of_fewer_bits_than_the_file_is_told(largest: list[int], white: str | None) -> None:
    found = [doubt.text for doubt in reflectance_doubts("nir", largest)]
    assert len(found) == (white is not None)
    assert all(f"`--bands nir=nir/{white},...`" in text for text in found)


def test_the_range_is_said_for_people() -> None:
    ranges = [DepthRange(0.6, 1.5, 4.06, True), DepthRange(0.8, 2, 3, True)]
    text = range_text(ranges, depth_unit("mm")[1].to_json())
    assert text == "0.6 to 4.06 m (1st to 99th percentile of 2 files), medians 1.5 to 2 m, read as mm"


_ROOM, _OTHER = "rgbd_pose/7scenes_redkitchen/frame-000150.depth.png", "rgbd_pose/open3d_livingroom/depth/00000.png"
_HOLO = "rgbd_pose/hololens/depth/00004.png"
_NYU, _NYU_RAW = "hha/nyu_python_demo/0.png", "hha/nyu_python_demo/0_raw.png"
_NYU_MM, _SUN, _TUM = "hha/nyu_rcnn_depth_demo/depth.png", "depth_formats/SUN_depth.png", "depth_formats/TUM_depth.png"
_KINECT2 = "catalog/sunrgbd/esanet_sample/sample_depth.png"
REAL = {
    _ROOM: "mm", _OTHER: "mm", _HOLO: "mm", _NYU: "1/10000", _NYU_RAW: "1/10000", _NYU_MM: "mm", _SUN: "sun",
    _TUM: "tum", _KINECT2: "1/10000",
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_depth_passes_in_its_own_unit_and_not_in_others(shared_data: Path, name: str) -> None:
    picture, right = read_image(shared_data / name), REAL[name]
    assert doubts(picture, right) == doubts(picture, right, said=True) == []
    wrong = {"m", "sun", "mm", "tum", "kitti", "1/125", "1/10000"} - {right}
    if name in (_HOLO, _NYU, _NYU_RAW, _NYU_MM, _KINECT2):  # finer steps than structured light: ranges alone tell
        wrong = {"m", "sun"} | ({"mm"} if right != "mm" else set())
    missed = {unit for unit in wrong if not doubts(picture, unit)}
    assert not missed
    assert doubts(picture.byteswap(), right)[0].impossible
    with pytest.raises(CodeRangeError, match="of 11 bits"):
        seen(picture, "kinect")
