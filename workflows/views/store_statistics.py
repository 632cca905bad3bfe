"""`prep stats`: what a store's own sums say of its columns."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table

from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.finite import store_statistics
from segprep.datasets.shards.statistics import LabelStatistics, Statistics, ValueStatistics

__all__ = ["draw_statistics", "statistics_json"]


@dataclass(frozen=True, slots=True)
class _Channel:
    """Mean and standard deviation of a channel's finite values in units of its column."""

    name: str
    mean: float
    std: float


def statistics_json(stores: Mapping[str, ShardStore]) -> JsonDict:
    """Return everything by store and column; NaN as None."""
    return {name: {"samples": len(store), "columns": _columns_json(store)} for name, store in stores.items()}


def draw_statistics(stores: Mapping[str, ShardStore]) -> list[RenderableType]:
    """Return lines and tables."""
    drawn: list[RenderableType] = []
    for name, store in stores.items():
        drawn.append(f"{name}: {len(store)} samples")
        statistics = store_statistics(store)
        drawn += [
            _label_table(column, found, store.columns[column].classes)
            for column, found in statistics.items()
            if isinstance(found, LabelStatistics)
        ]
        drawn.append(_value_table(store, statistics))
    return drawn


def _columns_json(store: ShardStore) -> JsonDict:
    columns: JsonDict = {}
    for name, found in store_statistics(store).items():
        if isinstance(found, LabelStatistics):
            columns[name] = {
                "classes": list(store.columns[name].classes),
                "pixels": list(found.pixels),
                "shares": [_known(share) for share in found.shares],
                "samples_with": list(found.present),
                "ignored": found.ignored,
                "median_frequency_weights": list(found.median_frequency_weights),
                "enet_weights": list(found.enet_weights),
            }
        else:
            columns[name] = {
                "valid": _share(store, name, found.count),
                "infinitely_far": None if found.far is None else _share(store, name, found.far.pixels),
                "stored_mean": [_known(v) for v in found.mean],
                "stored_std": [_known(v) for v in found.std],
                "channels": [
                    {"name": c.name, "mean": _known(c.mean), "std": _known(c.std)}
                    for c in _channels(store, name, found)
                ],
            }
    return columns


def _label_table(column: str, found: LabelStatistics, classes: tuple[str, ...]) -> Table:
    total = sum(found.pixels) + found.ignored
    table = Table(title=f"{column}: {found.ignored / total:.2%} of the pixels ignored", title_justify="left")
    table.add_column("class")
    for header in ("pixels", "share", "samples with it", "median-frequency weight", "ENet weight"):
        table.add_column(header, justify="right")
    columns = (found.pixels, found.shares, found.present, found.median_frequency_weights, found.enet_weights)
    for name, pixels, share, present, median, enet in zip(classes, *columns, strict=True):
        table.add_row(name, f"{pixels}", f"{share:.4%}", f"{present}", f"{median:.3f}", f"{enet:.3f}")
    return table


def _value_table(store: ShardStore, statistics: Mapping[str, Statistics]) -> Table:
    table = Table()
    for header in ("column", "channel"):
        table.add_column(header)
    for header in ("mean", "std", "valid", "infinitely far"):
        table.add_column(header, justify="right")
    for name, found in statistics.items():
        if isinstance(found, ValueStatistics):
            valid = f"{_share(store, name, found.count):.2%}"
            far = "" if found.far is None else f"{_share(store, name, found.far.pixels):.2%}"
            for channel in _channels(store, name, found):
                table.add_row(name, channel.name, f"{channel.mean:.4g}", f"{channel.std:.4g}", valid, far)
    return table


def _share(store: ShardStore, name: str, pixels: int) -> float:
    """Return the share in all pixels of a column."""
    height, width = store.columns[name].shape[:2]
    return pixels / (len(store) * height * width)


def _channels(store: ShardStore, name: str, found: ValueStatistics) -> list[_Channel]:
    """Return the statistics in the column's own units: value = stored * scale + offset."""
    spec = store.columns[name]
    per_channel = zip(spec.channels or ("",), spec.code_scale, spec.code_offset, found.mean, found.std, strict=True)
    return [_Channel(c, mean * scale + offset, std * scale) for c, scale, offset, mean, std in per_channel]


def _known(value: float) -> float | None:
    return value if value == value else None
