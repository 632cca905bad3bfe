"""What the servers of benchmarks want: names, ids, sizes and one archive, checked before anything is predicted."""

import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from segprep.datasets.atomic import PARTIAL_SUFFIX, StagedFile, commit, discard, write_failed
from segprep.datasets.catalog._cityscapes.classes import scheme_classes
from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError, LabelIdError, MissingInputError, SegprepError, SizeMismatchError
from segprep.datasets.imageio import encode_image, image_size, read_image
from segprep.datasets.names import nearest_name
from segprep.train.predict.outputs import Ids

__all__ = ["BENCHMARKS", "Benchmark", "SubmissionName", "check_classes", "submission_names", "write_archive"]

SubmissionName = Literal["cityscapes", "kitti", "kitti360", "bdd", "mapillary", "scannet"]

_NYU40_OF_SCANNET: Final = (*range(1, 13), 14, 16, 24, 28, 33, 34, 36, 39)
_MAPILLARY_IDS: Final = 124  # of version 2.0; 1.2 has the first 66 numbers, with other meanings


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What a server wants.

    Attributes:
        title: Its name.
        picture: Fits the path of a picture; its groups fill `name`.
        name: Of the file of ids in the archive.
        example: A picture's path, for messages.
        known: The ids that the server knows.
        named: Name of each of its classes to its id, where the names of classes are to be compared; else empty.
        ids: Which ids of the network those are.
        size: (width, height) of all pictures; None where they vary.
        count: How many pictures the test set has; None where that is not known for sure.
    """

    title: str
    picture: str
    name: str
    example: str
    known: frozenset[int]
    named: Mapping[str, int]
    ids: Ids = "raw"
    size: tuple[int, int] | None = None
    count: int | None = None


def _cityscapes_ids() -> dict[str, int]:
    return {each.name: each.raw_ids[0] for each in scheme_classes("19").classes}


def _bdd_ids() -> dict[str, int]:
    return {each.name: number for number, each in enumerate(scheme_classes("19").classes)}


_STREET: Final = MappingProxyType(_cityscapes_ids())

BENCHMARKS: Final[Mapping[SubmissionName, Benchmark]] = MappingProxyType(
    {
        "cityscapes": Benchmark(
            "Cityscapes",
            r"([a-zA-Z-]+_\d{6}_\d{6})_leftImg8bit$",
            "{0}.png",
            "berlin_000000_000019_leftImg8bit.png",
            frozenset(range(34)),
            _STREET,
            size=(2048, 1024),
            count=1525,
        ),
        "kitti": Benchmark(
            "KITTI's pixel-level semantics",
            r"(?:^|/)(\d{6}_10)$",
            "semantic/{0}.png",
            "testing/image_2/000000_10.png",
            frozenset(range(34)),
            _STREET,
            count=200,
        ),
        "kitti360": Benchmark(
            "KITTI-360",
            r"2013_05_28_drive_(\d{4})_sync/.*?(\d{10})$",
            "{0}_{1}.png",
            "2013_05_28_drive_0008_sync/image_00/data_rect/0000000240.png",
            frozenset(range(45)),
            _STREET,
            count=910,
        ),
        "bdd": Benchmark(
            "BDD100K",
            r"([^/]+)$",
            "{0}.png",
            "images/10k/test/cabc30fc-e7726578.jpg",
            frozenset(range(19)),
            MappingProxyType(_bdd_ids()),
            ids="train",
            size=(1280, 720),
        ),
        "mapillary": Benchmark(
            "Mapillary Vistas",
            r"(?:^|/)([A-Za-z0-9_-]{22})$",
            "{0}.png",
            "testing/images/--NSVcUgfVhFd6uzkqHOOg.jpg",
            frozenset(range(_MAPILLARY_IDS)),
            MappingProxyType({}),
        ),
        "scannet": Benchmark(
            "ScanNet",
            r"(scene\d{4}_\d{2})/.*?(\d+)$",
            "{0}_{1:0>6}.png",
            "scannet_frames_test/scene0707_00/color/000000.jpg",
            frozenset(_NYU40_OF_SCANNET),
            MappingProxyType({}),
            size=(1296, 968),
        ),
    }
)


def check_classes(benchmark: Benchmark, classes: ClassMap) -> None:
    """Refuse a network whose ids mean nothing, or something else, to a server.

    Raises:
        LabelIdError: Names the class.
    """
    for train_id, each in enumerate(classes.classes):
        written = train_id if benchmark.ids == "train" else each.raw_ids[0]
        if written not in benchmark.known:
            raise LabelIdError(
                f"class {each.name!r} would be written as {written}, an id that {benchmark.title} does not know"
            )
        if not benchmark.named:
            continue
        if each.name not in benchmark.named:
            raise LabelIdError(
                f"{benchmark.title} has no class {each.name!r}. {nearest_name(each.name, benchmark.named)}"
            )
        if written != benchmark.named[each.name]:
            raise LabelIdError(
                f"class {each.name!r} would be written as {written}, but {benchmark.title} calls it "
                f"{benchmark.named[each.name]}: prepare the data with the benchmark's own ids"
            )


def submission_names(benchmark: Benchmark, pictures: Sequence[Path]) -> dict[Path, str]:
    """Return the name in the archive of each picture, without suffix.

    Raises:
        ConfigurationError: If a picture is not called as those of the benchmark, or two would get one name.
        SizeMismatchError: If one has another size.
        MissingInputError: If there are not as many as the test set has.
        UnreadableFileError: If the header of one cannot be read.
    """
    names: dict[str, Path] = {}
    for path in pictures:
        found = re.search(benchmark.picture, path.with_suffix("").as_posix())
        if found is None:
            raise ConfigurationError(
                f"{path} is not called as the pictures of {benchmark.title}, such as {benchmark.example}"
            )
        name = benchmark.name.format(*found.groups()).removesuffix(".png")
        if name in names:
            raise ConfigurationError(f"{names[name]} and {path} would both be {name}.png in the archive")
        names[name] = path
        size = image_size(path) if benchmark.size is not None else None
        if size != benchmark.size and size is not None and benchmark.size is not None:
            raise SizeMismatchError(
                f"{path} is {size[0]}x{size[1]}, but pictures of {benchmark.title} are "
                f"{benchmark.size[0]}x{benchmark.size[1]}"
            )
    if benchmark.count is not None and len(names) != benchmark.count:
        raise MissingInputError(
            f"the test set of {benchmark.title} has {benchmark.count} pictures, not {len(names)}: name all of them"
        )
    return {path: name for name, path in names.items()}


def write_archive(benchmark: Benchmark, files: Mapping[str, Path], archive: Path) -> None:
    """Write the archive: 8-bit pictures of ids in one channel, without a palette. Equal files make equal archives.

    Args:
        benchmark: Whose server gets it.
        files: Name in the archive, without suffix, to the file of ids.
        archive: Its path; an older one is replaced.

    Raises:
        LabelIdError: If a file holds ids that the server does not know.
        WriteFailedError: If the archive cannot be written.
    """
    staged = StagedFile(archive.with_name(f"{archive.name}.{os.getpid()}{PARTIAL_SUFFIX}"), archive)
    try:
        with zipfile.ZipFile(staged.temporary, "w", zipfile.ZIP_STORED) as written:
            for name, path in sorted(files.items()):
                ids_HW = read_image(path)
                unknown = sorted(set(np.unique(ids_HW).tolist()) - benchmark.known)
                if unknown or ids_HW.dtype != np.uint8 or ids_HW.ndim != 2:
                    raise LabelIdError(f"{path} holds the ids {unknown[:8]}, which {benchmark.title} does not know")
                written.writestr(zipfile.ZipInfo(f"{name}.png"), encode_image(".png", ids_HW))
        commit([staged])
    except BaseException as error:
        discard([staged])
        if isinstance(error, OSError) and not isinstance(error, SegprepError):
            raise write_failed(archive, error) from error
        raise
