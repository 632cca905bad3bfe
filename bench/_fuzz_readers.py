"""Every reader of files of others, with a sound file of each kind that it reads."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from segprep.datasets.augmentation.table import read_config
from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._cityscapes import calibration as cityscapes
from segprep.datasets.catalog._common.calibration_documents import read_yaml_calibration
from segprep.datasets.catalog._common.colmap import read_colmap_cameras
from segprep.datasets.catalog._common.intrinsics import read_intrinsics, read_pinhole_json
from segprep.datasets.catalog._common.trajectories import (
    read_pose,
)
from segprep.datasets.catalog._common.trajectory_forms import read_trajectory
from segprep.datasets.catalog._kitti.calibration import KittiCalibration
from segprep.datasets.catalog._kitti.oxts import read_oxts, read_times
from segprep.datasets.catalog._member import DatasetMember, DatasetSource
from segprep.datasets.class_files import paris_description, read_class_map
from segprep.datasets.imageio import encode_image, image_orientation, image_size, read_image
from segprep.datasets.imageio.scans import read_velodyne
from segprep.datasets.lists.files import encode_list, read_lists
from segprep.datasets.record import Direction
from segprep.datasets.synthetic import CLASSES as RENDERED
from segprep.flow.flow_files import read_flow

__all__ = ["Reader", "foreign_readers", "reader_of"]


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader and a sound file for it.

    Attributes:
        name: Of the kind of file.
        path: Where the file lies; its mutants stand there one after the other.
        sound: Its content.
        read: Reads what stands there.
    """

    name: str
    path: Path
    sound: bytes
    read: Callable[[], object]


def foreign_readers(place: Path) -> Iterator[Reader]:
    """Yield them all; their files lie below `place`."""
    yield from _pictures(place)
    yield from _flow(place)
    yield from _texts(place)
    yield from _datasets(place)
    yield from _labels(place)
    yield from _lists(place)


