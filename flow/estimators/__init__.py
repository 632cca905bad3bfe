"""Optical flow estimators, one file each, found by name; CONTRIBUTING says what such a file holds."""

from segprep.datasets.plugins import PluginGroup

__all__ = ["ESTIMATORS"]

ESTIMATORS = PluginGroup("segprep.flow.estimators", "segprep.estimators", "flow estimator")
