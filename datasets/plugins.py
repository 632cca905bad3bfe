"""Finding datasets, modalities, flow estimators and networks by name.

A member is one file; the file's name is the name that users type. Other packages add theirs through entry points of the
same group. Nothing is imported before it is used.
"""

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from segprep.datasets.errors import ConfigurationError, UnknownNameError

__all__ = ["PluginGroup"]


class PluginGroup:
    """The members of one package plus those that entry points add.

    Args:
        package: For example `segprep.datasets.catalog`.
        entry_point_group: For example `segprep.datasets`; an entry point's object is a module or looks like one.
        noun: How messages call a member, for example "dataset".
    """

    def __init__(self, package: str, entry_point_group: str, noun: str) -> None:
        self._package = package
        self._entry_point_group = entry_point_group
        self._noun = noun
        self._loaded: dict[str, ModuleType] = {}

    def names(self) -> list[str]:
        """Return all names, sorted; modules with a leading underscore are helpers and no members."""
        path = importlib.import_module(self._package).__path__
        own = {m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")}
        return sorted(own | set(self._entry_points()))

    def load(self, name: str) -> ModuleType:
        """Import the member of this name.

        Raises:
            UnknownNameError: If there is none; the message lists those that exist.
            ConfigurationError: If another package's member cannot be imported.
        """
        # Steps ask for their member once per sample; looking through all installed packages takes milliseconds.
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> ModuleType:
        names = self.names()
        if name not in names:
            raise UnknownNameError(f"there is no {self._noun} called {name!r}. Known: {', '.join(names)}")
        added = self._entry_points().get(name)
        if added is not None:
            try:
                module: ModuleType = added.load()
            except Exception as error:  # any fault of somebody else's module is the module's, not ours
                raise ConfigurationError(
                    f"the {self._noun} {name!r}, which the package of {added.value} adds, cannot be loaded "
                    f"({type(error).__name__}: {error}): mend or uninstall that package"
                ) from error
            return module
        return importlib.import_module(f"{self._package}.{name}")

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {e.name: e for e in entry_points(group=self._entry_point_group)}
