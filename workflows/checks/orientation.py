"""Images and what lies on their pixels, of which EXIF data turn only one: which reading do the edges fit?"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from pathlib import Path

from segprep.datasets.imageio import read_image
from segprep.datasets.imageio.exif import UPRIGHT, as_stored
from segprep.datasets.kinds import Kind
from segprep.prep.inspection.edges import edge_grid, edge_likeness
from segprep.workflows.checks.facts import FileFacts
from segprep.workflows.checks.findings import Category, CheckedSample, Finding, Severity, columns_of

__all__ = ["Fit", "edges_fit", "size_hint", "turned_cameras", "turned_otherwise"]

_MOST_COMPARED = 12
_CLEARLY = 0.1  # see `segprep.prep.inspection.edges`


class Fit(Enum):
    """How image and another file of a sample lie on one another."""

    AS_READ = auto()  # each turned as its EXIF data say
    AS_STORED = auto()  # neither turned
    UNCLEAR = auto()


def edges_fit(root: Path, image: FileFacts, other: FileFacts) -> Fit:
    """Compare the edges of an image and of another file of the same size, as they are read and as they are stored."""
    pictures = [read_image(root / facts.path, palette_colors=facts.kind is Kind.IMAGE) for facts in (image, other)]
    stored = [as_stored(p, facts.orientation) for p, facts in zip(pictures, (image, other), strict=True)]
    ids = other.kind in (Kind.LABEL, Kind.INSTANCE, Kind.MASK)
    as_read, as_is = (
        edge_likeness(edge_grid(first, ids=False), edge_grid(second, ids=ids)) for first, second in (pictures, stored)
    )
    if abs(as_read - as_is) < _CLEARLY:
        return Fit.UNCLEAR
    return Fit.AS_READ if as_read > as_is else Fit.AS_STORED


def turned_otherwise(samples: Sequence[CheckedSample], fit: Callable[[FileFacts, FileFacts], Fit]) -> Iterator[Finding]:
    """Yield a finding for each column whose files carry other orientations than their images, though the sizes agree.

    It is an error if the edges say that neither should be turned, a note if they say that all is well, else a warning.

    Args:
        samples: All.
        fit: Compares an image with another file of its sample; it is asked of a few of each column.
    """
    for name in columns_of(samples):
        groups: dict[tuple[int, int], list[CheckedSample]] = {}
        for sample in samples:
            pair = _orientations(sample, name)
            if pair is not None and pair[0] != pair[1] and sample.size_of(name) == sample.size_of("image"):
                groups.setdefault(pair, []).append(sample)
        for (own, image), members in groups.items():
            chosen = members[:: -(-len(members) // _MOST_COMPARED)]
            fits = Counter(fit(sample.files["image"], sample.files[name]) for sample in chosen)
            yield _finding(name, own, image, members, fits)


def _finding(name: str, own: int, image: int, members: Sequence[CheckedSample], fits: Counter[Fit]) -> Finding:
    looked, clear = fits.total(), fits[Fit.AS_READ] + fits[Fit.AS_STORED]
    text = _who(name, own, image, len(members))
    keys = tuple(s.key for s in members)
    paths = tuple(s.files[name].path for s in members)
    if 3 * fits[Fit.AS_STORED] > 2 * clear:
        text += (
            f". In {fits[Fit.AS_STORED]} of {looked} that were compared the edges fit as if {name} was drawn on the "
            f"stored pixels: {_remedy(name, own, image)}"
        )
        return Finding(Severity.ERROR, Category.ORIENTATION, text, keys, paths, unfit=keys)
    if 3 * fits[Fit.AS_READ] > 2 * clear:
        text += f". In {fits[Fit.AS_READ]} of {looked} that were compared the edges fit as they are read: all is well"
        return Finding(Severity.NOTE, Category.ORIENTATION, text, keys, paths)
    text += (
        f". The edges do not say which reading fits: look at a sample with `prep show {keys[0]}`. If {name} was drawn "
        f"on the stored pixels, {_remedy(name, own, image)}"
    )
    return Finding(Severity.WARNING, Category.ORIENTATION, text, keys, paths)


def size_hint(sample: CheckedSample, name: str) -> str:
    """Return what to add to the message about two sizes that differ, where an orientation makes the difference."""
    pair, size = _orientations(sample, name), sample.size_of(name)
    if pair is None or pair[0] == pair[1] or size is None or size[::-1] != sample.size_of("image"):
        return ""
    own, image = pair
    return (
        f": an EXIF orientation turns only one of the two by 90 degrees ({name} {own}, image {image}). If {name} was "
        f"drawn on the stored pixels, {_remedy(name, own, image)}"
    )


def turned_cameras(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield a note if images that are turned have a calibration, which must be that of the upright picture."""
    members = [s for s in samples if s.camera and "image" in s.files and s.files["image"].orientation != UPRIGHT]
    if members:
        text = (
            f"{len(members)} images carry an EXIF orientation and have a camera: its calibration must be that of the "
            "upright picture, because they are turned"
        )
        paths = tuple(s.files["image"].path for s in members)
        yield Finding(Severity.NOTE, Category.ORIENTATION, text, tuple(s.key for s in members), paths)


def _orientations(sample: CheckedSample, name: str) -> tuple[int, int] | None:
    """Return those of a file and of its image, if both are pictures that could be read."""
    own, image = sample.files.get(name), sample.files.get("image")
    if own is None or image is None or own.picture is None or image.picture is None:
        return None
    return own.orientation, image.orientation


def _who(name: str, own: int, image: int, count: int) -> str:
    if own == UPRIGHT:
        return f"{count} images carry an EXIF orientation ({image}) and their {name} none: only the image is turned"
    if image == UPRIGHT:
        return f"{count} files of {name} carry an EXIF orientation ({own}) and their images none: only {name} is turned"
    return f"{count} images carry the EXIF orientation {image}, their {name} {own}: they are turned differently"


def _remedy(name: str, own: int, image: int) -> str:
    where = "the images" if own == UPRIGHT else name if image == UPRIGHT else f"both images and {name}"
    instead = f", or turn {name} likewise" if own == UPRIGHT else ""
    return f"take the orientation out of {where} (`exiftool -overwrite_original -Orientation= FILES`){instead}"
