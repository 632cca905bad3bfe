"""What the numbers in label files mean is decided over all files, shown, and never guessed in silence."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segprep.datasets.catalog import CATALOG, folder
from segprep.datasets.catalog._common.found_classes import found_class_map
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import with_label_reading
from segprep.datasets.errors import ConfigurationError, DatasetNotFoundError
from segprep.datasets.imageio import encode_image, read_image
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.notices import About
from segprep.datasets.record import Direction
from segprep.datasets.sample import Array
from segprep.datasets.workspace.cells import decode_source
from support.label_files import grey_png, jpeg, label_folder, palette_png, patches

BLACK, RED, GREEN, OLIVE = (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)  # the first of PASCAL VOC
BORDER = (224, 224, 192)


def found(source: DatasetSource) -> ClassMap:
    return folder.class_map(source)


def train_ids(source: DatasetSource, class_map: ClassMap) -> list[Array]:
    """Decode each label as the workspace would."""
    records = [with_label_reading(r, class_map.reading) for r in folder.scan(source, Direction.PREVIOUS)]
    labels = [(r.sources["label"], source.root / r.sources["label"].path) for r in records]
    return [class_map.to_train_ids(np.asarray(decode_source(s, p.read_bytes(), p).values)) for s, p in labels]


def told(source: DatasetSource, about: About = About.GUESSED) -> str:
    return "\n".join(notice.text for notice in source.notices if notice.about is about)


# --- 255


@pytest.mark.parametrize(
    ("ids", "void"),
    [
        ((0, 255), False),
        ((1, 255), False),
        ((13, 255), False),
        ((0, 128, 255), False),
        ((0, 85, 170, 255), False),
        ((0, 200, 204, 255), False),
        ((0, 1, 255), True),
        ((0, 1, 2, 255), True),
        ((0, 15, 255), True),
        ((3, 7, 200, 255), True),
    ],
)
def test_255_is_void_beside_small_ids_only_and_both_are_told(tmp_path: Path, ids: tuple[int, ...], void: bool) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(*ids)))
    class_map = found(source)
    assert class_map.found
    assert (255 in class_map.ignored_raw_ids) == void
    assert [c.raw_ids[0] for c in class_map.classes] == [i for i in ids if not (void and i == 255)]
    assert ('id 255 is taken for "not labelled"' if void else "id 255 is taken for a class") in told(source)


def test_without_255_nothing_is_guessed(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(0, 1, 2)))
    assert found(source).ignored_raw_ids == (255,)
    assert not source.notices


def test_the_largest_number_of_16_bits_is_judged_alike(tmp_path: Path) -> None:
    mask = np.where(patches(0, 1) > 0, 65535, 0).astype(np.uint16)
    assert [c.raw_ids for c in found(DatasetSource(label_folder(tmp_path / "mask", mask))).classes] == [(0,), (65535,)]
    ids = np.array([0, 1, 65535], np.uint16)[patches(0, 1, 2)]
    assert found(DatasetSource(label_folder(tmp_path / "ids", ids))).ignored_raw_ids == (65535,)


def test_in_files_of_fewer_bits_255_is_the_largest_number(tmp_path: Path) -> None:
    image = Image.fromarray(patches(0, 255)).convert("1")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert [c.raw_ids for c in found(DatasetSource(label_folder(tmp_path, buffer.getvalue()))).classes] == [
        (0,),
        (255,),
    ]


def test_voc_indices_with_a_border_of_its_colour_keep_their_background(tmp_path: Path) -> None:
    palette = [BLACK] * 255 + [BORDER]
    source = DatasetSource(label_folder(tmp_path, palette_png(patches(0, 255), *palette)))
    assert [c.raw_ids for c in found(source).classes] == [(0,)]
    assert "there is one class" in told(source, About.SUSPECT)


# --- the values that are shown


def test_values_are_shown_with_shares_files_and_what_they_become(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(0, 1, 2, 255), patches(0, 0, 0, 1)))
    found(source)
    shown = {each.value: (round(each.share, 3), each.files, each.becomes) for each in source.values}
    assert shown == {
        0: (0.5, 2, "class_0"),
        1: (0.25, 2, "class_1"),
        2: (0.125, 1, "class_2"),
        255: (0.125, 1, "ignored"),
    }
    assert sum(each.pixels for each in source.values) == 2 * 48 * 64


def test_mostly_ignored_labels_are_said(tmp_path: Path) -> None:
    label = patches(255)
    label[:4, :8], label[:4, 8:16] = 0, 1
    source = DatasetSource(label_folder(tmp_path, label))
    found(source)
    assert "97.9% of the pixels are ignored" in told(source, About.SUSPECT)


# --- channels


def with_alpha(picture: Array) -> Array:
    return np.concatenate([picture, np.full_like(picture[..., :1], 255)], axis=2)


EQUAL = np.repeat(patches(0, 1, 2)[..., None], 3, axis=2)
RED_ONLY = EQUAL * np.array([1, 0, 0], np.uint8)
BLUE_ONLY = EQUAL * np.array([0, 0, 1], np.uint8)


@pytest.mark.parametrize(
    ("picture", "reading"),
    [
        (EQUAL, LabelReading.IDS),
        (with_alpha(EQUAL), LabelReading.IDS),
        (EQUAL.astype(np.uint16) * 300, LabelReading.IDS),
        (RED_ONLY, LabelReading.RED),
        (with_alpha(BLUE_ONLY), LabelReading.BLUE),
    ],
    ids=["equal channels", "grey with opaque alpha", "16 bits", "red alone", "blue alone, alpha"],
)
def test_ids_in_channels_are_ids_and_0_is_a_class(tmp_path: Path, picture: Array, reading: LabelReading) -> None:
    source = DatasetSource(label_folder(tmp_path, picture))
    class_map = found(source)
    assert class_map.reading is reading
    assert "are taken as ids" in told(source)
    np.testing.assert_array_equal(train_ids(source, class_map)[0], patches(0, 1, 2))


def test_black_and_white_masks_have_two_classes(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, np.repeat(patches(0, 255)[..., None], 3, axis=2)))
    class_map = found(source)
    np.testing.assert_array_equal(train_ids(source, class_map)[0], patches(0, 1))


def test_a_black_or_grey_file_of_a_set_of_colours_does_not_turn_into_ids(tmp_path: Path) -> None:
    grey = (70, 70, 70)
    labels = (patches(RED, GREEN, grey), patches(grey, grey), patches(BLACK), patches(0, 70))
    source = DatasetSource(label_folder(tmp_path, *labels))
    class_map = found(source)
    assert class_map.reading is LabelReading.COLORS
    assert [c.color for c in class_map.classes] == [BLACK, GREEN, grey, RED]
    ids = train_ids(source, class_map)
    assert [np.unique(each).tolist() for each in ids] == [[1, 2, 3], [2], [0], [0, 2]]


def test_ids_beside_colours_are_refused_with_both_names(tmp_path: Path) -> None:
    label_folder(tmp_path, patches(RED, GREEN, OLIVE), patches(0, 1, 2))
    with pytest.raises(ConfigurationError, match=r"1\.png holds ids in one channel, .*0\.png colours"):
        found(DatasetSource(tmp_path))


# --- black


def test_black_is_a_class_and_the_line_that_makes_it_void_is_told(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(BLACK, (1, 2, 3), (4, 5, 6))))
    assert [c.color for c in found(source).classes] == [BLACK, (1, 2, 3), (4, 5, 6)]
    assert "ignored_colors = [[0, 0, 0]]" in told(source)


def test_voc_is_recognised_its_background_is_a_class_and_its_border_void(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(BLACK, RED, GREEN, BORDER)))
    class_map = found(source)
    assert [c.color for c in class_map.classes] == [BLACK, GREEN, RED]
    assert class_map.ignored_colors == (BORDER,)
    assert "PASCAL VOC" in told(source)


@pytest.mark.parametrize(
    ("colors", "name"),
    [
        (((128, 64, 128), (244, 35, 232), (70, 70, 70)), "Cityscapes"),
        (((64, 128, 64), (192, 0, 128), (0, 128, 64)), "CamVid"),
    ],
)
def test_palettes_that_are_known_to_have_black_as_void_keep_it(
    tmp_path: Path, colors: tuple[tuple[int, ...], ...], name: str
) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(BLACK, *colors)))
    class_map = found(source)
    assert BLACK not in [c.color for c in class_map.classes]
    assert class_map.ignored_colors == (BLACK,)
    assert f'those of {name}, where black means "not labelled"' in told(source)


# --- palettes


def test_equal_palettes_give_indices_as_ever(tmp_path: Path) -> None:
    files = (palette_png(patches(0, 1, 2), BLACK, RED, GREEN), palette_png(patches(0, 1), BLACK, RED))
    source = DatasetSource(label_folder(tmp_path, *files))
    assert found(source).reading is LabelReading.STORED
    assert not source.notices


def test_where_each_file_has_a_palette_of_its_own_the_colours_count(tmp_path: Path) -> None:
    files = (palette_png(patches(0, 1), RED, GREEN), palette_png(patches(0, 1), GREEN, OLIVE))
    source = DatasetSource(label_folder(tmp_path, *files))
    class_map = found(source)
    assert class_map.reading is LabelReading.COLORS
    assert "0.png" in told(source)
    assert "1.png" in told(source)
    first, second = train_ids(source, class_map)
    np.testing.assert_array_equal(first, np.array([1, 0])[patches(0, 1)])
    np.testing.assert_array_equal(second, np.array([0, 2])[patches(0, 1)])


def test_palettes_of_grey_levels_give_ids_where_they_differ(tmp_path: Path) -> None:
    files = (palette_png(patches(0, 1), (0, 0, 0), (7, 7, 7)), palette_png(patches(0, 1), (7, 7, 7), (9, 9, 9)))
    source = DatasetSource(label_folder(tmp_path, *files, patches(0, 9)))
    class_map = found(source)
    assert class_map.reading is LabelReading.LEVELS
    assert [c.raw_ids for c in class_map.classes] == [(0,), (7,), (9,)]
    assert [np.unique(each).tolist() for each in train_ids(source, class_map)] == [[0, 1], [1, 2], [0, 2]]


def test_a_palette_in_some_files_and_grey_in_others_are_the_same_ids_if_they_can_be(tmp_path: Path) -> None:
    with_palette = palette_png(patches(0, 1, 2), BLACK, RED, GREEN, OLIVE)
    source = DatasetSource(label_folder(tmp_path / "fine", with_palette, patches(0, 3, 255)))
    assert [c.raw_ids[0] for c in found(source).classes] == [0, 1, 2, 3]
    assert "indices and the numbers are taken for the same ids" in told(source)
    label_folder(tmp_path / "odd", with_palette, patches(0, 1, 77))
    with pytest.raises(ConfigurationError, match=r"0\.png holds a palette of fewer colours, .*1\.png larger numbers"):
        found(DatasetSource(tmp_path / "odd"))


def test_numbers_of_few_bits_are_not_mixed_up_with_those_of_8(tmp_path: Path) -> None:
    """A grey PNG of 2 bits is spread over 0..255 when it is read: its 1 becomes 85."""
    narrow = grey_png(patches(0, 1, 2), bits=2)
    label_folder(tmp_path, narrow, patches(0, 1, 2))
    with pytest.raises(ConfigurationError, match=r"0\.png holds fewer than 8 bits.*1\.png"):
        found(DatasetSource(tmp_path))


def test_ids_of_few_bits_are_told_to_be_spread(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, grey_png(patches(0, 1, 3), bits=2)))
    assert [c.raw_ids for c in found(source).classes] == [(0,), (85,), (255,)]
    assert "1 of 2 bits is 85" in told(source)


def test_transparent_colours_of_palettes_that_differ_are_refused(tmp_path: Path) -> None:
    files = (palette_png(patches(0, 1), RED, GREEN), palette_png(patches(0, 1), GREEN, OLIVE, clear=0))
    assert found(DatasetSource(label_folder(tmp_path / "alone", files[1]))).reading is LabelReading.STORED
    with pytest.raises(ConfigurationError, match=r"palettes differ.*1\.png has transparent pixels"):
        found(DatasetSource(label_folder(tmp_path / "both", *files)))


# --- a class map of one's own decides


def test_what_the_users_class_map_knows_decides_how_files_are_read(tmp_path: Path) -> None:
    masks = label_folder(tmp_path / "masks", np.repeat(patches(0, 255)[..., None], 3, axis=2))
    colors = ClassMap((SemanticClass("no", BLACK, (0,)), SemanticClass("yes", (255, 255, 255), (1,))), ())
    by_color = found(DatasetSource(masks, classes=colors))
    ids = ClassMap((SemanticClass("no", BLACK, (0,)), SemanticClass("yes", (9, 9, 9), (255,))), ())
    by_id = found(DatasetSource(masks, classes=ids))
    assert (by_color.reading, by_id.reading) == (LabelReading.STORED, LabelReading.IDS)
    for class_map in (by_color, by_id):
        assert not class_map.found
        np.testing.assert_array_equal(train_ids(DatasetSource(masks), class_map)[0], patches(0, 1))


# --- strays and loss


def test_colours_of_a_few_pixels_are_ignored_and_counted(tmp_path: Path) -> None:
    labels = [patches((1, 2, 3), (4, 5, 6), (7, 8, 9)) for _ in range(8)]
    labels[3][0, ::4][:12] = [(64, 64, i) for i in range(12)]  # more than there are classes
    source = DatasetSource(label_folder(tmp_path, *labels))
    class_map = found(source)
    assert len(class_map.classes) == 3
    assert {(64, 64, i) for i in range(12)} <= {*class_map.ignored_colors}
    assert "12 colours are ignored, because each holds fewer than 100 pixels and less than 0.01% of all" in told(source)


def test_jpeg_is_found_by_its_bytes_and_refused(tmp_path: Path) -> None:
    label_folder(tmp_path, patches(RED, GREEN, OLIVE), jpeg(patches(RED, GREEN, OLIVE)))
    for classes in (None, ClassMap((SemanticClass("red", RED, (0,)),), ())):
        with pytest.raises(ConfigurationError, match=r"1\.png is a JPEG.*--snap-labels"):
            found(DatasetSource(tmp_path, classes=classes))


@pytest.mark.parametrize("kept_as_png", [False, True])
def test_snapping_finds_the_classes_of_compressed_labels(tmp_path: Path, kept_as_png: bool) -> None:
    small = patches(BLACK, (220, 20, 60), (70, 130, 180), (107, 142, 35))
    truth = np.roll(small.repeat(4, axis=0).repeat(4, axis=1), 5, axis=(0, 1))
    data = jpeg(truth)
    if kept_as_png:
        data = encode_image(".png", np.array(Image.open(io.BytesIO(data))))
        with pytest.raises(ConfigurationError, match="looks like JPEG compression or smooth resizing"):
            found(DatasetSource(label_folder(tmp_path, data)))
    source = DatasetSource(label_folder(tmp_path, data), snap_distance=60)
    class_map = found(source)
    assert class_map.snap_distance == 60
    assert len(class_map.classes) == 4
    near = [np.argmin([np.abs(np.subtract(c.color, t)).sum() for c in class_map.classes]) for t in truth.reshape(-1, 3)]
    right = train_ids(source, class_map)[0] == np.reshape(near, truth.shape[:2])
    assert right.mean() > 0.9


def test_grey_masks_in_jpeg_snap_to_their_two_levels(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, jpeg(patches(0, 255))), snap_distance=60)
    class_map = found(source)
    assert (train_ids(source, class_map)[0] == patches(0, 1)).mean() > 0.95
    assert [c.raw_ids for c in class_map.classes] == [(0,), (255,)]


# --- what nothing reads


def test_bit_masks_and_instances_are_told_honestly(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path / "bits", patches(0, 1, 2, 4, 8)))
    found(source)
    assert "powers of two up to 8" in told(source, About.SUSPECT)
    ids = patches(1, 2, 3).astype(np.uint16) * 256 + patches(1, 2)
    source = DatasetSource(label_folder(tmp_path / "instances", ids))
    found(source)
    assert "raw_id_divisor = 256" in told(source, About.SUSPECT)


def test_alpha_that_is_data_is_described(tmp_path: Path) -> None:
    picture = np.dstack([patches(0, 7), patches(0), patches(0), patches(1, 2, 3)])
    with pytest.raises(DatasetNotFoundError, match=r"first reason: .*0\.png.*8 bits: red 0\.\.7 \(2 values\).*alpha"):
        found(DatasetSource(label_folder(tmp_path, picture)))


def test_pictures_are_no_labels(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    with pytest.raises(ConfigurationError, match=r"different values; the channels hold 8 bits: red"):
        found(DatasetSource(label_folder(tmp_path, noise)))


def test_a_bad_file_is_named_and_does_not_end_the_listing(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(0, 1), b"not a picture"))
    assert len(found(source).classes) == 2
    assert "1.png is truncated or of an unknown format" in told(source, About.SUSPECT)
    with pytest.raises(DatasetNotFoundError, match=r"The first reason: .*0\.png is empty"):
        found(DatasetSource(label_folder(tmp_path / "all", b"")))


@pytest.mark.parametrize("name", ["folder", "list", "rgbd"])
def test_sound_labels_are_read_as_ever_and_nothing_is_said(tmp_path: Path, name: str) -> None:
    member = CATALOG.load(name)
    member.write_miniature(tmp_path, 3)
    source = DatasetSource(tmp_path)
    class_map = member.class_map(source)
    assert not source.notices
    assert (class_map.reading, class_map.ignored_raw_ids, class_map.ignored_colors) == ("stored", (255,), (BLACK,))
    assert [c.name for c in class_map.classes] == [f"class_{c.raw_ids[0]}" for c in class_map.classes]
    assert not {"reading", "snap_distance", "found"} & {*class_map.pixel_rules()}
    for record in member.scan(source, Direction.PREVIOUS):
        assert with_label_reading(record, class_map.reading).sources["label"].code == {"name": "raw-labels"}


# --- real files


@pytest.mark.parametrize(
    ("pattern", "reading", "raw_ids", "ignored"),
    [
        ("ade20k/annotations/training/*.png", "stored", {0, 1, 4, 139, 150}, (255,)),
        ("bdd100k/to_rle_sem_seg_0.png", "stored", {0, 1, 2, 13, 14}, (255,)),
        ("labelme/expected/*.png", "stored", {0, 5, 9, 15, 18}, (255,)),
        ("mmseg_miniatures/pseudo_mapillary_dataset/v1.2/*.png", "stored", {17, 44, 45}, (255,)),
        ("apolloscape/stereo_gt/*g_mask/*.png", "stored", {0, 65535}, (255,)),
        ("loveda/ann_dir/*.png", "stored", {1, 2, 3, 7}, (255,)),
        ("mmseg_miniatures/pseudo_dataset/gts/*.png", "colors", {0, 1, 2, 3, 4, 5}, (255,)),
    ],
)
def test_real_labels_mean_what_their_data_set_says(
    shared_data: Path, pattern: str, reading: str, raw_ids: set[int], ignored: tuple[int, ...]
) -> None:
    paths = sorted((shared_data / "catalog").glob(pattern))
    class_map = found_class_map(paths, DatasetSource(shared_data))
    assert class_map is not None
    assert class_map.reading == reading
    assert raw_ids <= {c.raw_ids[0] for c in class_map.classes}
    assert class_map.ignored_raw_ids == ignored


def test_real_labels_in_the_colours_of_camvid_keep_black_as_void(shared_data: Path, tmp_path: Path) -> None:
    camvid = CATALOG.load("camvid").class_map(DatasetSource(shared_data / "camvid"))
    labels = [read_image(p) for p in sorted((shared_data / "camvid/valannot").glob("*.png"))[:100:20]]
    source = DatasetSource(label_folder(tmp_path, *(camvid.colored(camvid.to_train_ids(label)) for label in labels)))
    class_map = found(source)
    assert {c.color for c in class_map.classes} <= {c.color for c in camvid.classes}
    assert class_map.ignored_colors == (BLACK,)
    place = {color: i for i, color in enumerate(c.color for c in camvid.classes)}
    table = np.array([place[c.color] for c in class_map.classes] + [255] * (256 - len(class_map.classes)))
    for label, ids in zip(labels, train_ids(source, class_map), strict=True):
        np.testing.assert_array_equal(table[ids], camvid.to_train_ids(label))


def test_real_bit_masks_with_data_in_alpha_are_told(shared_data: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"red 0\.\.35 \(14 values\).*BDD100K"):
        found_class_map([shared_data / "catalog/bdd100k/panseg_bitmask.png"], DatasetSource(shared_data))
