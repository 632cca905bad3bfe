"""How values become the integers of a file and of a shard, and back."""

from segprep.datasets.codes.registry import (
    Code,
    DepthCode,
    DepthFileCode,
    DisparityCode,
    Encoded,
    IdCode,
    JetCode,
    KittiFlowCode,
    LinearCode,
    MaskPlace,
    PlainCode,
    RawLabelCode,
    SmsnetFlowCode,
    VelodyneCode,
    Vkitti2FlowCode,
    code_from_json,
)

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
