"""Optical flow estimators, one file each, found by name: `estimate(first_rgb_HWC, second_rgb_HWC) -> uv_HW2`."""

from segprep.datasets.plugins import PluginGroup

__all__ = ["ESTIMATORS"]

ESTIMATORS = PluginGroup("segprep.flow.estimators", "segprep.estimators", "flow estimator")
