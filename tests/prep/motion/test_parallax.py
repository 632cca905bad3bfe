"""The translation of a camera is found in the flow that it makes."""

import numpy as np
import pytest

from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.se3 import rotation_exp
from segprep.prep.motion.parallax import find_translation
from support.boards import CAMERA, HEIGHT, WIDTH


def test_the_translation_is_that_of_the_scene_and_makes_the_parallax() -> None:
    depth = np.broadcast_to(np.linspace(60, 15, HEIGHT)[:, None], (HEIGHT, WIDTH)).copy()
    depth[60:120, 300:380] = 8
    turn = np.array([[1, -0.002, 0.004], [0.002, 1, 0.003], [-0.004, -0.003, 1]])
    left, _, right = np.linalg.svd(turn)
    motion_44 = np.eye(4)
    motion_44[:3, :3], motion_44[:3, 3] = left @ right, (0.03, -0.02, -0.2)
    known = np.ones(depth.shape, np.bool_)
    ego = ego_flow(depth, known, CAMERA, motion_44)
    found = find_translation(ego, depth, known, CAMERA)
    assert found.t_3 == pytest.approx([0.03, -0.02, -0.2], abs=0.004)
    rotation = motion_44.copy()
    rotation[:3, 3] = 0
    exact = ego.uv - ego_flow(depth, known, CAMERA, rotation).uv
    y, x = np.nonzero(ego.valid)
    error = np.linalg.norm(found.parallax(x, y, depth[y, x]) - exact[y, x], axis=1)
    assert error.max() < 0.05 * np.linalg.norm(exact[y, x], axis=1).max()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("angle", [0.005, -0.005])
def test_a_camera_that_only_turns_has_no_translation(axis: int, angle: float) -> None:
    depth = np.broadcast_to(np.linspace(60, 15, HEIGHT)[:, None], (HEIGHT, WIDTH)).copy()
    depth[60:120, 300:380] = 8
    motion_44 = np.eye(4)
    motion_44[:3, :3] = rotation_exp(angle * np.eye(3)[axis])
    known = np.ones(depth.shape, np.bool_)
    found = find_translation(ego_flow(depth, known, CAMERA, motion_44), depth, known, CAMERA)
    assert found.t_3 == pytest.approx(np.zeros(3), abs=0.001)
