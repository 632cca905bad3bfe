"""What arrays a network takes, in words."""

from typing import Final

import numpy as np

from segprep.datasets.codes import SourceCode, code_from_json
from segprep.datasets.kinds import Kind
from segprep.datasets.shards.columns import ArraySpec

__all__ = ["kind_of_values", "takes"]

_UNITS: Final = {
    Kind.DEPTH: "depth in metres, inf where infinitely far",
    Kind.DISPARITY: "disparity in pixels",
    Kind.FLOW: "motion (u, v) in pixels",
    Kind.NORMALS: "unit normals",
}


def kind_of_values(kind: Kind, code: SourceCode) -> Kind:
    """Return how geometry treats what a code decodes to: of pictures for the eye the values that they show."""
    shows: Kind | None = getattr(code, "shows", None)
    return shows or kind


def takes(column: ArraySpec) -> str:
    """Return what an array for a column holds: "(H, W) float32 depth in metres, inf where infinitely far"."""
    code = code_from_json(column.code)
    values, _ = code.decode(np.zeros((1, 1, *column.shape[2:]), column.dtype), None)
    shape = "(H, W)" if values.ndim == 2 else f"(H, W, {values.shape[2]})"
    about = column.attributes
    if column.kind is Kind.IMAGE and values.ndim == 3:
        what = "RGB image"
    elif code.shows is not None and "quantity" in about:
        what = f"{about['quantity']} in {about['unit']}" if "unit" in about else str(about["quantity"])
    else:
        what = _UNITS.get(code.shows or column.kind, f"{column.kind} values")
    made = f", {about['source']}" if "source" in about else ""
    return f"{shape} {values.dtype} {what}{made}"
