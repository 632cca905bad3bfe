"""Which cells were turned otherwise than their images, by the orientation in EXIF data: facts that must be said."""

from collections.abc import Iterable

from segprep.datasets.sample import JsonDict

__all__ = ["orientation_note", "turned_otherwise"]


def turned_otherwise(facts: Iterable[JsonDict]) -> int:
    """Count the cells whose source carries another orientation than its image, see `source_facts`."""
    return sum("image_orientation" in each for each in facts)


def orientation_note(column: str, count: int) -> str:
    """Say it of a column."""
    return (
        f"{count} images and their {column} carry different EXIF orientations, so that they were not turned alike: "
        "`prep check` says which reading fits"
    )
