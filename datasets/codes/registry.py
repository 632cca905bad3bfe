"""How values become the integers of a file and of a shard, and back.

A code turns an array of values (metres, pixels of motion, ids, colours) into stored 8- or 16-bit integers, and knows
where a file keeps them and their mask. It travels as JSON, so that readers need nothing else. Stored integers in array
order are what shards hold: value = stored * scale + offset, per channel.
"""

from collections.abc import Mapping
from typing import Any

from segprep.datasets.codes.base import Code, Encoded, MaskPlace
from segprep.datasets.codes.distance import DepthCode, DisparityCode
from segprep.datasets.codes.flow import KittiFlowCode, SmsnetFlowCode, Vkitti2FlowCode
from segprep.datasets.codes.jet import JetCode
from segprep.datasets.codes.plain import IdCode, LinearCode, PlainCode, RawLabelCode
from segprep.datasets.codes.sources import DepthFileCode, VelodyneCode
from segprep.datasets.errors import CodeRangeError

__all__ = [
    "Code",
    "DepthCode",
    "DepthFileCode",
    "DisparityCode",
    "Encoded",
    "IdCode",
    "JetCode",
    "KittiFlowCode",
    "LinearCode",
    "MaskPlace",
    "PlainCode",
    "RawLabelCode",
    "SmsnetFlowCode",
    "VelodyneCode",
    "Vkitti2FlowCode",
    "code_from_json",
]

_CODES: dict[str, type[Code]] = {
    c.name: c
    for c in (
        PlainCode,
        IdCode,
        RawLabelCode,
        LinearCode,
        DepthCode,
        DepthFileCode,
        DisparityCode,
        KittiFlowCode,
        Vkitti2FlowCode,
        SmsnetFlowCode,
        VelodyneCode,
        JetCode,
    )
}


def code_from_json(data: Mapping[str, Any]) -> Code:
    """Build the code that `Code.to_json` described.

    Raises:
        CodeRangeError: If there is no such code or its parameters make no sense.
    """
    parameters = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items() if key != "name"}
    made_by = _CODES.get(data.get("name", ""))
    if made_by is None:
        raise CodeRangeError(f"there is no code called {data.get('name')!r}. Known: {', '.join(_CODES)}")
    try:
        return made_by(**parameters)
    except TypeError as error:
        raise CodeRangeError(f"the code {data['name']} cannot have these parameters: {parameters} ({error})") from error
