"""`prep show --augment`: variants of a sample, column by column, so that a person sees them move together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.drawing.sheet import compose
from segprep.datasets.drawing.tile import RgbPicture, Tile
from segprep.datasets.errors import ConfigurationError, ConflictError, DamagedStoreError, StoreNotFoundError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask, Sample, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.datasets.standing import changed_cells
from segprep.datasets.workspace import WorkspaceConfig
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.coding import encoded
from segprep.prep.augment.columns import check_columns
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.registry import recorded_steps
from segprep.workflows.stores.augment_request import AugmentRequest
from segprep.workflows.stores.variants import SampleVariants, derived_columns, load_sample
from segprep.workflows.views.tiles import column_tile

__all__ = ["draw_stored_variant", "draw_variants"]

_TILE_WIDTH: Final = 300
_ARROWS: Final = 12  # across a picture
_OUTLINE: Final = (255, 255, 255)
_ARROW: Final = (0, 0, 0)
_NOTE: Final = (60, 60, 60)
_FIRST: Final = ("image", "previous", "next", "label")


def draw_variants(table: Table, key: SampleKey, request: AugmentRequest) -> RgbPicture:
    """Draw the untouched sample and its variants, a row each: (H, W, 3) uint8 RGB.

    The outlines of the labels lie over every column, and arrows over flow.

    Raises:
        ConflictError: If the sample has no columns.
        ConfigurationError: If a column cannot follow the augmentation.
    """
    variants, columns = _variants(table, key)
    config = table.workspace.config
    anew = {each.column for each in variants.derived}
    check_columns(request.config, [column for column in columns if column.name not in anew])
    drawn = [(number, request.draw(key, number, variants.size)) for number in request.variants]
    untouched = load_sample(table.workspace, table.ledger.sample(key), columns)
    tiles = _tiles(config, untouched, variants.columns, "as it is")
    for number, augmentation in drawn:
        tiles += _tiles(config, variants.augmented(augmentation), variants.columns, f"variant {number}")
    notes = [f"variant {number}: {_text(augmentation)}" for number, augmentation in drawn]
    return compose(
        f"{key}: {request.count} variants",
        tiles,
        notes,
        columns=len(columns),
        tile_width=_TILE_WIDTH,
        note_color=_NOTE,
    )


def draw_stored_variant(table: Table, key: SampleKey, variant: int) -> RgbPicture:
    """Make a variant that the split's store holds once more, from what the store keeps of its draw, and draw it.

    Raises:
        ConfigurationError: If the store does not hold it.
    """
    known, workspace = table.ledger.sample(key), table.workspace
    path = workspace.store_path(known.record.split)
    try:
        store = ShardStore.open(path, known.record.split)
    except (StoreNotFoundError, DamagedStoreError) as error:
        raise ConfigurationError(f"variant {variant} cannot be made again without its store: {error}") from error
    rows = [i for i, each in enumerate(store.keys) if each == key and store.variants[i] == variant]
    if not rows:
        offered = sorted({int(store.variants[i]) for i, each in enumerate(store.keys) if each == key})
        raise ConfigurationError(f"{path} has no variant {variant} of {key}; it has {offered}")
    variants, columns = _variants(table, key, names=list(store.columns))
    if variant:
        augmentation = Augmentation.from_json(store.augmentation(rows[0]))
        sample, notes = variants.augmented(augmentation), [_text(augmentation)]
    else:
        sample, notes = load_sample(workspace, known, columns), []
    digests = store.cell_digests
    changed = [] if digests is None else changed_cells(store.cells, digests[rows[0]], known.fingerprints)
    if changed:
        notes.append(f"not as the store holds it: {', '.join(changed)} made anew since")
    tiles = _tiles(workspace.config, sample, variants.columns, f"variant {variant}")
    return compose(f"{key}, variant {variant}", tiles, notes, note_color=_NOTE)


def _variants(table: Table, key: SampleKey, names: Sequence[str] | None = None) -> tuple[SampleVariants, list[Column]]:
    known = table.ledger.sample(key)
    existing = {name: column for name, column in table.columns().items() if known.done(name) is not None}
    columns = [c for n, c in existing.items() if c.kind is not Kind.CAMERA and (names is None or n in names)]
    if not columns:
        raise ConflictError(f"sample {key} has no column to show: run `prep resize` first")
    columns.sort(key=lambda c: (_FIRST.index(c.name) if c.name in _FIRST else len(_FIRST), c.name))
    steps = [step for _, step in recorded_steps(table)]
    return SampleVariants.of(table.workspace, known, columns, derived_columns(steps, existing, columns)), columns


def _tiles(config: WorkspaceConfig, sample: Sample, columns: Mapping[str, Column], caption: str) -> list[Tile]:
    label = sample.arrays.get("label")
    finished = encoded(sample, columns).sample
    tiles = []
    for name, column in columns.items():
        tile = column_tile(column, finished.arrays[name], finished.valid.get(name), config.class_map)
        picture = tile.picture_HW3
        if label is not None and column.kind is not Kind.LABEL:
            picture = _outlined(picture, label)
        if column.kind is Kind.FLOW:
            picture = _with_arrows(picture, sample.arrays[name], sample.valid.get(name))
        tiles.append(replace(tile, caption=f"{name}, {caption}", picture_HW3=picture))
    return tiles


def _outlined(picture: RgbPicture, label_HW: Array) -> RgbPicture:
    edges = np.zeros(label_HW.shape, np.bool_)
    edges[:, 1:] |= label_HW[:, 1:] != label_HW[:, :-1]
    edges[1:] |= label_HW[1:] != label_HW[:-1]
    drawn: RgbPicture = np.where(edges[..., None], np.array(_OUTLINE, np.uint8), picture)
    return drawn


def _with_arrows(picture: RgbPicture, uv_HW2: Array, valid: Mask | None) -> RgbPicture:
    """Draw a vector in the middle of each cell of a grid, from the pixel to where it goes."""
    drawn = np.ascontiguousarray(picture)
    height, width = uv_HW2.shape[:2]
    step = max(4, width // _ARROWS)
    for y in range(step // 2, height, step):
        for x in range(step // 2, width, step):
            if valid is None or valid[y, x]:
                end = round(x + float(uv_HW2[y, x, 0])), round(y + float(uv_HW2[y, x, 1]))
                cv2.arrowedLine(drawn, (x, y), end, _ARROW, max(1, width // 400), tipLength=0.3)
    return drawn


def _text(augmentation: Augmentation) -> str:
    untouched: Mapping[str, object] = {"scale": 1, "rotation": 0, "skew": 0, "brightness": 0, "contrast": 1, "gamma": 1}
    data = augmentation.to_json()
    parts = ["flip"] if augmentation.flip else []
    parts += [f"{name} {data[name]:.3g}" for name, value in untouched.items() if data[name] != value]
    if augmentation.vignette is not None:
        parts.append(f"vignette {augmentation.vignette:.0f}")
    if augmentation.crop != (0, 0, *augmentation.source):
        parts.append("crop " + ", ".join(f"{v:.1f}" for v in augmentation.crop))
    return "; ".join(parts) or "nothing drawn"
