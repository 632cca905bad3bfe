"""The Open Inference Protocol by hand-written requests: JSON, the binary extension, and what is not as it says."""

import base64
import json
import struct
from typing import Any

import httpx
import numpy as np
import pytest

from segprep.datasets.imageio import encode_image
from segprep.datasets.sample import Array
from segprep.train import Model
from support.scenes import HEIGHT, WIDTH, make_scenes

_INFER = "/v2/models/streets/infer"


@pytest.fixture
def pictures() -> Array:
    """Two that the network has not seen."""
    return np.asarray(make_scenes(range(8, 10))["image"])


def _image(pictures: Array, **more: Any) -> dict[str, Any]:
    return {"name": "image", "shape": list(pictures.shape), "datatype": "UINT8", **more}


def test_the_server_and_its_model_say_what_they_are(client: httpx.Client) -> None:
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    for path in ("health/live", "health/ready", "models/streets/ready", "models/streets/versions/1/ready"):
        assert client.get(f"/v2/{path}").status_code == 200
    expected = {
        "name": "streets",
        "versions": ["1"],
        "platform": "pytorch_segprep",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}],
        "outputs": [
            {"name": "ids", "datatype": "UINT8", "shape": [-1, -1, -1]},
            {"name": "scores", "datatype": "FP32", "shape": [-1, 3, -1, -1]},
        ],
    }
    for path in ("models/streets", "models/streets/versions/1"):
        assert client.get(f"/v2/{path}").json() == expected
    for path in ("models/nobody", "models/streets/versions/2", "models/nobody/ready"):
        answer = client.get(f"/v2/{path}")
        assert (answer.status_code, "there is no model" in answer.json()["error"]) == (404, True)


def test_a_batch_in_json_gives_all_outputs_in_json(client: httpx.Client, model: Model, pictures: Array) -> None:
    found = [model.predict({"image": each}) for each in pictures]
    for data in (pictures.tolist(), pictures.ravel().tolist()):
        answer = client.post(_INFER, json={"id": "7", "inputs": [_image(pictures, data=data)]}).json()
        assert (answer["model_name"], answer["model_version"], answer["id"]) == ("streets", "1", "7")
        ids, scores = answer["outputs"]
        assert (ids["name"], ids["datatype"], ids["shape"]) == ("ids", "UINT8", [2, HEIGHT, WIDTH])
        np.testing.assert_array_equal(np.reshape(ids["data"], ids["shape"]), [each.ids_HW for each in found])
        np.testing.assert_allclose(
            np.reshape(scores["data"], scores["shape"]), [each.probabilities_CHW for each in found], atol=1e-5
        )


def test_binary_tensors_come_and_go(client: httpx.Client, model: Model, pictures: Array) -> None:
    head = json.dumps(
        {
            "inputs": [_image(pictures, parameters={"binary_data_size": pictures.size})],
            "outputs": [{"name": "scores", "parameters": {"binary_data": True}}, {"name": "ids"}],
        }
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post(_INFER, content=head + pictures.tobytes(), headers=headers)
    length = int(answer.headers["Inference-Header-Content-Length"])
    assert answer.headers["content-type"] == "application/octet-stream"
    scores, ids = json.loads(answer.content[:length])["outputs"]
    found = [model.predict({"image": each}) for each in pictures]
    values = np.frombuffer(answer.content[length:], "<f4").reshape(scores["shape"])
    assert scores["parameters"] == {"binary_data_size": values.nbytes}
    np.testing.assert_allclose(values, [each.probabilities_CHW for each in found], atol=1e-5)
    np.testing.assert_array_equal(np.reshape(ids["data"], ids["shape"]), [each.ids_HW for each in found])


def test_a_file_as_an_element_of_bytes(client: httpx.Client, model: Model, pictures: Array) -> None:
    png = encode_image(".png", pictures[0])
    expected = model.predict({"image": pictures[0]}).ids_HW
    tensor: dict[str, Any] = {"name": "image", "shape": [1], "datatype": "BYTES"}
    outputs = {"outputs": [{"name": "ids"}], "parameters": {"binary_data_output": True}}
    element = struct.pack("<I", len(png)) + png
    head = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(element)}}], **outputs}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    binary = client.post(_INFER, content=head + element, headers=headers)
    plain = client.post(_INFER, json={"inputs": [tensor | {"data": [base64.b64encode(png).decode()]}], **outputs})
    for answer in (binary, plain):
        length = int(answer.headers["Inference-Header-Content-Length"])
        np.testing.assert_array_equal(np.frombuffer(answer.content[length:], np.uint8).reshape(HEIGHT, WIDTH), expected)


