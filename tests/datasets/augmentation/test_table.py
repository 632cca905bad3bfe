"""Ranges of one's own, and what is said of bad ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig, Span, preset_config
from segprep.datasets.augmentation.table import config_from_table, read_config
from segprep.datasets.errors import ConfigurationError, UnknownNameError, UnreadableFileError


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_goes_through_its_table(name: str) -> None:
    assert preset_config(name) is PRESETS[name]
    assert config_from_table({"preset": name}) == PRESETS[name]
    assert config_from_table(json.loads(json.dumps(PRESETS[name].to_json()))) == PRESETS[name]


def test_a_table_changes_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = (
        'preset = "ssma"\nflip = 0\nrotation = [-5, 5]\nscale = false\nhue = {range = [-30, 30], probability = 0.25}\n'
    )
    path.write_text(text)
    found = read_config(path)
    assert found.flip == 0
    assert found.rotation == Span(-5, 5, 1)
    assert found.scale is None
    assert found.hue == Span(-30, 30, 0.25)
    assert found.skew == PRESETS["ssma"].skew
    path.write_text("[augmentation]\n" + text)
    assert read_config(path) == found
    path.write_text("crop_size = [30, 20]\n")
    assert read_config(path) == AugmentationConfig(crop_size=(30, 20))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"rotatoin": [1, 2]}, "the augmentation has no key 'rotatoin'. Did you mean 'rotation'"),
        ({"preset": "ssmma"}, "no preset of augmentation called 'ssmma'. Did you mean 'ssma'"),
        ({"preset": 3}, "the augmentation: preset must be one of none, flip, ssma, paris, fcn, not 3"),
        ({"hue": {"rnage": [0, 1]}}, "the augmentation: [hue] has no key 'rnage'. Did you mean 'range'"),
        ({"rotation": [5, -5]}, "rotation (degrees) lies in -180 to 180 and goes from low to high, not 5 to -5"),
        ({"crop": [0.8, 1.1]}, "crop (a fraction of the image's side) lies in 0.01 to 1"),
        ({"scale": [0, 2]}, "scale (a factor) lies in 0.05 to 20"),
        ({"scale": 2}, "scale must be [low, high] (a factor), {range"),
        ({"scale": [1, "2"]}, "scale must be [low, high]"),
        ({"scale": [1, float("nan")]}, "scale (a factor) lies in 0.05 to 20"),
        ({"scale": True}, "scale must be [low, high]"),
        ({"scale": {"probability": 0.5}}, "scale must be [low, high]"),
        ({"hue": {"range": [0, 1], "probability": 1.5}}, "the probability of hue is a probability in 0..1, not 1.5"),
        ({"flip": 2}, "flip is a probability in 0..1, not 2"),
        ({"flip": True}, "flip must be a probability in 0..1, not True"),
        ({"crop_size": [30.5, 20]}, "crop_size must be [width, height] in whole pixels"),
        ({"crop_size": [0, 20]}, "crop_size is (width, height) of at least 1 pixel"),
        ({"preset": "paris", "crop": [0.8, 0.9]}, "crop and crop_size exclude each other"),
    ],
)
def test_bad_tables_get_their_own_messages(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config_from_table(table)
    assert message in str(caught.value)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'paris'.*none, flip, ssma, paris, fcn"):
        preset_config("parsi")


def test_bad_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(ConfigurationError, match=r"mine\.toml does not exist"):
        read_config(path)
    for text, message in (
        ("flip = ", r"mine\.toml: "),
        ("augmentation = 3", r"mine\.toml: augmentation must be a table, not 3"),
        ("flipp = 1", r"mine\.toml has no key 'flipp'\. Did you mean 'flip'"),
        ("[augmentation]\nflip = 'a'", r"mine\.toml: \[augmentation\] flip must be a probability"),
        ("crop_size = [0, 1]", r"mine\.toml: crop_size is"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=message):
            read_config(path)
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_config(tmp_path)
