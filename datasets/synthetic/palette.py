"""The classes of the rendered world, and how its materials reflect visible and near-infrared light."""

from enum import IntEnum
from typing import Final

from segprep.datasets.classes import ClassMap, SemanticClass

__all__ = ["CLASSES", "CONTRAST", "NIR_REFLECTANCE", "Albedo", "Material", "RawId"]

Albedo = tuple[float, float, float]
"""Albedo as RGB in 0..1."""


class RawId(IntEnum):
    """Values of the label images. VOID is street furniture and ground too far away to be told apart."""

    VOID = 0
    ROAD = 1
    SIDEWALK = 2
    TERRAIN = 3
    BUILDING = 4
    FENCE = 5
    POLE = 6
    SIGN = 7
    VEGETATION = 8
    SKY = 9
    PERSON = 10
    CAR = 11


CLASSES: Final = ClassMap(
    classes=(
        SemanticClass("road", (128, 64, 128), (RawId.ROAD,)),
        SemanticClass("sidewalk", (244, 35, 232), (RawId.SIDEWALK,)),
        SemanticClass("terrain", (152, 251, 152), (RawId.TERRAIN,)),
        SemanticClass("building", (70, 70, 70), (RawId.BUILDING,)),
        SemanticClass("fence", (190, 153, 153), (RawId.FENCE,)),
        SemanticClass("pole", (153, 153, 153), (RawId.POLE,)),
        SemanticClass("sign", (220, 220, 0), (RawId.SIGN,)),
        SemanticClass("vegetation", (107, 142, 35), (RawId.VEGETATION,)),
        SemanticClass("sky", (70, 130, 180), (RawId.SKY,)),
        SemanticClass("person", (220, 20, 60), (RawId.PERSON,)),
        SemanticClass("car", (0, 0, 142), (RawId.CAR,)),
    ),
    ignored_raw_ids=(RawId.VOID,),
)
"""Raw ids, train ids, names and colours of the rendered world; raw id 0 is ignored."""


class Material(IntEnum):
    """What a surface is made of: decides its pattern, contrast and near-infrared reflectance."""

    SKY = 0
    GROUND = 1
    FACADE = 2
    ROOF = 3
    PAINT = 4
    CABIN = 5
    FOLIAGE = 6
    BARK = 7
    METAL = 8
    SLATS = 9
    SIGN = 10
    CLOTH = 11
    CABINET = 12


# By Material. The sky and the ground set their own near infrared, pixel by pixel.
CONTRAST: Final = (0.16, 0.42, 0.38, 0.55, 0.26, 0.2, 0.85, 0.6, 0.35, 0.45, 0.3, 0.5, 0.4)
"""How strongly the noise modulates a material, by `Material`."""

NIR_REFLECTANCE: Final = (0.0, 0.0, 0.5, 0.42, 0.45, 0.18, 0.82, 0.4, 0.4, 0.5, 0.5, 0.62, 0.35)
"""Near-infrared albedo by `Material`: leaves bright, glass dark."""