def test_depth_is_metres_or_a_file_with_its_unit(
    depth_client: httpx.Client, depth_model: Model, pictures: Array
) -> None:
    metres = np.random.default_rng(1).uniform(1, 60, (1, HEIGHT, WIDTH)).round(3).astype(np.float32)
    expected = depth_model.predict({"image": pictures[0], "depth": metres[0]}).ids_HW
    image = _image(pictures[:1], data=pictures[:1].ravel().tolist())
    numbers = {"name": "depth", "shape": list(metres.shape), "datatype": "FP32", "data": metres.ravel().tolist()}
    png = base64.b64encode(encode_image(".png", (metres[0] * 1000).round().astype(np.uint16))).decode()
    file = {"name": "depth", "shape": [1], "datatype": "BYTES", "data": [png], "parameters": {"unit": "mm"}}
    path = "/v2/models/rooms/infer"
    for depth in (numbers, file):
        answer = depth_client.post(path, json={"inputs": [image, depth], "outputs": [{"name": "ids"}]})
        np.testing.assert_array_equal(np.reshape(answer.json()["outputs"][0]["data"], (HEIGHT, WIDTH)), expected)
    whole = numbers | {"datatype": "UINT16", "data": metres.ravel().astype(int).tolist()}
    answer = depth_client.post(path, json={"inputs": [image, whole]})
    assert (answer.status_code, "came as uint16: send FP32" in answer.json()["error"]) == (400, True)


def test_what_is_not_as_the_protocol_says_is_refused_in_its_form(client: httpx.Client, pictures: Array) -> None:
    one = _image(pictures[:1], data=pictures[:1].ravel().tolist())
    refused: list[tuple[int, str, Any]] = [
        (400, "no JSON", b"{"),
        (400, "the request must be an object", []),
        (400, "inputs must be a list", {}),
        (422, "these columns are missing: image", {"inputs": []}),
        (422, "does not take depth", {"inputs": [one, one | {"name": "depth"}]}),
        (400, "came twice", {"inputs": [one, one]}),
        (400, "has the datatype 'UINT7'", {"inputs": [one | {"datatype": "UINT7"}]}),
        (400, "numbers above 0", {"inputs": [one | {"shape": [1, -20, 28, 3]}]}),
        (400, "has 1680 numbers", {"inputs": [one | {"shape": [2, HEIGHT, WIDTH, 3]}]}),
        (400, "are no UINT8", {"inputs": [one | {"data": [256] * pictures[0].size}]}),
        (400, "are no UINT8", {"inputs": [one | {"data": [0.5] * pictures[0].size}]}),
        (400, "no data", {"inputs": [_image(pictures)]}),
        (400, "not [-1, -1, -1, 3]", {"inputs": [one | {"shape": [HEIGHT, WIDTH, 3]}]}),
        (400, "no output 'id'", {"inputs": [one], "outputs": [{"name": "id"}]}),
        (400, "binary_data_size 9", {"inputs": [one | {"parameters": {"binary_data_size": 9}}]}),
        (400, "must be base64", {"inputs": [one | {"datatype": "BYTES", "shape": [1], "data": ["?"]}]}),
        (415, "neither PNG", {"inputs": [one | {"datatype": "BYTES", "shape": [1], "data": ["aaaa"]}]}),
        (400, "size must be", {"inputs": [one], "parameters": {"size": "large"}}),
    ]
    for code, part, body in refused:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = client.post(_INFER, content=content)
        assert (answer.status_code, part in answer.json()["error"]) == (code, True), answer.text
    for length, part in (("99999", "only 2 bytes came"), ("x", "must be a number of bytes")):
        answer = client.post(_INFER, content=b"{}", headers={"Inference-Header-Content-Length": length})
        assert answer.status_code == 400
        assert part in answer.json()["error"]
