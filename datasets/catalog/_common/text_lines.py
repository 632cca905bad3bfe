"""Numbers in text files that cameras and people wrote; what is wrong with one is said with file and line."""

import math
import re
from pathlib import Path
from typing import Final, NamedTuple

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.source_files import MAX_TEXT_BYTES, read_file, unreadable

__all__ = ["TextLine", "read_lines"]

_NO_NUMBER: Final = re.compile(r"[+-]?\d+\.#\w+")  # how older Windows programs write NaN and infinity: -1.#IND, 1.#INF

_DECIMAL_COMMA: Final = re.compile(r"[^,]+(?:,\d[^,]*)?")


class TextLine(NamedTuple):
    """A line that is neither blank nor a comment.

    Attributes:
        path: The file.
        number: Counted from 1.
        text: Without blanks at both ends.
    """

    path: Path
    number: int
    text: str

    def numbers(self, *counts: int) -> list[float]:
        """Return the numbers of the line, separated by blanks, commas or semicolons; NaN and infinity are numbers.

        A comma inside each of as many words as are expected is that of a decimal number.

        Args:
            *counts: How many there may be; none for any.

        Raises:
            UnreadableFileError: If there are others, or anything that is no number.
        """
        text = self.text.replace(";", " ")
        words = text.split()
        if len(words) in counts and all(map(_DECIMAL_COMMA.fullmatch, words)):
            text = text.replace(",", ".")
        words = text.replace(",", " ").split()
        values = [self._number(word) for word in words]
        if counts and len(values) not in counts:
            raise self.unreadable(f"{' or '.join(map(str, counts))} numbers are expected, not {len(values)}")
        return values

    def finite_numbers(self, *counts: int) -> list[float]:
        """Return the numbers of the line as `numbers` does.

        Raises:
            UnreadableFileError: Also if one is NaN or infinite.
        """
        values = self.numbers(*counts)
        if not all(map(math.isfinite, values)):
            raise self.unreadable("NaN or infinity stands where a number is needed")
        return values

    def without_comment(self) -> "TextLine":
        """Return the line up to a "#" behind a blank."""
        return self._replace(text=re.split(r"\s#", self.text, maxsplit=1)[0].rstrip())

    def unreadable(self, what: str) -> UnreadableFileError:
        """Return an error that names file and line."""
        return UnreadableFileError(f"{self.path}, line {self.number}: {what}")

    def _number(self, word: str) -> float:
        try:
            return float(word)
        except ValueError:
            if _NO_NUMBER.fullmatch(word):
                return math.nan
            raise self.unreadable(f"{word[:40]!r} is no number") from None


def read_lines(path: Path) -> list[TextLine] | None:
    """Read a text file; None if there is none.

    Returns:
        Its lines without blank ones and without those that start with "#".

    Raises:
        UnreadableFileError: If it is no text or cannot be read.
        MachineError: If the machine is to blame that it cannot be read.
    """
    try:
        text = read_file(path, MAX_TEXT_BYTES).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            f"{path} is no text file (byte {error.start} is none of UTF-8): get it again"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    stripped = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [TextLine(path, number, line) for number, line in stripped if line and not line.startswith("#")]
