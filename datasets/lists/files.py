"""Lists of samples, read and written.

The suffix says the format; all are UTF-8, with or without a byte order mark, with any line ends. Blank lines and lines
that start with `#` are skipped. Paths are relative to a dataset's root; a row says what belongs together.

- `.csv`: PARIS's `image, label`; or a first line that names the columns, `key` and `split` among them if wanted.
- `.txt`: SSMA's `image [modality2 ...] label`, separated by blanks; a single entry is an image without a label.
- `.jsonl`: an object per line, `{"image": "a.png", "label": "a_ids.png"}`. A path may be an object with path, kind and
  code, and `key`, `split`, `sequence`, `frame`, `time`, `camera`, `pose`, `neighbour` may stand beside, as
  `SampleRecord.to_json` gives them: what is written gives equal records back. The object of a label may have `ids`,
  which says what they are.
- `.parquet`: the same as columns, paths as strings; camera, pose, neighbour, and the kinds and codes of the files (in
  column `codes`, by name) as JSON text. Needs pyarrow.

Names of which nothing else is known mean: image, previous, next: 8-bit RGB; label: ids or colours; instance: 16-bit
ids; depth: millimetres, 0 invalid; disparity: KITTI's 16 bits; nir, thermal: 8-bit grey (`prep init list` looks whether
they have 16); flow: SMSnet's motion image; optical_flow: KITTI's 16 bits; hha: three 8-bit channels; any other name: a
picture for the eye, which is passed through and never resized. A split is the entry's own, else the name of its list:
`val_small.csv`.

The key is the entry's own, else the image's name without folder and suffix, else, where several images share that, its
path. The formats are those of https://github.com/VisualComputingInstitute/PARIS-sem-seg and of
https://github.com/DeepSceneSeg/SSMA.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.documents import utf8_text
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.imageio import FOREIGN_SUFFIXES, SUFFIXES
from segprep.datasets.lists.entries import ListEntry, Problems, checked_columns
from segprep.datasets.lists.keys import check_split, entry_keys, refuse_repeated
from segprep.datasets.lists.objects import format_jsonl, format_parquet, parse_jsonl, parse_parquet
from segprep.datasets.lists.paths import ListRoot
from segprep.datasets.lists.text import format_csv, format_txt, parse_csv, parse_txt
from segprep.datasets.record import SampleRecord
from segprep.datasets.source_files import read_file

__all__ = [
    "LIST_SUFFIXES",
    "TEXT_SUFFIXES",
    "encode_list",
    "find_lists",
    "list_suffix",
    "only_columns",
    "passed_over",
    "read_lists",
    "write_list",
]

TEXT_SUFFIXES = (".csv", ".txt")
"""Lists of paths alone; without a header they hold one split each."""

LIST_SUFFIXES = (*TEXT_SUFFIXES, ".jsonl", ".parquet")
"""All formats."""

_PICTURES = (*SUFFIXES, *FOREIGN_SUFFIXES)


def list_suffix(path: Path) -> str:
    """Return the format of a list.

    Raises:
        ConfigurationError: If there is none of this suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in LIST_SUFFIXES:
        raise ConfigurationError(f"{path} is no list: lists end in {', '.join(LIST_SUFFIXES)}")
    return suffix


def read_lists(lists: Sequence[Path], root: Path, columns: Sequence[str] | None = None) -> list[SampleRecord]:
    """Read lists, one after the other.

    Args:
        lists: Their files.
        root: The folder that their paths are relative to; records hold paths relative to it.
        columns: What the entries of a row are in .txt, and in .csv without a header; None for the formats' own meaning.

    Returns:
        One record per entry. Files need not exist.

    Raises:
        UnreadableFileError: If anything is wrong with any list; names every such line: lists that are missing or empty,
            rows that do not fit, paths outside the root, images that are listed twice, keys that are not unique.
        ConfigurationError: If a suffix is unknown, or pyarrow is needed and not installed.
    """
    problems = Problems()
    place = ListRoot(root)
    entries: list[ListEntry] = []
    for path in lists:
        found = _parse(path, columns, problems)
        if found is not None and not found:
            problems.add(str(path), "it has no entries")
        for entry in found or ():
            if entry.split is not None:
                check_split(entry.place, entry.split, problems)
            placed = place.placed(entry, problems)
            if placed is not None:
                entries.append(replace(entry, record=placed, split=entry.split or path.stem))
        if any(entry.split is None for entry in found or ()):
            check_split(str(path), path.stem, problems)
    keys = entry_keys(entries, problems)
    refuse_repeated(entries, keys, problems)
    problems.refuse()
    return [replace(e.record, key=key, split=e.split or "") for e, key in zip(entries, keys, strict=True)]


