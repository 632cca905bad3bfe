"""The ids, names and colours of Cityscapes, and its two schemes of classes."""

from collections.abc import Mapping
from typing import Final

from segprep.datasets.classes import ClassMap, Color, SemanticClass
from segprep.datasets.errors import UnknownNameError

__all__ = ["CATEGORIES", "CLASS_SHARES", "INSTANCE_PIXELS", "SCHEMES", "SMALLEST_INSTANCE", "scheme_classes"]

# Raw id: name and colour in the colour-coded files.
_LABELS: Final[Mapping[int, tuple[str, Color]]] = {
    0: ("unlabeled", (0, 0, 0)),
    1: ("ego vehicle", (0, 0, 0)),
    2: ("rectification border", (0, 0, 0)),
    3: ("out of roi", (0, 0, 0)),
    4: ("static", (0, 0, 0)),
    5: ("dynamic", (111, 74, 0)),
    6: ("ground", (81, 0, 81)),
    7: ("road", (128, 64, 128)),
    8: ("sidewalk", (244, 35, 232)),
    9: ("parking", (250, 170, 160)),
    10: ("rail track", (230, 150, 140)),
    11: ("building", (70, 70, 70)),
    12: ("wall", (102, 102, 156)),
    13: ("fence", (190, 153, 153)),
    14: ("guard rail", (180, 165, 180)),
    15: ("bridge", (150, 100, 100)),
    16: ("tunnel", (150, 120, 90)),
    17: ("pole", (153, 153, 153)),
    18: ("polegroup", (153, 153, 153)),
    19: ("traffic light", (250, 170, 30)),
    20: ("traffic sign", (220, 220, 0)),
    21: ("vegetation", (107, 142, 35)),
    22: ("terrain", (152, 251, 152)),
    23: ("sky", (70, 130, 180)),
    24: ("person", (220, 20, 60)),
    25: ("rider", (255, 0, 0)),
    26: ("car", (0, 0, 142)),
    27: ("truck", (0, 0, 70)),
    28: ("bus", (0, 60, 100)),
    29: ("caravan", (0, 0, 90)),
    30: ("trailer", (0, 0, 110)),
    31: ("train", (0, 80, 100)),
    32: ("motorcycle", (0, 0, 230)),
    33: ("bicycle", (119, 11, 32)),
}
_MASKED: Final = (1, 2, 3)  # the own vehicle, the rectification border and what lies outside the region of interest

SMALLEST_INSTANCE: Final = 1000
"""Smaller ids of instance files are the class ids of pixels that belong to no single instance."""

# Categories and mean sizes are those of cityscapesScripts 2.3.0, helpers/labels.py and
# evaluation/evalPixelLevelSemanticLabeling.py. Scheme "11" has a class of riders and what they ride, and so none.
CATEGORIES: Final[Mapping[str, str]] = {
    name: category
    for category, names in {
        "flat": ("road", "sidewalk"),
        "construction": ("building", "wall", "fence"),
        "object": ("pole", "traffic light", "traffic sign"),
        "nature": ("vegetation", "terrain"),
        "sky": ("sky",),
        "human": ("person", "rider"),
        "vehicle": ("car", "truck", "bus", "train", "motorcycle", "bicycle"),
    }.items()
    for name in names
}
"""Class name of scheme "19" to its category."""

INSTANCE_PIXELS: Final[Mapping[str, float]] = {
    "person": 3462.4756337644,
    "rider": 3930.4788056518,
    "car": 12794.0202738185,
    "truck": 27855.1264367816,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "motorcycle": 6298.7200839748,
    "bicycle": 4672.3249222261,
}
"""Class name to the mean size of its instances in pixels of 2048x1024."""

# The 19 classes of the benchmark in the order of its train ids.
_NINETEEN: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

# SSMA's and AdapNet++'s 11 classes in their order; their id 0 is void, so that a train id is theirs less one. Wall,
# terrain, traffic light and train are void there.
_ELEVEN: Final[Mapping[str, tuple[int, ...]]] = {
    "sky": (23,),
    "building": (11,),
    "road": (7,),
    "sidewalk": (8,),
    "fence": (13,),
    "vegetation": (21,),
    "pole": (17,),
    "vehicle": (26, 27, 28),
    "traffic sign": (20,),
    "person": (24,),
    "two-wheeler": (33, 25, 32),
}

_SCHEMES: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "19": {_LABELS[i][0]: (i,) for i in _NINETEEN},
    "11": _ELEVEN,
}

SCHEMES: Final = tuple(_SCHEMES)
"""Names of the class schemes, the default first."""

# Pixels of the 2975 gtFine training labels by raw id, as counted in https://github.com/openseg-group/OCNet.pytorch/issues/66
# (their sum is 88.5 % of all pixels). The percentages of all pixels, void included, in cityscapes.md of
# https://github.com/m-birke/automotive-segmentation-datasets, divided by 0.885, differ by 0.3 % of the whole at most.
_PIXELS: Final = dict(
    zip(
        _NINETEEN,
        (
            2036416525,
            336090793,
            1260636120,
            36199498,
            48454166,
            67789506,
            11477088,
            30448193,
            879783988,
            63949536,
            221979646,
            67326424,
            7463162,
            386328286,
            14772328,
            12990290,
            12863955,
            5449152,
            22861233,
        ),
        strict=True,
    )
)

CLASS_SHARES: Final = {
    name: round(sum(_PIXELS[i] for i in raw_ids) / sum(_PIXELS.values()), 4)
    for scheme in _SCHEMES.values()
    for name, raw_ids in scheme.items()
}
"""Class names of both schemes to their share of the pixels that have one of the 19 classes, in gtFine's training split.

Those of the 11 classes sum to 0.98: the other four have the rest.
"""


def scheme_classes(scheme: str | None) -> ClassMap:
    """Return the classes of a scheme, for files of ids and for colour-coded ones.

    Args:
        scheme: "19", "11", or None for the default.

    Raises:
        UnknownNameError: If there is no such scheme.
    """
    name = SCHEMES[0] if scheme is None else scheme
    if name not in _SCHEMES:
        raise UnknownNameError(f"Cityscapes has no class scheme {name!r}. Known: {', '.join(SCHEMES)}")
    classes = tuple(
        SemanticClass(
            class_name, _LABELS[raw_ids[0]][1], raw_ids, tuple(_LABELS[i][1] for i in raw_ids) if raw_ids[1:] else ()
        )
        for class_name, raw_ids in _SCHEMES[name].items()
    )
    used = {i for c in classes for i in c.raw_ids}
    ignored = tuple(i for i in _LABELS if i not in used)
    counted_colors = {_LABELS[i][1] for i in used}  # polegroup shares its colour with pole, which counts
    return ClassMap(
        classes,
        ignored,
        masked_raw_ids=_MASKED,
        ignored_colors=tuple(dict.fromkeys(_LABELS[i][1] for i in ignored if _LABELS[i][1] not in counted_colors)),
    )
