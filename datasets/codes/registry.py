"""Codes by the name that stands in their JSON."""

from collections.abc import Callable, Mapping
from typing import Any

from segprep.datasets.codes.base import Code, SourceCode
from segprep.datasets.codes.distance import DepthCode, DisparityCode
from segprep.datasets.codes.flow import KittiFlowCode, SmsnetFlowCode, Vkitti2FlowCode
from segprep.datasets.codes.ids import IdCode, VoidFirstCode
from segprep.datasets.codes.jet import JetCode
from segprep.datasets.codes.labels import RawLabelCode
from segprep.datasets.codes.plain import LinearCode, PlainCode
from segprep.datasets.codes.sources import DepthFileCode, VelodyneCode
from segprep.datasets.errors import CodeRangeError

__all__ = ["code_from_json", "source_code_from_json"]

_AnyCode = Code | DepthFileCode | VelodyneCode

_CODES: dict[str, Callable[..., _AnyCode]] = {
    c.name: c
    for c in (
        PlainCode,
        IdCode,
        VoidFirstCode,
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
        CodeRangeError: If there is no such code, files of it are only read, or its parameters make no sense.
    """
    code = _made(data)
    if isinstance(code, DepthFileCode | VelodyneCode):
        raise CodeRangeError(
            f"files of the code {code.name} are only read: what they hold is written as depth, with DepthCode"
        )
    return code


def source_code_from_json(data: Mapping[str, Any]) -> SourceCode:
    """Build the code that `SourceCode.to_json` described, of files that are only read or any other.

    Raises:
        CodeRangeError: If there is no such code or its parameters make no sense.
    """
    return _made(data)


def _made(data: Mapping[str, Any]) -> _AnyCode:
    parameters = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items() if key != "name"}
    name = data.get("name")
    made_by = _CODES.get(name) if isinstance(name, str) else None
    if made_by is None:
        raise CodeRangeError(f"there is no code called {name!r}. Known: {', '.join(_CODES)}")
    try:
        return made_by(**parameters)
    except TypeError as error:
        raise CodeRangeError(f"the code {name} cannot have these parameters: {parameters} ({error})") from error
