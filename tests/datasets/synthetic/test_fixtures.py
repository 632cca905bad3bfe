"""The fixtures of the rendered world in somebody else's tests."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

_TESTS = """
import json
import cv2
import numpy as np
import pytest
from segprep.datasets.synthetic import Pair

@pytest.fixture(scope="session")
def rendered_size():
    return 128, 64

def test_flow_leads_to_the_same_colour_and_the_same_depth(rendered_pair: Pair) -> None:
    pair = rendered_pair
    assert pair.first.rgb_HWC.shape == (64, 128, 3)
    for one, other, motion, rigid in (
        (pair.first, pair.second, pair.forward, pair.camera_motion),
        (pair.second, pair.first, pair.backward, np.linalg.inv(pair.camera_motion)),
    ):
        y, x = np.mgrid[0.0:64, 0.0:128]
        seen = motion.valid_HW & ~motion.occluded_HW & (one.depth_HW < 60) & ~motion.moving_HW
        at = (np.dstack([x, y]) + motion.flow_HW2).astype(np.float32)
        there = cv2.remap(other.rgb_HWC, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        assert np.median(np.abs(there.astype(int) - one.rgb_HWC)[seen]) < 8
        points = np.linalg.inv(one.camera.K) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
        points = rigid[:3, :3] @ (points * np.minimum(one.depth_HW, 100).ravel()) + rigid[:3, 3:]
        pixels = one.camera.K @ points
        expected = (pixels[:2] / pixels[2]).T.reshape(64, 128, 2)
        np.testing.assert_allclose(at[seen], expected[seen], atol=1e-3)
    assert set(np.unique(pair.first.label_HW)) > {0}
    assert pair.first.instance_HW.dtype == np.uint16
    assert pair.first.nir_HW.shape == (64, 128)

def test_the_drive_lies_on_disk(rendered_drive) -> None:
    assert json.loads((rendered_drive / "drive.json").read_text())["width"] == 128
    assert len(list(rendered_drive.rglob("rgb/*.png"))) == 6
    assert len(list(rendered_drive.rglob("truth/flow_previous/*.npy"))) == 4
"""


def test_a_suite_that_asks_for_them_has_exact_truth(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["segprep.datasets.synthetic.fixtures"]\n')
    (tmp_path / "test_geometry.py").write_text(_TESTS)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(tmp_path)]
    done = subprocess.run([*run, str(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_others_do_not_pay_for_them() -> None:
    """No entry point loads them into every run of pytest, and the package itself does not need pytest."""
    added = importlib.metadata.entry_points(group="pytest11")
    assert not [each for each in added if each.value.startswith("segprep")]
    code = "import sys, segprep.datasets.synthetic, segprep.datasets.conformance; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
