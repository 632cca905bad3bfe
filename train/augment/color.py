"""The photometric half of augmentations on a batch of pictures, on the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.augmentation.color import color_matrix, vignette_gains
from segprep.datasets.sample import Array

__all__ = ["Colors"]


@dataclass(frozen=True, slots=True, eq=False)
class Colors:
    """What is done to the colours of N pictures; None for what none of them has.

    Attributes:
        gains_N1HW: float32 factors of the vignette.
        tones_N3: float32 contrast, brightness in 255ths of white, gamma.
        gamma: Whether any gamma differs from 1.
        matrix_N33: float32, multiplies (red, green, blue).
    """

    gains_N1HW: Tensor | None
    tones_N3: Tensor | None
    gamma: bool
    matrix_N33: Tensor | None

    @classmethod
    def of(cls, augmentations: Sequence[Augmentation], device: torch.device) -> Self:
        """Collect the numbers of N augmentations with one output size."""
        gains = [vignette_gains(each) for each in augmentations]
        matrices = [color_matrix(each) for each in augmentations]
        tones = [(each.contrast, each.brightness / 255, each.gamma) for each in augmentations]
        gains_N1HW = None
        if any(each is not None for each in gains):
            width, height = augmentations[0].output
            ones = np.ones(height), np.ones(width)
            rows = _tensor([(each or ones)[0] for each in gains], device)
            columns = _tensor([(each or ones)[1] for each in gains], device)
            gains_N1HW = rows[:, None, :, None] * columns[:, None, None, :]
        return cls(
            gains_N1HW,
            _tensor(tones, device) if any(each != (1, 0, 1) for each in tones) else None,
            any(each[2] != 1 for each in tones),
            _tensor([np.eye(3) if each is None else each for each in matrices], device)
            if any(each is not None for each in matrices)
            else None,
        )

    @property
    def any(self) -> bool:
        """Whether anything changes."""
        return self.gains_N1HW is not None or self.tones_N3 is not None or self.matrix_N33 is not None

    def applied(self, picture_NCHW: Tensor, white: int) -> Tensor:
        """Return pictures after vignette, contrast and brightness, gamma, saturation and hue.

        Args:
            picture_NCHW: float32 whole numbers in 0..white; written to. Saturation and hue need three channels, red,
                green, blue, and leave others alone.
            white: 255 or 65535.

        Returns:
            Whole numbers; rounded and clipped after each of the three, as 8 or 16 bits would be.
        """
        if self.gains_N1HW is not None:
            picture_NCHW = picture_NCHW.mul_(self.gains_N1HW).round_()
        if self.tones_N3 is not None:
            contrast, brightness, gamma = self.tones_N3[:, :, None, None, None].unbind(1)
            picture_NCHW = torch.addcmul(brightness, picture_NCHW, contrast / white).clamp_(0, 1)
            if self.gamma:
                picture_NCHW = picture_NCHW.pow_(gamma)
            picture_NCHW = picture_NCHW.mul_(white).round_()
        if self.matrix_N33 is not None and picture_NCHW.shape[1] == 3:
            # Written out, because products of matrices may have ten bits only.
            of_red, of_green, of_blue = self.matrix_N33[..., None, None].unbind(2)
            mixed = picture_NCHW[:, :1] * of_red
            mixed = mixed.addcmul_(picture_NCHW[:, 1:2], of_green).addcmul_(picture_NCHW[:, 2:], of_blue)
            picture_NCHW = mixed.round_().clamp_(0, white)
        return picture_NCHW


def _tensor(values: Sequence[Array | Sequence[float]], device: torch.device) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(device, non_blocking=True)
