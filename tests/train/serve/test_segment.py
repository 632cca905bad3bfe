"""Pictures over HTTP: the answer is that of the network, and what is wrong is said."""

import io
import json
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.imageio.pixel_format import pixel_format
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.prep.resizing.resample import resample
from segprep.train import Model
from segprep.train.serve.limits import Limits
from support.scenes import CLASSES, HEIGHT, WIDTH, make_scenes
from support.serving import served

_JPEG = {"content-type": "image/jpeg"}
_PNG = {"content-type": "image/png"}


@pytest.fixture
def picture() -> Array:
    """One that the network has not seen."""
    return np.asarray(make_scenes(range(8, 9))["image"][0])


def _png(array: Array) -> bytes:
    return encode_image(".png", array)


def _decoded(answer: httpx.Response) -> Array:
    assert answer.status_code == 200, answer.text
    return decode_image(answer.content, Path("answer"))


def _post(client: httpx.Client, content: bytes, **query: Any) -> httpx.Response:
    return client.post("/v1/segment", content=content, headers=_PNG, params=query)


def test_ids_colours_and_overlay_are_those_of_the_network(client: httpx.Client, model: Model, picture: Array) -> None:
    expected = model.predict({"image": picture}).ids_HW
    answer = _post(client, _png(picture))
    np.testing.assert_array_equal(_decoded(answer), expected)
    palette_N3 = pixel_format(answer.content).palette_N3
    assert palette_N3 is not None
    np.testing.assert_array_equal(palette_N3[:3], CLASSES.colors[:3])
    colors_HW3 = CLASSES.colored(expected)
    np.testing.assert_array_equal(_decoded(_post(client, _png(picture), output="colors")), colors_HW3)
    overlay = _decoded(_post(client, _png(picture), output="overlay", opacity=0.25)).astype(float)
    np.testing.assert_allclose(overlay, 0.25 * colors_HW3 + 0.75 * picture, atol=0.51)


def test_a_jpeg_and_a_form_are_taken_too(client: httpx.Client, model: Model, picture: Array) -> None:
    jpeg = encode_image(".jpg", picture)
    expected = model.predict({"image": decode_image(jpeg, Path("a"))}).ids_HW
    raw = client.post("/v1/segment", content=jpeg, headers=_JPEG)
    form = client.post("/v1/segment", files={"image": ("a.jpg", jpeg)})
    for answer in (raw, form):
        np.testing.assert_array_equal(_decoded(answer), expected)


def test_json_has_every_pixel_and_scores_have_every_class(client: httpx.Client, model: Model, picture: Array) -> None:
    found = model.predict({"image": picture})
    said = _post(client, _png(picture), output="json").json()
    ids, lengths = np.array(said["runs"]).T
    np.testing.assert_array_equal(np.repeat(ids, lengths).reshape(HEIGHT, WIDTH), found.ids_HW)
    assert said["size"] == [WIDTH, HEIGHT]
    assert [each["pixels"] for each in said["classes"]] == np.bincount(found.ids_HW.ravel(), minlength=3).tolist()
    assert said["confidence"] == pytest.approx(found.probabilities_CHW.max(0).mean(), abs=1e-5)
    scores = np.load(io.BytesIO(_post(client, _png(picture), output="scores").content))["scores"]
    np.testing.assert_allclose(scores, found.probabilities_CHW, atol=1e-3)


