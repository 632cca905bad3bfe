"""One augmentation per sample on a batch of tensors, on the device: every column by its kind, masks and camera with it.

It does what `prep shard --augment` does before samples are stored, to what shards hold: stored integers in, stored
integers of the output size out. The two agree within interpolation error; means over several pixels, which are taken
first where a picture shrinks to less than half, begin at the left upper edge here, so that they differ a little where
sides are no multiples. What a code cannot hold is clipped, without being counted.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.augmentation.camera import camera_turn, keeps_rows, warped_camera
from segprep.datasets.augmentation.config import AugmentationConfig
from segprep.datasets.augmentation.follow import Turn, check_turns, refuse_turned
from segprep.datasets.errors import ConfigurationError, SizeMismatchError
from segprep.datasets.sample import Camera, Matrix
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.augment.color import Colors
from segprep.train.augment.columns import column_of
from segprep.train.augment.grid import Grid, Pooling, as_bits, pooling_of
from segprep.train.augment.groups import Move, Tensors, moved, recolored

__all__ = ["AugmentedBatch", "BatchAugmenter"]


@dataclass(frozen=True, slots=True, eq=False)
class AugmentedBatch:
    """What became of a batch.

    Attributes:
        columns: Column name to (N, H, W) or (N, H, W, C) stored integers, as they came.
        valid: Column name to (N, H, W) bool, for quantities and for every column that came with a mask.
        cameras: (3, 3) intrinsics of each sample, None where they are not known.
    """

    columns: Tensors
    valid: Tensors
    cameras: tuple[Matrix | None, ...]


class BatchAugmenter:
    """Augments batches of some columns.

    Args:
        specs: The columns.
        device: Of the tensors.
        config: What will be drawn from, to refuse it early; None to see when it has been drawn.

    Raises:
        ConfigurationError: If a column is a picture for the eye that cannot be decoded, or cannot follow the
            configuration; names the column.
        CodeRangeError: If a column's code is not known, or its pictures have neither 8 nor 16 bits.
    """

    def __init__(
        self, specs: Sequence[ArraySpec], device: torch.device | str = "cpu", config: AugmentationConfig | None = None
    ) -> None:
        if config is not None:
            check_turns(config, [(spec.name, spec.kind) for spec in specs])
        self._device = torch.device(device)
        self._specs = tuple(specs)
        self._columns = {spec.name: column_of(spec, self._device) for spec in specs}

    @torch.no_grad()
    def augmented(
        self,
        columns: Tensors,
        valid: Tensors,
        augmentations: Sequence[Augmentation],
        cameras: Sequence[Matrix | None] | None = None,
    ) -> AugmentedBatch:
        """Return the augmented batch; tensors that do not change may be those that came.

        Args:
            columns: Column name to (N, H, W) or (N, H, W, C) stored integers on the device, for every column.
            valid: Column name to (N, H, W) masks, bool or 0 and 1; quantities without one are valid everywhere.
            augmentations: One per sample, all with the same output size.
            cameras: (3, 3) intrinsics of each sample. Beyond their own sake they matter to normals alone, where pixels
                are not square or the picture is skewed.

        Raises:
            SizeMismatchError: If sizes or numbers do not fit together.
            ConfigurationError: If a column is missing, or cannot follow; names the column.
        """
        known = [None] * len(augmentations) if cameras is None else list(cameras)
        self._check(columns, valid, augmentations, len(known))
        maps = [each.affine() for each in augmentations]
        if not all(keeps_rows(A) for A in maps):
            for spec in self._specs:
                refuse_turned(spec.name, spec.kind, ("a flip, rotation or skew",))
        stored = {n: columns[n] if columns[n].ndim == 4 else columns[n][..., None] for n in self._columns}
        masks = {name: valid[name].bool() for name in self._columns if name in valid}
        groups: defaultdict[Pooling | None, list[int]] = defaultdict(list)
        for row, (each, A) in enumerate(zip(augmentations, maps, strict=True)):
            groups[pooling_of(A) if each.moves_pixels else None].append(row)
        parts = []
        for pooling, rows in groups.items():
            part, part_masks = (_chosen(each, rows, len(augmentations)) for each in (stored, masks))
            colors = Colors.of([augmentations[row] for row in rows], self._device)
            if pooling is None:
                parts.append(recolored(self._columns, part, part_masks, colors))
                continue
            A_s, turns = [maps[row] for row in rows], [camera_turn(maps[row], known[row]) for row in rows]
            grid = Grid.of(A_s, pooling, augmentations[0].source, augmentations[0].output, self._device)
            move = Move(grid, Turn(self._linear_parts(A_s), self._linear_parts(turns)))
            parts.append(moved(self._columns, part, part_masks, move, colors))
        order = list(groups.values())
        done, done_masks = (_joined([part[which] for part in parts], order) for which in (0, 1))
        return AugmentedBatch(
            {name: values if columns[name].ndim == 4 else values[..., 0] for name, values in done.items()},
            done_masks,
            tuple(
                None if K is None else warped_camera(Camera(K, *each.source), A, each.output).K
                for K, A, each in zip(known, maps, augmentations, strict=True)
            ),
        )

    def _linear_parts(self, maps: Sequence[Matrix]) -> list[list[Tensor]]:
        """Return (N, 1, 1) of each corner."""
        corners_22N = np.stack(maps, -1)[:2, :2].astype(np.float32)
        corners_22N11 = torch.from_numpy(corners_22N)[..., None, None].to(self._device, non_blocking=True)
        return [list(row.unbind()) for row in corners_22N11.unbind()]

    def _check(self, columns: Tensors, valid: Tensors, augmentations: Sequence[Augmentation], cameras: int) -> None:
        if len({(each.source, each.output) for each in augmentations}) != 1:
            raise SizeMismatchError("the augmentations of a batch have one size before and one after")
        width, height = augmentations[0].source
        wanted = (len(augmentations), height, width)
        for name in self._columns:
            if name not in columns:
                raise ConfigurationError(f"column {name!r} is missing in the batch, which has {', '.join(columns)}")
            for what, tensor in ((name, columns[name]), (f"the mask of {name}", valid.get(name))):
                if tensor is not None and tuple(tensor.shape[:3]) != wanted:
                    raise SizeMismatchError(
                        f"{what} is {tuple(tensor.shape)}, but the augmentations were drawn for {wanted[0]} samples of "
                        f"{width}x{height}"
                    )
        if cameras != len(augmentations):
            raise SizeMismatchError(f"{len(augmentations)} samples cannot have {cameras} cameras")


def _chosen(tensors: Tensors, rows: Sequence[int], count: int) -> Tensors:
    if len(rows) == count:
        return tensors
    return {
        name: as_bits(values).index_select(0, _on(rows, values)).view(values.dtype) for name, values in tensors.items()
    }


def _joined(parts: Sequence[Tensors], rows: Sequence[Sequence[int]]) -> Tensors:
    """Undo `_chosen`."""
    if len(parts) == 1:
        return parts[0]
    order = [row for each in rows for row in each]
    back = np.argsort(order).tolist()
    return {
        name: torch.cat([as_bits(part[name]) for part in parts]).index_select(0, _on(back, first)).view(first.dtype)
        for name, first in parts[0].items()
    }


def _on(rows: Sequence[int], values: Tensor) -> Tensor:
    return torch.tensor(rows).to(values.device, non_blocking=True)
