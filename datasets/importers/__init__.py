"""The forms of annotations that segprep imports: one file each, found by name. `_member.py` says what a file holds."""

from segprep.datasets.importers._member import Importer
from segprep.datasets.plugins import PluginGroup

__all__ = ["IMPORTERS", "importer_called"]

IMPORTERS = PluginGroup("segprep.datasets.importers", "segprep.importers", "importer")


def importer_called(name: str) -> Importer:
    """Return the importer of a name; `label-studio` and `label_studio` are one.

    Raises:
        UnknownNameError: If there is none; the message lists those that exist.
        ConfigurationError: If another package's importer cannot be imported.
    """
    member: Importer = IMPORTERS.load(name.replace("-", "_"))
    return member