def test_a_larger_picture_is_seen_at_the_size_of_training_and_answered_at_its_own(
    client: httpx.Client, model: Model
) -> None:
    rng = np.random.default_rng(0)
    large = np.kron(rng.integers(0, 255, (10, 14, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    small, _ = resample(large, None, Kind.IMAGE, (WIDTH, HEIGHT))
    found = model.predict({"image": small})
    np.testing.assert_array_equal(_decoded(_post(client, _png(large), size="network")), found.ids_HW)
    enlarged = F.interpolate(torch.from_numpy(found.probabilities_CHW[None]), (100, 140), mode="bilinear")[0]
    agreement = np.mean(_decoded(_post(client, _png(large))) == enlarged.argmax(0).numpy())
    assert agreement > 0.999
    tall = _decoded(_post(client, _png(np.ascontiguousarray(large.swapaxes(0, 1))), size="network"))
    assert tall.shape == (round(HEIGHT * 1.4), round(WIDTH / 1.4))  # its proportions, as many pixels


def test_clients_at_once_share_batches_and_get_their_own_answers(client: httpx.Client, model: Model) -> None:
    pictures = make_scenes(range(10, 26))["image"]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda each: _decoded(_post(client, _png(each))), pictures))
    for found, each in zip(answers, pictures, strict=True):
        np.testing.assert_array_equal(found, model.predict({"image": each}).ids_HW)


def test_depth_comes_in_the_unit_that_is_said(depth_client: httpx.Client, depth_model: Model, picture: Array) -> None:
    metres = np.random.default_rng(1).uniform(1, 60, (HEIGHT, WIDTH)).round(3).astype(np.float32)
    expected = depth_model.predict({"image": picture, "depth": metres}).ids_HW
    image = ("image.png", _png(picture))
    millimetres = ("depth.png", _png((metres * 1000).round().astype(np.uint16)))
    floats = ("depth.npy", encode_image(".npy", metres))
    stored = ("depth.png", _png((metres * 100).round().astype(np.uint16)))
    for depth, unit in ((millimetres, {"depth.unit": "mm"}), (floats, {}), (stored, {"depth.unit": "workspace"})):
        answer = depth_client.post("/v1/segment", files={"image": image, "depth": depth}, data=unit)
        np.testing.assert_array_equal(_decoded(answer), expected)
    for files, data, part in (
        ({"image": image}, {}, "these columns are missing: depth, (H, W) float32 depth in metres"),
        ({"image": image, "depth": millimetres}, {}, "say it with depth.unit=m or mm or"),
        ({"image": image, "depth": millimetres}, {"depth.unit": "miles"}, "no unit of depth called 'miles'"),
        ({"image": image, "depth": millimetres}, {"depth.unit": "cityscapes"}, "cannot come in the unit 'cityscapes'"),
        ({"image": image, "depth": image}, {"depth.unit": "mm"}, "depth needs numbers of at least 16 bits"),
        ({"image": image, "deptth": floats}, {}, "the network does not take deptth, it takes image, depth"),
        ({"image": image, "depth": ("a.npy", encode_image(".npy", metres[1:]))}, {}, "image 28x20, depth 28x19"),
        ({"image": image, "depth": floats}, {"mm": "depth"}, "mm came as text"),
    ):
        answer = depth_client.post("/v1/segment", files=files, data=data)
        assert (answer.status_code, part in answer.json()["error"]) == (422, True), answer.text
    assert depth_client.post("/v1/segment", content=image[1], headers=_PNG).status_code == 422


def _huge_png() -> bytes:
    """A small file that says it has 100 megapixels, and has them: all black."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(10_001 * 10_000), 9))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


def test_what_cannot_be_used_is_refused_with_what_to_do(client: httpx.Client, picture: Array) -> None:
    jpeg = encode_image(".jpg", picture)
    narrow = np.zeros((4, 200, 3), np.uint8)
    refused = [
        (422, "truncated", {"content": jpeg[:-40], "headers": _JPEG}),
        (413, "10000x10000 pixels", {"content": _huge_png(), "headers": _PNG}),
        (413, "at most 1 MB", {"content": bytes(2**20 + 1), "headers": _PNG}),
        (415, "neither PNG, JPEG nor .npy", {"content": b"GIF89a" * 9, "headers": _PNG}),
        (415, "send a picture as image/jpeg", {"content": jpeg, "headers": {"content-type": "text/plain"}}),
        (415, "not packed (gzip)", {"content": jpeg, "headers": _JPEG | {"content-encoding": "gzip"}}),
        (422, "the request is empty", {"content": b"", "headers": _PNG}),
        (422, "does not take photo", {"files": {"photo": jpeg}}),
        (400, "no form that can be read", {"content": b"x", "headers": {"content-type": "multipart/form-data"}}),
        (422, "too narrow", {"content": _png(narrow), "headers": _PNG}),
        (422, "output: Input should be 'ids'", {"content": jpeg, "headers": _JPEG, "params": {"output": "id"}}),
        (422, "no data set 'nobody'", {"content": jpeg, "headers": _JPEG, "params": {"dataset": "nobody"}}),
        (422, "leave image.unit out", {"content": jpeg, "headers": _JPEG, "params": {"unit": "mm"}}),
    ]
    for code, part, request in refused:
        answer = client.post("/v1/segment", **request)  # type: ignore[arg-type]
        assert (answer.status_code, part in answer.json()["error"]) == (code, True), answer.text
    assert client.get("/v1/segment").json() == {"error": "Method Not Allowed: GET /v1/segment"}
    assert client.get("/nowhere").status_code == 404


def test_a_body_without_a_length_is_cut_off_at_the_limit(client: httpx.Client) -> None:
    def endless() -> Any:
        for _ in range(64):
            yield bytes(2**16)

    assert client.post("/v1/segment", content=endless(), headers=_PNG).status_code == 413


def test_classes_health_and_metrics(client: httpx.Client, picture: Array) -> None:
    assert client.get("/healthz").text == client.get("/readyz").text == "ok"
    said = client.get("/v1/classes").json()
    (dataset,) = said["datasets"]
    assert [each["name"] for each in dataset["classes"]] == list(CLASSES.names)
    assert dataset["classes"][1] == {"id": 1, "name": "car", "color": [0, 0, 142], "raw_ids": [26]}
    assert said["inputs"] == [{"name": "image", "kind": "image", "takes": "(H, W, 3) uint8 RGB image", "units": []}]
    _post(client, _png(picture))
    client.post("/v1/segment", content=b"GIF8", headers=_PNG)
    metrics = client.get("/metrics").text
    for line in (
        'segprep_requests_total{code="200",path="/v1/segment"}',
        'segprep_requests_total{code="415",path="/v1/segment"}',
        'segprep_request_seconds_count{path="/v1/segment"}',
        "segprep_batch_size_sum",
        "segprep_queue_length 0.0",
        "segprep_requests_in_hand 0.0",
    ):
        assert line in metrics


class _Held:
    """A network that computes when it is let; of some samples it cannot."""

    def __init__(self, model: Model) -> None:
        self.columns, self.class_maps, self.size, self.encoded = (
            model.columns,
            model.class_maps,
            model.size,
            model.encoded,
        )
        self._model = model
        self.go, self.begun = threading.Event(), threading.Event()

    def probabilities(self, stored_NHWC: torch.Tensor, *, dataset: str | None = None) -> torch.Tensor:
        self.begun.set()
        self.go.wait(30)
        if (stored_NHWC == 0).all(dim=(1, 2, 3)).any():
            raise RuntimeError("a black picture")
        return self._model.probabilities(stored_NHWC, dataset=dataset)


def test_more_than_the_queue_takes_is_told_to_come_back(model: Model, picture: Array) -> None:
    held = _Held(model)
    with (
        served(held, Limits(queue=2)) as place,
        httpx.Client(base_url=f"http://{place}", timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(2) as clients,
    ):
        taken = [clients.submit(_post, client, _png(picture)) for _ in range(2)]
        assert held.begun.wait(30)
        while "in_hand 2.0" not in client.get("/metrics").text:
            pass
        refused = _post(client, _png(picture))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert "2 requests in hand" in refused.json()["error"]
        assert client.get("/readyz").status_code == 503
        held.go.set()
        for each in taken:
            np.testing.assert_array_equal(_decoded(each.result()), model.predict({"image": picture}).ids_HW)
        assert _post(client, _png(picture)).status_code == 200


def test_what_the_network_cannot_compute_costs_others_of_its_batch_nothing(
    model: Model, picture: Array, capfd: pytest.CaptureFixture[str]
) -> None:
    held = _Held(model)
    held.go.set()
    with (
        served(held, Limits(batch_s=0.2, batch_size=2)) as place,
        httpx.Client(base_url=f"http://{place}", timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(2) as clients,
    ):
        bad, good = clients.map(lambda each: _post(client, _png(each)), (np.zeros_like(picture), picture))
        assert (bad.status_code, "this is a bug of the server" in json.loads(bad.text)["error"]) == (500, True)
        np.testing.assert_array_equal(_decoded(good), model.predict({"image": picture}).ids_HW)
    assert "a black picture" in capfd.readouterr().err
