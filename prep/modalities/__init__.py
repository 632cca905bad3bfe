"""Columns that are made from other columns, one file each, found by name; CONTRIBUTING says what such a file holds."""

from segprep.datasets.plugins import PluginGroup

__all__ = ["MODALITIES"]

MODALITIES = PluginGroup("segprep.prep.modalities", "segprep.modalities", "modality")
