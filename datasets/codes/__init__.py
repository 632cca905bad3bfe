"""How values become the integers of a file and of a shard, and back.

A code turns an array of values (metres, pixels of motion, ids, colours) into stored 8- or 16-bit integers, and knows
where a file keeps them and their mask. It travels as JSON, so that readers need nothing else. Stored integers in array
order are what shards hold: value = stored * scale + offset, per channel.
"""

from segprep.datasets.codes.base import Code, Encoded, MaskPlace, SourceCode
from segprep.datasets.codes.distance import DepthCode, DisparityCode
from segprep.datasets.codes.flow import KittiFlowCode, SmsnetFlowCode, Vkitti2FlowCode
from segprep.datasets.codes.ids import IdCode, VoidFirstCode
from segprep.datasets.codes.jet import JetCode
from segprep.datasets.codes.labels import RawLabelCode, with_label_reading
from segprep.datasets.codes.plain import LinearCode, PlainCode
from segprep.datasets.codes.registry import code_from_json, source_code_from_json
from segprep.datasets.codes.sources import DepthFileCode, VelodyneCode

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
    "SourceCode",
    "VelodyneCode",
    "Vkitti2FlowCode",
    "VoidFirstCode",
    "code_from_json",
    "source_code_from_json",
    "with_label_reading",
]
