"""Any folder in SMSnet's naming: `image_data/`, `label_data/` and, if there, instances, depth and flow.

Files that belong together have equal names. A folder of a workspace is one, too: where a `scale.json` stands beside the
files, as there, it tells their code.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segprep.datasets.catalog._common.files import PICTURES, files_by_stem, what_lies_in
from segprep.datasets.catalog._common.found_classes import found_class_map
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.class_files import CLASS_FILE, read_class_map
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import IdCode, PlainCode, RawLabelCode, SmsnetFlowCode, SourceCode, source_code_from_json
from segprep.datasets.codes.depth_units import DEPTH_SUFFIXES, depth_unit
from segprep.datasets.documents import read_json
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import Notice
from segprep.datasets.record import Direction, SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, make_key

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="a folder of one's own, in SMSnet's naming",
    layout="""\
ROOT/<split>/image_data/<name>.png|jpg   (or ROOT/image_data: one split, "train")
ROOT/<split>/label_data/<name>.png       ids in one channel, or colours
ROOT/<split>/depth_data/<name>.png       optional: 16 bits in mm, or as --depth-unit says; .npy, .npz, .pfm, .h5, .mat
ROOT/<split>/flow_data/<name>.png        optional: SMSnet's flow image, B=u, G=v, R=magnitude
ROOT/<split>/instance_data/<name>.png    optional: numbers of objects in 16 bits, 0 for none
ROOT/classes.toml                        optional: the classes, as --classes FILE reads them""",
    columns=("image", "label", "instance", "depth", "flow"),
    licence="the user's own",
    citation="",
    max_gap=0.0,
    finds_classes=True,
)

_PARTS = (
    ("image", Kind.IMAGE, PlainCode()),
    ("label", Kind.LABEL, RawLabelCode()),
    ("instance", Kind.INSTANCE, IdCode(bits=16)),
    ("depth", *depth_unit("mm")),
    ("flow", Kind.CODED, SmsnetFlowCode()),
)
_SCALE_NOTES = ("value", "channels", "scale", "offset")  # what stands in a scale.json beside the code


def class_map(source: DatasetSource) -> ClassMap:
    """Return the classes of `classes.toml`, else one per id, or per colour, that the labels hold.

    See `found_class_map` for what is none. Every label is read once. The result stands in `prep.toml`, where names and
    colours can be put right and an id that means "not labelled" (SMSnet: 0) can be moved to `ignored_raw_ids`.

    Raises:
        DatasetNotFoundError: If no label can be read.
        ConfigurationError: If the labels' values are no classes.
    """
    folders = [folder / "label_data" for _, folder in _splits(source.root)]
    labels = [folder / name for folder in folders for name in files_by_stem(folder).values()]
    if source.classes is None and (source.root / CLASS_FILE).is_file():
        source = replace(source, classes=read_class_map(source.root / CLASS_FILE))
    found = found_class_map(labels, source)
    if found is None:
        raise DatasetNotFoundError(f"{source.root} has no labels in label_data; the expected layout is:\n{SPEC.layout}")
    return found


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield all samples; names that several splits share get the split in front. Nothing is known of neighbours."""
    root = source.root
    splits = [
        (split, folder, {part: _files(folder, part, source.notices) for part, _, _ in _PARTS})
        for split, folder in _splits(root)
    ]
    names = [(split, folder, parts, sorted(set().union(*parts.values()))) for split, folder, parts in splits]
    uses = Counter(stem.casefold() for *_, stems in names for stem in stems)
    prefixed = any(n > 1 for n in uses.values())
    for split, folder, parts, stems in names:
        codes = {part: _code(folder / f"{part}_data", code) for part, _, code in _PARTS}
        for stem in stems:
            sources = {}
            for part, kind, _ in _PARTS:
                if (folder / f"{part}_data").is_dir():
                    path = folder / f"{part}_data" / parts[part].get(stem, f"{stem}.png")
                    sources[part] = SourceFile(path.relative_to(root).as_posix(), kind, codes[part])
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


def _files(folder: Path, part: str, notices: list[Notice]) -> dict[str, str]:
    return files_by_stem(folder / f"{part}_data", DEPTH_SUFFIXES if part == "depth" else PICTURES, notices)


def _code(folder: Path, usual: SourceCode) -> JsonDict:
    """Return the code that the files of a folder have."""
    path = folder / "scale.json"
    if not path.exists():
        return usual.to_json()
    try:
        data = read_json(path)
        code = source_code_from_json({name: value for name, value in data.items() if name not in _SCALE_NOTES})
        return code.to_json()
    except (OSError, ValueError, AttributeError) as error:
        raise UnreadableFileError(
            f"{path} does not tell a code ({error}): get it again, or take it away, and give the unit of depth with "
            "--depth-unit"
        ) from error


def _splits(root: Path) -> list[tuple[str, Path]]:
    folders = sorted(root.iterdir()) if root.is_dir() else []
    found = [("train", root)] if root / "image_data" in folders else [(p.name, p) for p in folders]
    found = [(split, folder) for split, folder in found if (folder / "image_data").is_dir()]
    if not any(files_by_stem(folder / "image_data") for _, folder in found):
        reason = what_lies_in((found[0][1] if found else root) / "image_data")
        raise DatasetNotFoundError(
            f"{root} has no image_data folder with images: {reason}. The expected layout is:\n{SPEC.layout}"
        )
    return found
