"""What the label files of a dataset hold, all of them, before anything is decided about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.value_counts import Tally, ValueCounts, count_runs, count_smooth
from segprep.datasets.codes import RawLabelCode
from segprep.datasets.errors import CodeRangeError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import decode_image
from segprep.datasets.imageio.pixel_format import pixel_format
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.packed_colors import pack_colors
from segprep.datasets.sample import Array
from segprep.datasets.source_files import read_input

__all__ = ["Form", "LabelSurvey", "survey_labels"]

_MOST_VALUES: Final = 1 << 16
"""So many different values are no classes, and enough to see what else they are."""


class Form(StrEnum):
    """How a label file keeps its numbers."""

    GREY = "grey"  # in one channel of 8 or 16 bits
    DEEP = "deep"  # in three equal channels of 16 bits
    NARROW = "narrow"  # in one channel of 1, 2 or 4 bits, spread over 0..255
    PALETTE = "palette"
    COLOR = "color"  # in three channels of 8 bits


@dataclass(slots=True)
class LabelSurvey:
    """What was found in the files that can be read.

    Attributes:
        paths: All files.
        tallies: What the files of each form hold. Values are numbers; of `COLOR` packed colours; of `PALETTE`
            index << 24 | the packed colour of this index.
        names: The first file of each form.
        files: How many there are.
        unreadable: Files that cannot be read, with the reason; those that do not exist are not among them.
        missing: Files that do not exist.
        lossy: Files that are JPEG.
        clear: Files that show a colour of their palette that is not opaque.
        palette_size: Least number of colours of a palette.
        wide: Whether any file has 16 bits.
    """

    paths: Sequence[Path]
    tallies: dict[Form, Tally] = field(default_factory=lambda: {form: Tally() for form in Form})
    names: dict[Form, Path] = field(default_factory=dict)
    files: dict[Form, int] = field(default_factory=lambda: dict.fromkeys(Form, 0))
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)
    lossy: list[Path] = field(default_factory=list)
    clear: list[Path] = field(default_factory=list)
    palette_size: int = 256
    wide: bool = False

    @property
    def read(self) -> int:
        """How many files were read."""
        return sum(self.files.values())

    def counts(self, form: Form) -> ValueCounts:
        """What the files of a form hold."""
        return self.tallies[form].total()

    def has(self, *forms: Form) -> bool:
        """Whether any file has one of these forms."""
        return any(self.files[form] for form in forms)


def survey_labels(paths: Sequence[Path], *, lossy: bool, all_values: bool) -> LabelSurvey:
    """Read label files once and count what they hold.

    Args:
        paths: The files.
        lossy: Whether JPEG is welcome; if not, the survey ends with the first such file, since it is refused.
        all_values: Whether all are wanted however many there are; if not, the survey ends when these are no classes.

    Raises:
        MachineError: If the machine is to blame that a file cannot be read; nothing is known then.
    """
    found = LabelSurvey(paths)
    for number, path in enumerate(paths):
        try:
            _add(found, number, path, smooth=lossy)
        except MissingInputError:
            found.missing.append(path)
        except UnreadableFileError as error:
            found.unreadable.append((path, str(error)))
        if found.lossy and not lossy:
            break
        if not all_values and any(len(tally) > _MOST_VALUES for tally in found.tallies.values()):
            break
    return found


def _add(found: LabelSurvey, number: int, path: Path, *, smooth: bool) -> None:
    data = read_input(path)
    form, packed_HW = _packed(decode_image(data, path), path)
    facts = pixel_format(data)
    channels = 3 if form is Form.COLOR else 1
    values, pixels, calm = count_smooth(packed_HW, channels) if smooth else count_runs(packed_HW)
    if form is Form.GREY and facts.grey_bits in (1, 2, 4):
        form = Form.NARROW
    elif form is Form.GREY and facts.palette_N3 is not None and values[-1] < len(facts.palette_N3):
        form = Form.PALETTE
        if np.isin(values, facts.clear).any():
            found.clear.append(path)
        values = values << 24 | pack_colors(facts.palette_N3[values]).astype(np.int64)
        found.palette_size = min(found.palette_size, len(facts.palette_N3))
    if facts.lossy:
        found.lossy.append(path)
    found.wide |= packed_HW.dtype == np.uint16
    found.names.setdefault(form, path)
    found.files[form] += 1
    found.tallies[form].add(values, pixels, calm, number)


def _packed(picture: Array, path: Path) -> tuple[Form, Array]:
    """Return the form of a picture and one number per pixel.

    Raises:
        UnreadableFileError: If it holds neither ids nor colours.
    """
    deep = picture.ndim == 3 and picture.dtype == np.uint16
    try:
        raw, _ = RawLabelCode(LabelReading.IDS if deep else LabelReading.STORED).from_file(picture)
    except CodeRangeError as error:
        raise UnreadableFileError(f"{path}: {error}") from error
    if raw.ndim == 2:
        return Form.DEEP if deep else Form.GREY, raw
    return Form.COLOR, pack_colors(raw)
