"""What the numbers in a column's files mean, written beside them for readers without segprep."""

import json
from collections.abc import Sequence

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.codes import Code, JetCode
from segprep.datasets.sample import JsonDict
from segprep.prep.step import Step
from segprep.workflows.ledger.table import Table

__all__ = ["write_scales"]


def write_scales(table: Table, steps: Sequence[Step]) -> None:
    """Write `scale.json` beside the files of columns whose numbers need decoding, for readers without segprep."""
    for split in table.ledger.splits():
        for step in steps:
            for column in step.outputs:
                data = _meaning(column.code)
                if data is None:
                    continue
                path = table.workspace.column_dir(split, column.name) / "scale.json"
                text = json.dumps(data, indent=1, sort_keys=True).encode()
                if not path.is_file() or path.read_bytes() != text:
                    atomic_write_bytes(path, text)


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
