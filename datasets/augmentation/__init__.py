"""Joint augmentation: parameters drawn once per sample and variant, and the one affine map that they make."""

from segprep.datasets.augmentation.drawing import Augmentation, draw

__all__ = ["Augmentation", "draw"]
