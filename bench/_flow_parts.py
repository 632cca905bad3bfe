"""What `prep flow` does with one frame and its floor does not."""

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segprep.datasets.codes import Code, DepthCode, Encoded, KittiFlowCode, SmsnetFlowCode
from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.datasets.workspace.cells import read_record_cell
from segprep.flow.camera.ego import ego_flow
from segprep.flow.consistency import consistent
from segprep.flow.estimators import dis
from segprep.flow.field import FlowField
from segprep.prep.motion.optical import motion_residual, residual_facts

__all__ = ["parts_of"]


def parts_of(
    inputs: Mapping[str, Path], depth_code: DepthCode, motion: Matrix, outputs: Sequence[bytes]
) -> dict[str, Callable[[], object]]:
    """Return name to work.

    Args:
        inputs: The files of image, previous, depth and camera.
        depth_code: Of the depth.
        motion: (4, 4) of the camera, to the previous frame.
        outputs: What the step's files hold.
    """
    first, second, picture = (read_image(inputs[name]) for name in ("image", "previous", "depth"))
    stored_HW, stored_valid_HW = depth_code.from_file(picture)
    depth_HW, _ = depth_code.decode(stored_HW, stored_valid_HW)
    known_HW: Mask = depth_HW > 0
    camera = Camera.from_json(read_record_cell(inputs["camera"]))
    there, back = dis.estimate(first, second), dis.estimate(second, first)
    optical = FlowField(there, consistent(there, back))
    ego = ego_flow(depth_HW, known_HW, camera, motion)
    residual = motion_residual(optical, ego)
    read = [path.read_bytes() for path in inputs.values()]
    return {
        "check there and back": lambda: FlowField(there, consistent(there, back)),
        "ego flow": lambda: ego_flow(depth_HW, known_HW, camera, motion),
        "residual": lambda: motion_residual(optical, ego),
        "statistics of the residual": lambda: residual_facts(residual),
        "optical and ego flow to 16 bits and back": lambda: [_reread(KittiFlowCode(), each) for each in (optical, ego)],
        "residual to 8 bits": lambda: _encoded(SmsnetFlowCode(), residual),
        "depth to metres": lambda: depth_code.decode(*depth_code.from_file(picture)),
        "checksums of the inputs' PNG chunks": lambda: [zlib.crc32(data) for data in read],
        "SHA-256 of the outputs": lambda: [hashlib.sha256(data).hexdigest() for data in outputs],
    }


def _encoded(code: Code, field: FlowField) -> Encoded:
    encoded = code.encode(field.uv, field.valid)
    code.to_file(encoded.stored, encoded.valid)
    return encoded


def _reread(code: Code, field: FlowField) -> tuple[Array, Mask | None]:
    """Return the field as its file holds it, which is what the motion image is made from."""
    encoded = _encoded(code, field)
    return code.decode(encoded.stored, encoded.valid)
