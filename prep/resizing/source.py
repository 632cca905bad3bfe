"""What all steps of `prep resize` ask of a source: that it lies on its image's grid, and which way up it was stored."""

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.imageio.exif import UPRIGHT
from segprep.datasets.sample import JsonDict, Sample

__all__ = ["checked_size", "source_facts"]


def checked_size(sample: Sample, name: str) -> tuple[int, int]:
    """Return (width, height) of a source, which must be that of the sample's image.

    Raises:
        SizeMismatchError: If it is not.
    """
    height, width = sample.arrays[name].shape[:2]
    image = tuple(sample.meta.get("image_size", (width, height)))
    if (width, height) != image:
        own, of_image = _orientation(sample, name), _orientation(sample, "image")
        hint = ""
        if own != of_image and (height, width) == image:
            hint = f". Their EXIF orientations differ ({name} {own}, image {of_image}): `prep check` says more"
        raise SizeMismatchError(
            f"{name} is {width}x{height}, but its image is {image[0]}x{image[1]}: they must be the same size{hint}"
        )
    return width, height


def source_facts(sample: Sample, name: str) -> JsonDict:
    """Return what the ledger keeps of a source.

    Returns:
        `source_size`; `orientation`, that of its EXIF data, where it is not 1; and, where the image has another one, so
        that the two were not turned alike, both of them as `orientation` and `image_orientation`.
    """
    height, width = sample.arrays[name].shape[:2]
    own, image = _orientation(sample, name), _orientation(sample, "image")
    facts: JsonDict = {"source_size": [width, height]}
    if own != image:
        facts |= {"orientation": own, "image_orientation": image}
    elif own != UPRIGHT:
        facts |= {"orientation": own}
    return facts


def _orientation(sample: Sample, name: str) -> int:
    orientation: int = sample.meta.get(f"{name}_orientation", UPRIGHT)
    return orientation
