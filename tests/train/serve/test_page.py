"""The page as a person uses it, in a real browser; and that it needs nothing but its server."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import write_image
from segprep.train import Model
from segprep.train.serve.page import page
from support.browser import Browser, chromium
from support.scenes import CLASSES, make_scenes

_SAID = "document.getElementById('said').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.skip("Chromium is not installed: the page is not tried in a browser")
    started = Browser(program, tmp_path_factory.mktemp("profile"), camera=True)
    yield started
    started.close()


def test_the_page_names_no_other_server() -> None:
    assert re.findall(r"(?:src|href)=[\"']?(?!data:)[^\"'>]+|https?://(?!localhost)", page()) == []


def test_a_picture_is_shown_with_its_classes_and_errors_in_words(
    browser: Browser, address: str, model: Model, tmp_path: Path
) -> None:
    browser.do("Page.navigate", url=f"http://{address}/")
    browser.until("document.body?.dataset.ready === 'yes'")
    assert browser.ask("document.title") == "streets - segprep"
    names = browser.ask("[...document.querySelectorAll('#legend li')].map(e => e.childNodes[1].textContent)")
    assert names == list(CLASSES.names)
    picture = make_scenes(range(8, 9))["image"][0]
    write_image(tmp_path / "street.png", picture)
    browser.choose("#file-image", tmp_path / "street.png")
    browser.until(f"{_SAID}.startsWith('Done')")
    pixels = browser.ask(
        "(() => { const image = document.getElementById('classes-picture'), canvas = document.createElement('canvas');"
        "[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];"
        "const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);"
        "return [...pen.getImageData(0, 0, canvas.width, canvas.height).data]; })()"
    )
    ids_HW = model.predict({"image": picture}).ids_HW
    np.testing.assert_array_equal(np.reshape(pixels, (*ids_HW.shape, 4))[..., :3], CLASSES.colored(ids_HW))
    shares = browser.ask("[...document.querySelectorAll('#legend b')].map(e => parseFloat(e.textContent))")
    assert sum(shares) == pytest.approx(100, abs=0.2)
    # With the keyboard alone: from the file to the button, to the camera, to the slider, which moves.
    browser.ask("document.getElementById('file-image').focus()")
    focused = []
    for _ in range(3):
        browser.press("Tab")
        focused.append(browser.ask("document.activeElement.id"))
    assert focused == ["send", "camera", "opacity"]
    browser.press("ArrowRight")
    assert browser.ask("document.getElementById('classes-picture').style.opacity") == "0.56"
    (tmp_path / "broken.png").write_bytes((tmp_path / "street.png").read_bytes()[:-30])
    browser.choose("#file-image", tmp_path / "broken.png")
    browser.until(f"{_SAID}.includes('truncated')")
    assert browser.ask("document.getElementById('said').getAttribute('role')") == "alert"
    assert [each for each in browser.complaints if "422" not in each] == []


def test_it_is_as_wide_as_a_phone(browser: Browser, address: str) -> None:
    browser.do("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    browser.do("Page.navigate", url=f"http://{address}/")
    browser.until("document.body?.dataset.ready === 'yes'")
    assert browser.ask("document.documentElement.scrollWidth") <= 360
    browser.do("Emulation.clearDeviceMetricsOverride")


def test_the_camera_is_seen_with_its_classes(browser: Browser, address: str) -> None:
    browser.do("Page.navigate", url=f"http://{address.replace('127.0.0.1', 'localhost')}/")
    browser.until("document.body?.dataset.ready === 'yes'")
    browser.ask("document.getElementById('camera').click()")
    browser.until(f"{_SAID}.includes('ms per frame')")
    assert browser.until("document.getElementById('classes-picture').naturalWidth > 0")
    browser.ask("document.getElementById('camera').click()")
    assert browser.ask(_SAID) == "The camera is closed."


def test_a_network_that_takes_more_asks_for_more(browser: Browser, depth_client: object) -> None:
    url = str(getattr(depth_client, "base_url", ""))
    browser.do("Page.navigate", url=url)
    browser.until("document.body?.dataset.ready === 'yes'")
    assert browser.ask("[...document.querySelectorAll('input[type=file]')].map(e => e.id)") == [
        "file-image",
        "file-depth",
    ]
    assert browser.ask("document.getElementById('camera').disabled")
    browser.ask("document.getElementById('send').click()")
    assert "Choose a file for image: (H, W, 3) uint8 RGB image" in browser.ask(_SAID)
