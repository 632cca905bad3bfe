"""What every dataset must fulfil, shown on the miniature that it writes itself."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._member import DatasetMember, DatasetSource
from segprep.datasets.conformance.refusals import refusal
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.imageio import image_size, read_image
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array
from segprep.datasets.workspace.cells import decode_source

__all__ = ["DATASET_CHECKS", "FRAMES", "check_dataset"]

FRAMES: Final = 6
"""How many samples the miniature has that the checks are given."""

_SAFE_KEY: Final = re.compile(r"(?!\.)[A-Za-z0-9._%-]{1,200}")


def check_dataset(member: DatasetMember, folder: Path) -> None:
    """Run all checks on a member of the catalog.

    Args:
        member: A module, or an object that looks like one; `CATALOG.load(name)` gives an installed one.
        folder: An empty or absent folder for its miniature.

    Raises:
        AssertionError: If it does not keep what members of the catalog promise.
    """
    member.write_miniature(folder, FRAMES)
    for check in DATASET_CHECKS:
        check(member, folder)


def check_description(member: DatasetMember, root: Path) -> None:
    """It has a title, a layout that begins at ROOT, terms of use, and an image."""
    spec = member.SPEC
    assert spec.title, "SPEC.title is empty"
    assert "ROOT/" in spec.layout, "SPEC.layout shows no path that begins with ROOT/"
    assert "image" in spec.columns, f"SPEC.columns has no image: {spec.columns}"
    assert spec.licence, "SPEC.licence is empty"


def check_miniature(member: DatasetMember, root: Path) -> None:
    """The miniature has as many samples as were asked for, in at least two splits."""
    records = _records(member, root)
    assert len(records) == FRAMES, f"the miniature has {len(records)} samples in place of {FRAMES}"
    assert len({r.split for r in records}) >= 2, f"the miniature has no second split: {records[0].split}"


def check_keys(member: DatasetMember, root: Path) -> None:
    """Keys are safe file names, and no two are equal, also where case is ignored."""
    keys = [r.key for r in _records(member, root)]
    assert len({k.casefold() for k in keys}) == len(keys), f"two samples have one key: {sorted(keys)}"
    unsafe = [k for k in keys if not _SAFE_KEY.fullmatch(k)]
    assert not unsafe, f"not every system takes these keys as file names: {unsafe}; use `make_key`"


def check_order(member: DatasetMember, root: Path) -> None:
    """Scanning twice gives the same order, and records survive JSON."""
    first, second = ([r.to_json() for r in _records(member, root)] for _ in range(2))
    assert first == second, "a second scan gives other records or another order"
    assert [SampleRecord.from_json(r).to_json() for r in first] == first, "records do not survive JSON"


def check_files(member: DatasetMember, root: Path) -> None:
    """Every file that a record names exists, decodes, and has the size of the image."""
    for record in _records(member, root):
        size = image_size(root / record.sources["image"].path)
        for name, source in record.sources.items():
            what = f"{record.key}, {name}"
            path = root / source.path
            values = decode_source(source, path.read_bytes(), path).values
            assert isinstance(values, np.ndarray), f"{what}: is no array"
            if source.kind is Kind.POINTS:
                assert values.ndim == 2, f"{what}: points have the shape {values.shape} in place of (N, 3)"
                assert (values[:, 2] > 0).any(), f"{what}: no point lies in front of the camera"
            else:
                found = (values.shape[1], values.shape[0])
                assert found == size, f"{what}: is {found}, the image {size}"
            assert name in member.SPEC.columns, f"{what}: SPEC.columns does not promise this column"


def check_labels(member: DatasetMember, root: Path) -> None:
    """Every id in the labels is known, most pixels count, and train ids go to raw ids and back."""
    classes = member.class_map(DatasetSource(root))
    shares = []
    for raw in _labels(member, root):
        train = classes.to_train_ids(raw)
        shares.append(np.mean(train != IGNORE_ID))
        back = classes.to_raw_ids(train)
        assert np.array_equal(classes.to_train_ids(back), train), "raw ids of train ids have other train ids"
    if "label" in member.SPEC.columns:
        assert shares, "SPEC.columns promises labels, and the miniature has none"
        assert np.mean(shares) > 0.5, f"only {np.mean(shares):.0%} of the labelled pixels have a class"
    else:
        assert not shares, "there are labels that SPEC.columns does not promise"
        assert len(classes.classes) == 1, "without labels there is a single class, which nothing uses"


def check_schemes(member: DatasetMember, root: Path) -> None:
    """Every scheme of classes knows all labels, no two are alike, and the first is the default."""
    schemes = member.SPEC.schemes
    maps = [member.class_map(DatasetSource(root, scheme=scheme)) for scheme in (None, *schemes)]
    assert maps[0] == maps[min(1, len(schemes))], f"the default is not the first scheme, {schemes[:1]}"
    assert len({m.names for m in maps[1:]}) == len(schemes), f"two of the schemes {schemes} have the same classes"
    for raw in _labels(member, root):
        for classes in maps:
            classes.to_train_ids(raw)


def check_shares(member: DatasetMember, root: Path) -> None:
    """Shares that are known belong to classes of each scheme and sum up to 1."""
    shares = member.SPEC.class_shares
    for scheme in member.SPEC.schemes or (None,):
        names = member.class_map(DatasetSource(root, scheme=scheme)).names
        if shares:
            total = sum(shares[name] for name in names)
            assert 0.9 < total <= 1.001, f"SPEC.class_shares of scheme {scheme} sum up to {total}"


def check_neighbours(member: DatasetMember, root: Path) -> None:
    """Neighbours are earlier or later frames, as asked, within the gap."""
    for direction in Direction:
        for record in member.scan(DatasetSource(root), direction):
            near = record.neighbour
            has = direction.value in record.sources
            assert (near is not None) == has, f"{record.key}: neighbour {near}, image of the neighbour: {has}"
            if near is not None:
                gap = near.time_difference
                assert near.direction is direction, f"{record.key}: asked for {direction}, got {near.direction}"
                assert 0 < abs(gap) <= member.SPEC.max_gap + 1e-6, f"{record.key}: its neighbour is {gap} s away"
                assert (gap < 0) == (direction is Direction.PREVIOUS), f"{record.key}: {direction} is {gap} s away"


def check_cameras(member: DatasetMember, root: Path) -> None:
    """Cameras have the size of their images, and motions are rigid."""
    for record in _records(member, root):
        if record.camera is None:
            continue
        size = image_size(root / record.sources["image"].path)
        found = (record.camera.width, record.camera.height)
        assert found == size, f"{record.key}: the camera is {found}, the image {size}"
        if record.neighbour is not None and record.neighbour.motion is not None:
            rotation = record.neighbour.motion[:3, :3]
            rigid = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9) and np.linalg.det(rotation) > 0
            assert rigid, f"{record.key}: the motion to the neighbour is not rigid:\n{rotation}"


def check_refusal(member: DatasetMember, root: Path) -> None:
    """A folder of something else is refused with the layout that is expected."""
    with tempfile.TemporaryDirectory() as other:
        (Path(other) / "letters.txt").write_text("no pictures here")
        for call, what in (
            (lambda: member.class_map(DatasetSource(Path(other))), "class_map of a folder of something else"),
            (lambda: _records(member, Path(other)), "scan of a folder of something else"),
        ):
            message = refusal(DatasetNotFoundError, call, what)
            assert "ROOT/" in message, f"{what}: the message does not show the layout: {message}"


DATASET_CHECKS: Final[tuple[Callable[[DatasetMember, Path], None], ...]] = (
    check_description,
    check_miniature,
    check_keys,
    check_order,
    check_files,
    check_labels,
    check_schemes,
    check_shares,
    check_neighbours,
    check_cameras,
    check_refusal,
)
"""Each is given a member and the folder that its `write_miniature(folder, FRAMES)` filled."""


def _records(member: DatasetMember, root: Path) -> list[SampleRecord]:
    return list(member.scan(DatasetSource(root), Direction.PREVIOUS))


def _labels(member: DatasetMember, root: Path) -> Iterator[Array]:
    for record in _records(member, root):
        if "label" in record.sources:
            yield read_image(root / record.sources["label"].path)
