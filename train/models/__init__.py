"""Networks: one file each, found by name. Each has a `Config` dataclass and `build(config, ...)`."""

from segprep.datasets.plugins import PluginGroup

__all__ = ["MODELS"]

MODELS = PluginGroup("segprep.train.models", "segprep.models", "network")
