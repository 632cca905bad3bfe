"""YAML of calibrations: plain values and OpenCV's matrices, within bounds; what is wrong is one kind of error."""

from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from segprep.datasets.documents import MAX_DEPTH, utf8_text
from segprep.datasets.source_files import read_file

__all__ = ["read_yaml"]

_MAX_BYTES: Final = 2**20
_OPENCV_HEAD: Final = "%YAML:1.0"  # no directive of YAML
_OPENCV_MATRIX: Final = "tag:yaml.org,2002:opencv-matrix"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Plain values only. No aliases: a few lines of them make gigabytes."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("it has an alias (*name): write the values out")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"lists and mappings are nested more than {MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.add_constructor(_OPENCV_MATRIX, yaml.SafeLoader.construct_yaml_map)


def read_yaml(path: Path) -> Any:  # noqa: ANN401  (whatever the file holds)
    """Read the first document of a file of YAML, also as OpenCV's FileStorage writes it.

    Raises:
        OSError: As `read_file`; also if the file is larger than 1 MB.
        ValueError: If it is no YAML of plain values, has aliases, or is nested too deep.
    """
    text = utf8_text(read_file(path, _MAX_BYTES))
    if text.startswith(_OPENCV_HEAD):
        text = text.removeprefix(_OPENCV_HEAD)
    loader = _Loader(text)
    try:
        return loader.get_data() if loader.check_data() else None
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML of plain values: {' '.join(str(error).split())[:200]}") from error
    finally:
        loader.dispose()
