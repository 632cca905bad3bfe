"""The datasets that segprep knows: one file each, found by name. `_member.py` says what such a file holds."""

from segprep.datasets.plugins import PluginGroup

__all__ = ["CATALOG"]

CATALOG = PluginGroup("segprep.datasets.catalog", "segprep.datasets", "dataset")
