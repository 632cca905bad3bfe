"""Cityscapes' calibration and odometry by themselves: the documented formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.catalog._cityscapes.calibration import Odometry, camera_motion, camera_mount, constant_turn
from support.properties import examples


@examples(50)
@given(*(st.floats(-0.5, 0.5) for _ in range(3)), *(st.floats(-3, 3) for _ in range(3)))
def test_mounts_follow_the_calibrations_formula(
    yaw: float, pitch: float, roll: float, x: float, y: float, z: float
) -> None:
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    R = np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
    mount = camera_mount(yaw=yaw, pitch=pitch, roll=roll, x=x, y=y, z=z)
    for right, down, forward in np.eye(3):
        in_vehicle = R @ [forward, -right, -down] + [x, y, z]
        np.testing.assert_allclose(mount @ [right, down, forward, 1], [*in_vehicle, 1], atol=1e-12)


def test_positive_yaw_looks_left_and_positive_pitch_down() -> None:
    ahead = np.array([0.0, 0.0, 1.0])
    level = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "x": 0.0, "y": 0.0, "z": 0.0}
    assert (camera_mount(**level | {"yaw": 0.1})[:3, :3] @ ahead)[1] > 0.09
    assert (camera_mount(**level | {"pitch": 0.1})[:3, :3] @ ahead)[2] < -0.09


@examples(50)
@given(st.floats(-5, 30), st.floats(-1, 1), st.floats(-0.2, 0.2))
def test_a_constant_turn_is_many_small_steps(speed: float, yaw_rate: float, seconds: float) -> None:
    M = constant_turn(Odometry(speed, yaw_rate), seconds)
    steps = 2000
    headings = yaw_rate * seconds * (np.arange(steps) + 0.5) / steps
    path = speed * seconds / steps
    np.testing.assert_allclose(M[:2, 3], [path * np.cos(headings).sum(), path * np.sin(headings).sum()], atol=1e-7)
    turn = yaw_rate * seconds
    np.testing.assert_allclose(M[:2, :2], [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    np.testing.assert_allclose(M @ constant_turn(Odometry(speed, yaw_rate), -seconds), np.eye(4), atol=1e-12)


def test_driving_ahead_brings_points_closer_and_a_left_turn_moves_them_right() -> None:
    mount = camera_mount(yaw=0.0, pitch=0.04, roll=0.0, x=1.7, y=0.1, z=1.2)
    ahead = camera_motion(mount, Odometry(10.0, 0.0), 0.1)
    assert ahead[2, 3] == pytest.approx(-math.cos(0.04), abs=1e-12)
    turn = camera_motion(mount, Odometry(0.0, 0.5), 0.1) @ [0.0, 0.0, 50.0, 1.0]
    assert turn[0] == pytest.approx(50 * math.sin(0.05), abs=0.2)


def test_the_lever_arm_of_the_camera_before_the_rear_axle_counts() -> None:
    mount = camera_mount(yaw=0.0, pitch=0.0, roll=0.0, x=1.7, y=0.0, z=1.2)
    motion = camera_motion(mount, Odometry(0.0, 0.5), 0.1)
    origin = np.linalg.inv(motion) @ [0.0, 0.0, 0.0, 1.0]  # where the camera is then, in the camera of now
    np.testing.assert_allclose(origin[:3], [-1.7 * math.sin(0.05), 0.0, 1.7 * (math.cos(0.05) - 1)], atol=1e-12)
