"""Telling whether two processes run the same code."""

import hashlib
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

__all__ = ["OUR_FOLDERS", "code_digest", "code_place"]

OUR_FOLDERS = tuple(f"segprep.{folder}" for folder in ("datasets", "flow", "prep", "train", "workflows"))


@cache
def code_digest(names: tuple[str, ...]) -> str:
    """Return a digest over all Python files of packages or modules; empty if one of them is not there.

    A process keeps its first answer, as it keeps the code that it has loaded: one that was started before the files
    changed does not claim to run the new ones.
    """
    total = hashlib.sha256()
    for name in names:
        spec = _spec(name)
        if spec is None:
            return ""
        for relative, path in sorted(_files(spec).items()):
            content = path.read_bytes()
            total.update(f"{name}/{relative}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def code_place(name: str) -> Path | None:
    """Return the folder of a package, or the file of a module; None if it is not there."""
    spec = _spec(name)
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    return Path(places[0])


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except (ImportError, ValueError):
        return None


def _files(spec: ModuleSpec) -> dict[str, Path]:
    """Return the files by their name below the package. Of a namespace in several places, the first has precedence."""
    if not spec.submodule_search_locations:
        return {} if spec.origin is None or not spec.origin.endswith(".py") else {"": Path(spec.origin)}
    files: dict[str, Path] = {}
    for place in map(Path, spec.submodule_search_locations):
        for path in place.rglob("*.py"):
            files.setdefault(path.relative_to(place).as_posix(), path)
    return files
