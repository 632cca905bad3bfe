"""The folders at the top of the repository become one namespace package, `segprep`; all else is in pyproject.toml.

`segprep` itself is no package of ours, and `datasets/` has no `__init__.py` (docs/decisions.md): both stay open for the
parts that other packages add.
"""

from setuptools import find_namespace_packages, setup

FOLDERS = ("datasets", "flow", "prep", "train", "workflows")
rooms = find_namespace_packages(include=[pattern for folder in FOLDERS for pattern in (folder, f"{folder}.*")])

setup(
    packages=[f"segprep.{room}" for room in rooms],
    package_dir={f"segprep.{room}": room.replace(".", "/") for room in rooms},
)