def reader_of(path: Path, content: bytes, read: Callable[[], object], name: str = "") -> Reader:
    """Write a sound file and return its reader, under the file's name if no other is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Reader(name or path.name, path, content, read)


def _pictures(place: Path) -> Iterator[Reader]:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 255, (12, 16), np.uint8)
    rgb = rng.integers(0, 255, (12, 16, 3), np.uint8)
    floats = rng.random((12, 16), np.float32)
    palette = io.BytesIO()
    image = Image.fromarray(grey % 4, "P")
    image.putpalette(bytes(range(12)))
    image.save(palette, "PNG")
    turned, exif = io.BytesIO(), Image.Exif()
    exif[_ORIENTATION] = 6
    Image.fromarray(rgb).save(turned, "JPEG", progressive=True, exif=exif)
    npz, hdf5 = io.BytesIO(), io.BytesIO()
    np.savez_compressed(npz, depth=floats)
    with h5py.File(hdf5, "w") as file:
        file.create_dataset("depth", data=floats, compression="gzip")
    contents = {
        "grey.png": encode_image(".png", grey),
        "rgb.png": encode_image(".png", rgb),
        "sixteen.png": encode_image(".png", grey.astype(np.uint16) * 100),
        "palette.png": palette.getvalue(),
        "rgb.jpg": encode_image(".jpg", rgb),
        "turned.jpg": turned.getvalue(),
        "rgb.ppm": encode_image(".ppm", rgb),
        "grey.pgm": encode_image(".pgm", grey),
        "depth.pfm": encode_image(".pfm", floats),
        "depth.npy": encode_image(".npy", floats),
        "depth.npz": npz.getvalue(),
        "depth.h5": hdf5.getvalue(),
        "depth.mat": b"MATLAB 7.3 MAT-file".ljust(512) + hdf5.getvalue(),
    }
    for name, content in contents.items():
        path = place / "pictures" / name
        yield reader_of(path, content, partial(_both, path))
    scan = place / "pictures" / "scan.bin"
    yield reader_of(scan, rng.random((40, 4), np.float32).tobytes(), lambda: read_velodyne(scan))


_ORIENTATION = 0x0112


def _both(path: Path) -> object:
    return image_size(path), read_image(path), image_orientation(path)


def _flow(place: Path) -> Iterator[Reader]:
    rng = np.random.default_rng(1)
    uv = rng.random((12, 16, 2), np.float32)
    kitti = np.dstack([rng.integers(30000, 35000, (12, 16, 2), np.uint16), np.ones((12, 16), np.uint16)])
    npz = io.BytesIO()
    np.savez(npz, flow=uv, valid=np.ones((12, 16), np.uint8))
    contents = {
        "flow.flo": encode_image(".flo", uv),
        "flow.png": encode_image(".png", kitti),
        "flow.npy": encode_image(".npy", uv),
        "flow.npz": npz.getvalue(),
        "flow.pfm": encode_image(".pfm", np.dstack([uv, uv[..., :1]])),
    }
    for name, content in contents.items():
        path = place / "flow" / name
        yield reader_of(path, content, partial(read_flow, path))


def _texts(place: Path) -> Iterator[Reader]:
    K = "520.5 0 319.5\n0 520.5 239.5\n0 0 1\n"
    pose = "1 0 0 0.5\n0 1 0 0.25\n0 0 1 -2e-1\n0 0 0 1\n"
    pinhole = {"width": 640, "height": 480, "intrinsic_matrix": [520.5, 0, 0, 0, 520.5, 0, 319.5, 239.5, 1]}
    camera = {
        "extrinsic": {"baseline": 0.21, "pitch": 0.04, "roll": 0.0, "x": 1.7, "y": 0.1, "yaw": -0.02, "z": 1.2},
        "intrinsic": {"fx": 2262.5, "fy": 2265.3, "u0": 1096.9, "v0": 513.1},
    }
    vehicle = {"speed": 10.5, "yawRate": 0.01, "heading": 80.2, "gpsLatitude": 50.7, "gpsLongitude": 6.1}
    oxts = "49.01 8.43 112.8 0.03 0.01 -1.2 " + " ".join(["0.5"] * 19) + " 4 10 4 4 0\n"
    kinds: dict[str, tuple[str, Callable[[Path], object]]] = {
        "K.txt": (K, read_intrinsics),
        "camera.json": (json.dumps(pinhole), read_pinhole_json),
        "pose.txt": (pose, read_pose),
        "poses.txt": ("1 0 0 0.5 0 1 0 0.25 0 0 1 -2e-1\n" * 3, read_trajectory),
        "odometry.log": (f"0 0 1\n{pose}1 1 2\n{pose}", read_trajectory),
        "images.txt": ("1 1 0 0 0 0.5 0.25 -0.2 1 a.png\n1.5 2.5 -1\n2 0 0 0 1 0 0 1 1 b.png\n\n", read_trajectory),
        "transforms.json": (
            json.dumps({"frames": [{"file_path": "a.png", "transform_matrix": [*map(list, np.eye(4))]}]}),
            read_trajectory,
        ),
        "cameras.txt": ("1 OPENCV 640 480 520.5 520.5 320 240 0.1 0 0 0\n", read_colmap_cameras),
        "camera.yaml": (
            "%YAML:1.0\n---\nK: !!opencv-matrix\n   data: [9., 0., 3., 0., 9., 2., 0., 0., 1.]\n",
            read_yaml_calibration,
        ),
        "groundtruth.txt": ("# time tx ty tz qx qy qz qw\n1.5 0 0 0 0 0 0 1\n2.5 1 0 0 0 0 0 1\n", read_trajectory),
        "oxts.txt": (oxts, read_oxts),
        "timestamps.txt": ("2011-09-26 13:02:25.964389445\n2011-09-26 13:02:26.064389445\n", read_times),
        "a_camera.json": (json.dumps(camera), lambda path: cityscapes.read_camera(path, 2048, 1024)),
        "a_vehicle.json": (json.dumps(vehicle), cityscapes.read_odometry),
        "a_timestamp.txt": ("1374412000000000\n", cityscapes.read_timestamp),
        "classes.toml": (_CLASSES, read_class_map),
        "classes.json": (json.dumps(paris_description(RENDERED, "rendered")), read_class_map),
        "augmentation.toml": (_AUGMENTATION, read_config),
        "calib.txt": (_CALIBRATION, KittiCalibration.from_object_file),
    }
    for name, (text, read) in kinds.items():
        path = place / "texts" / name
        yield reader_of(path, text.encode(), partial(read, path))
    for name in _RAW_CALIBRATION:
        (place / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "raw" / name).write_text(_RAW_CALIBRATION[name], encoding="utf-8")
    for name, text in _RAW_CALIBRATION.items():
        yield reader_of(place / "raw" / name, text.encode(), partial(KittiCalibration.from_files, place / "raw"))


_CALIBRATION = """P2: 700 0 600 45 0 700 180 -0.3 0 0 1 0.005
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 -0.08 1 0 0 -0.27
Tr_imu_to_velo: 1 0 0 -0.8 0 1 0 0.3 0 0 1 -0.8
"""

_RAW_CALIBRATION = {
    "calib_cam_to_cam.txt": """calib_time: 09-Jan-2012 13:57:47
