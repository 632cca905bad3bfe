"""`scale.json` beside the files of a column: what their numbers mean, for readers that do not know the ledger."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from segprep.datasets.codes import Code, JetCode
from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace.cells import Column
from segprep.datasets.workspace.folder import Workspace

__all__ = ["scale_files", "wrong_scale_files"]


def scale_files(workspace: Workspace, splits: Iterable[str], columns: Iterable[Column]) -> Iterator[tuple[Path, bytes]]:
    """Yield where such files belong and what they hold; columns whose numbers mean themselves have none."""
    meanings = [(column.name, _meaning(column.code)) for column in columns]
    for split in splits:
        for name, meaning in meanings:
            if meaning is not None:
                path = workspace.column_dir(split, name) / "scale.json"
                yield path, json.dumps(meaning, indent=1, sort_keys=True).encode()


def wrong_scale_files(workspace: Workspace, splits: Iterable[str], columns: Iterable[Column]) -> Iterator[Path]:
    """Yield those that stand there and say something else than the columns do."""
    for path, content in scale_files(workspace, splits, columns):
        if path.is_file() and path.read_bytes() != content:
            yield path


def _meaning(code: Code | None) -> JsonDict | None:
    """Return what the numbers of a code mean; None where they mean themselves."""
    if isinstance(code, JetCode):
        meaning = "low + i * step, where i is the place of the colour in OpenCV's COLORMAP_JET"
        return code.to_json() | {"value": meaning, "step": code.step}
    if code is None or all(s == 1 for s in code.scale):
        return None
    channels, scale, offset = list(code.channels), list(code.scale), list(code.offset)
    about: JsonDict = {"value": "code * scale + offset", "channels": channels, "scale": scale, "offset": offset}
    return code.to_json() | about
