"""Any folder in SMSnet's naming: `image_data/`, `label_data/` and, if there, `flow_data/`, equal file names in each."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segprep.datasets.catalog._member import DatasetSpec, files_by_stem
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import IdCode, PlainCode, SmsnetFlowCode
from segprep.datasets.errors import DatasetNotFoundError, SegprepError
from segprep.datasets.imageio import read_image
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.record import Direction, SampleRecord, SourceFile
from segprep.datasets.sample import make_key

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="a folder of one's own, in SMSnet's naming",
    layout="""\
ROOT/<split>/image_data/<name>.png|jpg   (or ROOT/image_data: one split, "train")
ROOT/<split>/label_data/<name>.png       single-channel ids
ROOT/<split>/flow_data/<name>.png        optional: SMSnet's flow image, B=u, G=v, R=magnitude""",
    columns=("image", "label", "flow"),
    licence="the user's own",
    citation="",
    max_gap=0.0,
)

_PARTS = (
    ("image", Kind.IMAGE, PlainCode().to_json()),
    ("label", Kind.LABEL, IdCode().to_json()),
    ("flow", Kind.CODED, SmsnetFlowCode().to_json()),
)


def class_map(root: Path) -> ClassMap:
    """Return one class per id that the labels hold; 255 is ignored.

    Every label is read once. The result stands in `prep.toml`, where names and colours can be put right and an id that
    means "not labelled" (SMSnet: 0) can be moved to `ignored_raw_ids`.

    Raises:
        DatasetNotFoundError: If no label can be read.
    """
    seen: set[int] = set()
    for _, folder in _splits(root):
        for name in files_by_stem(folder / "label_data").values():
            try:
                seen.update(np.unique(read_image(folder / "label_data" / name)).tolist())
            except SegprepError:
                continue  # the sample will fail by name when it is processed
    ids = sorted(seen - {IGNORE_ID})
    if not ids:
        raise DatasetNotFoundError(
            f"{root} has no readable label in label_data; the expected layout is:\n{SPEC.layout}"
        )
    colors = _distinct_colors(len(ids))
    return ClassMap(tuple(SemanticClass(f"class_{i}", c, (i,)) for i, c in zip(ids, colors, strict=True)), (IGNORE_ID,))


def scan(root: Path, direction: Direction) -> Iterator[SampleRecord]:
    """Yield all samples; names that several splits share get the split in front. Nothing is known of neighbours."""
    splits = [
        (split, folder, {part: files_by_stem(folder / f"{part}_data") for part, _, _ in _PARTS})
        for split, folder in _splits(root)
    ]
    names = [(split, folder, parts, sorted(set().union(*parts.values()))) for split, folder, parts in splits]
    uses = Counter(stem.casefold() for *_, stems in names for stem in stems)
    prefixed = any(n > 1 for n in uses.values())
    for split, folder, parts, stems in names:
        for stem in stems:
            sources = {}
            for part, kind, code in _PARTS:
                if (folder / f"{part}_data").is_dir():
                    path = folder / f"{part}_data" / parts[part].get(stem, f"{stem}.png")
                    sources[part] = SourceFile(path.relative_to(root).as_posix(), kind, code)
            yield SampleRecord(make_key(f"{split}-{stem}" if prefixed else stem), split, sources)


def write_miniature(root: Path, frames: int) -> None:
    """Write rendered frames with labels, a quarter of them (at least one) in split val."""
    from segprep.datasets.imageio import write_image
    from segprep.datasets.synthetic import World, render

    for split, seed, count in (("train", 1, frames - max(1, frames // 4)), ("val", 2, max(1, frames // 4))):
        for index in range(count):
            frame = render(World(seed=seed), index, width=96, height=48)
            write_image(root / split / "image_data" / f"{index:03d}.png", frame.rgb_HWC)
            write_image(root / split / "label_data" / f"{index:03d}.png", frame.label_HW)


def _splits(root: Path) -> list[tuple[str, Path]]:
    if (root / "image_data").is_dir():
        return [("train", root)]
    found = [(p.name, p) for p in sorted(root.iterdir()) if (p / "image_data").is_dir()] if root.is_dir() else []
    if not any(files_by_stem(folder / "image_data") for _, folder in found):
        raise DatasetNotFoundError(
            f"{root} has no image_data folder with images; the expected layout is:\n{SPEC.layout}"
        )
    return found


def _distinct_colors(count: int) -> list[tuple[int, int, int]]:
    """Return `count` colours whose hues are spread by the golden ratio."""
    import colorsys

    shades = [colorsys.hsv_to_rgb((0.61803398875 * i) % 1.0, 0.65, 0.9 - 0.3 * (i % 2)) for i in range(count)]
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in shades]
