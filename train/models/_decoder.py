"""The decoder of AdapNet++ and SSMA, and the part of it that depends on the classes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.train.models._adapnet import EASPP_CHANNELS, SKIP_CHANNELS
from segprep.train.models._layers import BatchNorm, conv_norm, crop, draw_weights, enlarge, make_bilinear
from segprep.train.models._network import Features, Logits
from segprep.train.models._published import Names, conv_norm_names
from segprep.train.models._recompute import Recomputable

__all__ = ["Decoder", "DecoderHead", "published_decoder"]

_CHANNELS = EASPP_CHANNELS


class Decoder(nn.Module):
    """eASPP and skips to (features at 1/4, what was enlarged to 1/4, what was enlarged to 1/8), 256 channels each.

    Args:
        correlated: Whether each skip's channels are weighed by the mean of the features that they are joined to (SSMA).
    """

    def __init__(self, *, correlated: bool) -> None:
        super().__init__()
        self.to_8, self.to_4 = _Enlargement(correlated), _Enlargement(correlated)
        self.apply(draw_weights)

    def forward(self, easpp: Tensor, skip8: Tensor, skip4: Tensor) -> Features:
        """Return the features for `DecoderHead`."""
        eighth, enlarged_8 = self.to_8(easpp, skip8)
        quarter, enlarged_4 = self.to_4(eighth, skip4)
        return quarter, enlarged_4, enlarged_8


class _Enlargement(Recomputable):
    def __init__(self, correlated: bool) -> None:
        super().__init__()
        self.enlarge = nn.Sequential(enlarge(_CHANNELS, _CHANNELS, 2), BatchNorm(_CHANNELS))
        self.correlation = (
            nn.Sequential(
                nn.Conv2d(_CHANNELS, SKIP_CHANNELS, 1, bias=False), BatchNorm(SKIP_CHANNELS), nn.ReLU(inplace=True)
            )
            if correlated
            else None
        )
        self.refine = nn.Sequential(
            conv_norm(_CHANNELS + SKIP_CHANNELS, _CHANNELS, 3), conv_norm(_CHANNELS, _CHANNELS, 3)
        )

    def forward(self, x: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        enlarged = crop(self.enlarge(x), skip.shape[2:])
        if self.correlation is not None:
            skip = skip * self.correlation(F.adaptive_avg_pool2d(enlarged, 1))
        return self.refine(torch.cat([enlarged, skip], dim=1)), enlarged


class DecoderHead(nn.Module):
    """`Decoder`'s features to logits. Enlarging the class scores begins as bilinear interpolation.

    Args:
        classes: How many.
        auxiliary: Weights in the loss of the logits from what was enlarged to 1/4 and to 1/8; none for no such logits.
        relu_scores: Whether the class scores are cut at 0 before they are enlarged.
    """

    def __init__(self, classes: int, *, auxiliary: tuple[float, ...] = (), relu_scores: bool = False) -> None:
        super().__init__()
        self.scores = conv_norm(_CHANNELS, classes, 1, relu=relu_scores)
        larger = enlarge(classes, classes, 4)
        self.enlarge = nn.Sequential(larger, BatchNorm(classes))
        self.weights = auxiliary
        self.auxiliary = nn.ModuleList(conv_norm(_CHANNELS, classes, 1, relu=False) for _ in auxiliary)
        self.apply(draw_weights)
        make_bilinear(larger)

    def forward(self, features: Features, size: tuple[int, int]) -> Logits:
        """Return logits of this height and width; auxiliary ones only while training."""
        quarter, *enlarged = features
        main = crop(self.enlarge(self.scores(quarter)), size)
        if not self.training:
            return Logits(main)
        auxiliary = []
        for weight, score, feature, factor in zip(self.weights, self.auxiliary, enlarged, (4, 8), strict=False):
            logits = F.interpolate(score(feature), scale_factor=factor, mode="bilinear")
            auxiliary.append((weight, crop(logits, size)))
        return Logits(main, tuple(auxiliary))


def published_decoder() -> Names:
    """Return the names of the decoder and its head of the published AdapNet++ and SSMA."""
    layers = {"conv78": "heads.0.scores", "conv5": "heads.0.enlarge"}
    layers |= {"conv911": "heads.0.auxiliary.0", "conv912": "heads.0.auxiliary.1"}
    for own, numbers in (("to_8", (41, 550, 89, 96)), ("to_4", (16, 551, 88, 95))):
        parts = ("enlarge", "correlation", "refine.0", "refine.1")
        layers |= {f"conv{n}": f"trunk.decoder.{own}.{part}" for n, part in zip(numbers, parts, strict=True)}
    names: Names = {}
    for layer, module in layers.items():
        names |= conv_norm_names(layer, module)
    return names