def find_lists(root: Path) -> tuple[Path, ...]:
    """Return the lists that lie directly in a folder: files with a list's suffix whose first entry names a picture.

    Files that cannot be read at all count, so that they are complained about; `passed_over` says why others do not.

    Raises:
        ConfigurationError: If pyarrow is needed and not installed.
    """
    return tuple(path for path in _named_as_lists(root) if _no_list(path) is None)


def passed_over(root: Path) -> tuple[str, ...]:
    """Return why files with a list's suffix, directly in a folder, are no lists of pictures."""
    reasons = ((path, _no_list(path)) for path in _named_as_lists(root))
    return tuple(f"{path}: {reason}" for path, reason in reasons if reason is not None)


def only_columns(record: SampleRecord, columns: Sequence[str] | None) -> SampleRecord:
    """Return a record with these columns only; None for all.

    Camera and pose are the column `camera`; the neighbour goes with its image.
    """
    if columns is None:
        return record
    has_camera, near = "camera" in columns, record.neighbour
    return replace(
        record,
        sources={name: record.sources[name] for name in columns if name in record.sources},
        camera=record.camera if has_camera else None,
        pose=record.pose if has_camera else None,
        neighbour=near if near is not None and near.direction.value in columns else None,
    )


def encode_list(
    path: Path,
    records: Sequence[SampleRecord],
    columns: Sequence[str] | None = None,
    ids: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Return the content of a list.

    Args:
        path: Its suffix decides the format.
        records: The entries. In a .csv a column that a record lacks is empty.
        columns: What to write; None for image and label in .csv and .txt, for everything in the others. In a .csv `key`
            and `split` are columns, too. All but exactly image and label give a .csv a header.
        ids: What the ids of label columns are, which .jsonl and .parquet state beside the code. Readers pass over it.

    Raises:
        ConfigurationError: If there is nothing to write, or the format cannot hold it; lists all names that it cannot.
    """
    suffix = list_suffix(path)
    if not records:
        raise ConfigurationError(f"{path}: there is no sample to list")
    try:
        if columns is not None:
            checked_columns(tuple(name for name in columns if name != "camera" or suffix in TEXT_SUFFIXES))
        match suffix:
            case ".csv":
                return format_csv(records, columns or ("image", "label")).encode()
            case ".txt":
                return format_txt(records, columns or ("image", "label")).encode()
            case ".jsonl":
                return format_jsonl([only_columns(r, columns) for r in records], ids).encode()
            case _:
                return format_parquet([only_columns(r, columns) for r in records], ids)
    except ConfigurationError:
        raise
    except ValueError as error:  # also names that are not Unicode
        raise ConfigurationError(f"{path} cannot be written: {error}") from error


def write_list(path: Path, records: Sequence[SampleRecord], columns: Sequence[str] | None = None) -> None:
    """Write a list, completely or not at all. See `encode_list`.

    Raises:
        ConfigurationError: If there is nothing to write, or the format cannot hold it.
        WriteFailedError: If the file cannot be written.
    """
    atomic_write_bytes(path, encode_list(path, records, columns))


def _parse(path: Path, columns: Sequence[str] | None, problems: Problems) -> list[ListEntry] | None:
    """Return a list's entries, None if it cannot be read as a whole; what is wrong is noted."""
    suffix = list_suffix(path)
    before = len(problems.lines)
    try:
        data = read_file(path)
        text = "" if suffix == ".parquet" else utf8_text(data)
    except OSError as error:
        problems.add(str(path), f"it cannot be read ({error.strerror})")
        return None
    except ValueError as error:
        problems.add(str(path), error)
        return None
    match suffix:
        case ".csv":
            entries = parse_csv(path, text, columns, problems)
        case ".txt":
            entries = parse_txt(path, text, columns, problems)
        case ".jsonl":
            entries = parse_jsonl(path, text, problems)
        case _:
            entries = parse_parquet(path, data, problems)
    return entries if entries or len(problems.lines) == before else None


def _named_as_lists(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    named = (path for path in sorted(root.iterdir()) if path.suffix.lower() in LIST_SUFFIXES)
    return [path for path in named if not path.name.startswith(".") and not path.is_dir()]


def _no_list(path: Path) -> str | None:
    """Return why a file is no list of pictures; None if it is one, or cannot be read."""
    problems = Problems()
    entries = _parse(path, None, problems)
    if entries:
        suffix = PurePosixPath(entries[0].image.replace("\\", "/")).suffix.lower()
        return None if suffix in _PICTURES else f"its first entry, {entries[0].image[:80]!r}, names no picture"
    if any(line.startswith(f"{path}: ") for line in problems.lines):
        return None
    return problems.lines[0].removeprefix(str(path)).strip() if problems.lines else "it has no entries"
