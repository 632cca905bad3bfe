"""What an importer is given: annotation files, pictures by what annotations call them, and a place for complaints."""

import posixpath
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self

from segprep.datasets.documents import parse_json, utf8_text
from segprep.datasets.errors import DatasetNotFoundError, MissingInputError, SegprepError, UnreadableFileError
from segprep.datasets.imageio import decode_image
from segprep.datasets.importers._common.trees import FileTree, FolderTree, open_tree
from segprep.datasets.sample import Array

__all__ = ["CONVERTED", "PICTURE_SUFFIXES", "FoundFile", "ImportSource", "Problem", "stem_of"]

CONVERTED: Final = (".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Suffixes of pictures that are written as PNG, because nothing else here reads them."""

PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".ppm", ".pgm", *CONVERTED)


@dataclass(frozen=True, slots=True)
class Problem:
    """What cannot be read.

    Attributes:
        file: Which file it is about.
        reason: What is wrong, and what to do where that is known.
    """

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a source.

    Attributes:
        tree: The folder or zip that holds it.
        name: Its path in there.
    """

    tree: FileTree
    name: str

    @property
    def place(self) -> Path:
        """Where it is, for messages."""
        return self.tree.place(self.name)

    def read(self) -> bytes:
        """Return its bytes; raises as `FileTree.read`."""
        return self.tree.read(self.name)


class ImportSource:
    """A source of annotations. Use as a context manager: a zip stays open as long.

    Args:
        path: A folder, a .zip, or a single file of annotations.
        pictures: A folder or .zip with the pictures, where they do not lie with the annotations.

    Attributes:
        path: As given.
        problems: What could not be read so far.
        left_out: Names of pictures that nobody annotated.
        notes: What was decided where the source leaves a choice.

    Raises:
        DatasetNotFoundError: If one of both does not exist.
        UnreadableFileError: If it is a zip that cannot be read.
    """

    def __init__(self, path: Path, pictures: Path | None = None) -> None:
        for given in (path, *([] if pictures is None else [pictures])):
            if not given.exists():
                raise DatasetNotFoundError(f"{given} does not exist: name a folder, a .zip or a file of annotations")
        self.path = path
        single = path.is_file() and path.suffix.lower() != ".zip"
        self.tree: FileTree = FolderTree(path.parent) if single else open_tree(path)
        self._only = path.name if single else None
        self._masks: frozenset[str] = frozenset()
        self._picture_trees = [*([] if pictures is None else [open_tree(pictures)]), self.tree]
        self.problems: list[Problem] = []
        self.left_out: list[str] = []
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for tree in (self.tree, *self._picture_trees):
            tree.close()

    def problem(self, name: str, error: object) -> None:
        """Tell that something of a file cannot be read; the rest goes on."""
        self.problems.append(Problem(name, str(error)))

    def not_annotated(self, name: str) -> None:
        """Tell that nobody annotated a picture, so that it is left out."""
        self.left_out.append(name)

    def note(self, text: str) -> None:
        """Tell what was decided where the source leaves a choice; once."""
        if text not in self.notes:
            self.notes.append(text)

    def are_masks(self, names: Iterable[str]) -> None:
        """Tell which pictures of the tree are annotations, before the first picture is looked for."""
        self._masks = frozenset(names)

    def pictures(self) -> tuple[FoundFile, ...]:
        """Return all pictures: of --pictures where that was given, else of the source."""
        tree = self._picture_trees[0]
        names = (n for n in tree.names() if n.lower().endswith(PICTURE_SUFFIXES))
        return tuple(FoundFile(tree, n) for n in names if tree is not self.tree or n not in self._masks)

    def annotation_files(self, *suffixes: str) -> tuple[str, ...]:
        """Return the names of files with one of the suffixes, which are in small letters; the single one if given."""
        names = self.tree.names() if self._only is None else (self._only,)
        return tuple(name for name in names if name.lower().endswith(suffixes))

    def files_in(self, folder: str, *suffixes: str) -> tuple[str, ...]:
        """Return the names of files of the tree right in a folder, "" for the top."""
        return tuple(
            name
            for name in self.tree.names()
            if posixpath.dirname(name) == folder and name.lower().endswith(suffixes or ("",))
        )

    def json(self, name: str) -> Any:  # noqa: ANN401  (whatever the file holds)
        """Return what a file of JSON says.

        Raises:
            UnreadableFileError: If it is none.
        """
        data = self.tree.read(name)
        try:
            return parse_json(data)
        except ValueError as error:
            raise UnreadableFileError(f"{self.tree.place(name)} is no readable JSON: {error}") from error

    def text(self, name: str) -> str:
        """Return a text file in UTF-8, line ends as one character.

        Raises:
            UnreadableFileError: If it is none.
        """
        data = self.tree.read(name)
        try:
            return utf8_text(data).replace("\r\n", "\n").replace("\r", "\n")
        except ValueError as error:
            raise UnreadableFileError(f"{self.tree.place(name)} is no text: {error}") from error

    def image(self, name: str, *, palette_colors: bool = False) -> Array:
        """Return the numbers of a mask: where it has a palette the indices, or the colours.

        Raises:
            MissingInputError, UnreadableFileError, MachineError: As `read_image`.
        """
        return decode_image(self.tree.read(name), self.tree.place(name), palette_colors=palette_colors)

    def picture(self, reference: str, beside: str = "") -> FoundFile:
        """Find the picture that an annotation names.

        A path that leads to a file of the source is followed; else the file counts whose path ends most like it, so
        that exports still fit when their pictures were moved.

        Args:
            reference: A path, a name, or a name without its suffix.
            beside: Name of the annotation file; paths may be relative to it.

        Raises:
            MissingInputError: If there is none, or several fit equally well.
        """
        wanted = posixpath.normpath(reference.replace("\\", "/"))
        for start in dict.fromkeys((posixpath.dirname(beside), "")):
            name = posixpath.normpath(posixpath.join(start, wanted))
            if name.lower().endswith(PICTURE_SUFFIXES) and self.tree.has(name) and len(self._picture_trees) == 1:
                return FoundFile(self.tree, name)
        for known in self._pictures:
            found = known.get(posixpath.basename(wanted), [])
            likeness = [_common_end(wanted, file.name) for file in found]
            best = [file for file, count in zip(found, likeness, strict=True) if count == max(likeness)]
            if len(best) > 1:
                raise MissingInputError(
                    f"the picture {reference!r} may be {best[0].name} or {best[1].name}: name the folder of the "
                    "pictures with --pictures DIR"
                )
            if best:
                return best[0]
        raise MissingInputError(
            f"there is no picture {reference!r}: name the folder of the pictures with --pictures DIR"
        )

    def find_picture(self, name: str, beside: str = "") -> FoundFile | None:
        """Return the picture that `picture` finds; None after it told what is wrong."""
        try:
            return self.picture(name, beside)
        except SegprepError as error:
            self.problem(beside or name, error)
            return None

    @cached_property
    def _pictures(self) -> list[dict[str, list[FoundFile]]]:
        """For each tree: files by their names, with and without suffix."""
        indices = []
        for tree in self._picture_trees:
            index: defaultdict[str, list[FoundFile]] = defaultdict(list)
            for name in tree.names():
                if name.lower().endswith(PICTURE_SUFFIXES) and not (tree is self.tree and name in self._masks):
                    base = posixpath.basename(name)
                    index[base].append(FoundFile(tree, name))
                    index[posixpath.splitext(base)[0]].append(FoundFile(tree, name))
            indices.append(dict(index))
        return indices


def stem_of(name: str) -> str:
    """Return the last part of a name without its suffix."""
    return PurePosixPath(name).stem


def _common_end(wanted: str, name: str) -> int:
    """Return how many folders above two files of one name are equal."""
    count = 0
    pairs = zip(reversed(PurePosixPath(wanted).parts[:-1]), reversed(PurePosixPath(name).parts[:-1]), strict=False)
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count