S_rect_02: 1242 375
R_rect_00: 1 0 0 0 1 0 0 0 1
P_rect_02: 700 0 600 45 0 700 180 -0.3 0 0 1 0.005
P_rect_03: 700 0 600 -340 0 700 180 2.2 0 0 1 0.003
""",
    "calib_velo_to_cam.txt": "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: -0.004 -0.076 -0.272\n",
    "calib_imu_to_velo.txt": "calib_time: 25-May-2012 16:47:16\nR: 1 0 0 0 1 0 0 0 1\nT: -0.81 0.32 -0.8\n",
}

_AUGMENTATION = """[augmentation]
preset = "ssma"
flip = 0.5
rotation = [-5, 5.5]
crop_size = [64, 32]
scale = {range = [0.8, 1.2], probability = 0.5}
"""

_CLASSES = """ignored_raw_ids = [255]
raw_id_divisor = 1
[[classes]]
name = "road"
color = [128, 64, 128]
raw_ids = [0, 7]
[[classes]]
name = "car"
color = [0, 0, 142]
raw_ids = [1]
"""


def _datasets(place: Path) -> Iterator[Reader]:
    """Yield the files that tell what belongs together in whole datasets, which are listed."""
    picture = encode_image(".png", np.zeros((4, 6, 3), np.uint8))
    K = "5 0 3\n0 5 2\n0 0 1\n"
    camera = {"K": [[5, 0, 3], [0, 5, 2], [0, 0, 1]], "width": 6, "height": 4, "time": 0.5, "pose": np.eye(4).tolist()}
    classes = {"class_map": RENDERED.to_json()}
    kinds: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
        "tum_rgbd": (
            "rgb.txt",
            {"rgb.txt": "# colour\n1.5 rgb/1.5.png\n2.5 rgb/2.5.png\n", "K.txt": K},
            ("rgb/1.5.png", "rgb/2.5.png"),
        ),
        "rgbd": (
            "frames.txt",
            {"frames.txt": "images/1.png\n2\n", "timestamps.txt": "0.5\n0.75\n", "K.txt": K},
            ("images/1.png", "images/2.png", "depth/1.png"),
        ),
        "sevenscenes": (
            "TrainSplit.txt",
            {"TrainSplit.txt": "sequence1\n", "seq-01/frame-000000.pose.txt": "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"},
            ("seq-01/frame-000000.color.png",),
        ),
        "synthetic": (
            "drive.json",
            {"drive.json": json.dumps(classes), "train/drive/camera/0.json": json.dumps(camera)},
            ("train/drive/rgb/0.png",),
        ),
    }
    for name, (main, texts, pictures) in kinds.items():
        root, member = place / "datasets" / name, CATALOG.load(name)
        for file in pictures:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_bytes(picture)
        for file, text in texts.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(text, encoding="utf-8")
        read = partial(_listed, member, root)
        for file, text in texts.items():
            yield reader_of(root / file, text.encode(), read, main if file == main else f"{name} {Path(file).name}")


def _listed(member: DatasetMember, root: Path) -> object:
    """List a dataset as `prep init` does: a ValueError is told as one of its files."""
    source = DatasetSource(root)
    return member.class_map(source), [record.to_json() for record in member.scan(source, Direction.PREVIOUS)]


def _labels(place: Path) -> Iterator[Reader]:
    """Yield label files of which nothing is known; classes are found in them."""
    label = np.repeat(np.arange(4, dtype=np.uint8), 48).reshape(12, 16)
    colors = np.array([[128, 64, 128], [0, 0, 142], [70, 70, 70], [0, 0, 0]], np.uint8)[label]
    for name, content in (("ids.png", encode_image(".png", label)), ("colors.png", encode_image(".png", colors))):
        folder = place / "labels" / name
        folder.mkdir(parents=True)
        (folder / "other.png").write_bytes(content)
        (folder / "train.csv").write_text(f"image,label\n{name},{name}\nother.png,other.png\n", encoding="utf-8")
        yield reader_of(folder / name, content, partial(_listed, CATALOG.load("list"), folder), f"labels, {name}")


def _lists(place: Path) -> Iterator[Reader]:
    folder = place / "lists"
    image = encode_image(".png", np.zeros((4, 6, 3), np.uint8))
    for name in ("a.png", "b.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(image)
    camera = {"K": [[5, 0, 3], [0, 5, 2], [0, 0, 1]], "width": 6, "height": 4}
    row = {"image": "a.png", "key": "a", "split": "train", "camera": camera, "time": 0.5, "frame": 3}
    contents = {
        "train.csv": b"image,label,split\na.png,a.png,train\nb.png,b.png,val\n",
        "train.txt": b"a.png b.png\nb.png a.png\n",
        "train.jsonl": json.dumps(row).encode() + b"\n",
    }
    sound = folder / "sound.jsonl"
    sound.write_bytes(contents["train.jsonl"])
    contents["train.parquet"] = encode_list(Path("train.parquet"), read_lists([sound], folder))
    for name, content in contents.items():
        path = folder / name
        yield reader_of(path, content, partial(read_lists, [path], folder))
