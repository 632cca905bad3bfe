"""Shares of classes that speak of a wrong mapping."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import ClassMap
from segprep.prep.inspection.facts import BANDS
from segprep.prep.inspection.label_shares import Suspicion, suspect_mapping
from segprep.workflows.checks.findings import Category, CheckedSample, Finding, Severity, by_split, percent
from segprep.workflows.checks.labels import labels_of

__all__ = ["ClassCounts", "class_shares", "count_classes", "single_class"]

Shares = npt.NDArray[np.float64]

_FEW_IMAGES = 20  # fewer say nothing of what a dataset has, or lacks
_COMMON_SHARE = 0.05
_MUCH_SHARE, _MUCH_TIMES = 0.2, 5.0


@dataclass(frozen=True, slots=True, eq=False)
class ClassCounts:
    """The labelled pixels of a part of the dataset.

    Attributes:
        images: How many labels have any.
        pixels_CB: (C, 4) float64 per class, in bands from top to bottom.
    """

    images: int
    pixels_CB: Shares

    def shares(self) -> Shares:
        """Return the (C,) shares of the labelled pixels."""
        return np.asarray(self.pixels_CB.sum(axis=1) / max(self.pixels_CB.sum(), 1.0), np.float64)


def count_classes(samples: Sequence[CheckedSample], class_map: ClassMap) -> dict[str, ClassCounts]:
    """Add up the labelled pixels of each split that has any."""
    found = {}
    for split, members in by_split(samples):
        pixels_CB = np.zeros((len(class_map.classes), BANDS))
        images = 0
        for _, facts in labels_of(members):
            images += bool(facts.train_ids)
            pixels_CB[list(facts.train_ids)] += facts.pixels_KB
        if images:
            found[split] = ClassCounts(images, pixels_CB)
    return found


def single_class(splits: Mapping[str, ClassCounts], class_map: ClassMap) -> Iterator[Finding]:
    """Yield a warning if all labels together show one class: `train run` refuses them."""
    if not splits:
        return
    shown = np.flatnonzero(np.sum([counts.pixels_CB.sum(axis=1) for counts in splits.values()], axis=0))
    if len(shown) == 1:
        name = class_map.names[shown[0]]
        message = f"all labels show one class, {name}: [class_map] in prep.toml says what becomes of their values"
        yield Finding(Severity.WARNING, Category.CLASS_SHARES, message)


def class_shares(
    splits: Mapping[str, ClassCounts], known: Mapping[str, float], class_map: ClassMap
) -> Iterator[Finding]:
    """Yield what the counts of the classes tell: against their usual shares, and of the splits against one another.

    An error says that they look swapped or shifted, a warning that a class is missing or far too frequent.

    Args:
        splits: What `count_classes` found.
        known: Class name to its usual share; classes that are not in it do not count.
        class_map: The classes.
    """
    if not splits:
        return
    expected_C = np.array([known.get(name, np.nan) for name in class_map.names])
    is_known_C = ~np.isnan(expected_C)
    if 2 * is_known_C.sum() < is_known_C.size:
        compared = "splits were compared with one another" if len(splits) > 1 else "the labels were compared with none"
        message = f"the usual shares of these classes are not known: {compared}"
        yield Finding(Severity.NOTE, Category.CLASS_SHARES, message)
        yield from _between_splits(splits, class_map)
        return
    expected_C = expected_C / np.nansum(expected_C)
    counts = {s: ClassCounts(c.images, np.where(is_known_C[:, None], c.pixels_CB, 0)) for s, c in splits.items()}
    whole = ClassCounts(sum(c.images for c in counts.values()), np.sum([c.pixels_CB for c in counts.values()], axis=0))
    suspected = [*_against_known(counts, whole, expected_C, class_map)] or [*_between_splits(splits, class_map)]
    yield from suspected or _odd_classes(whole, expected_C, class_map)


def _against_known(
    splits: Mapping[str, ClassCounts], whole: ClassCounts, expected_C: Shares, class_map: ClassMap
) -> Iterator[Finding]:
    def suspect(where: str, counts: ClassCounts) -> Finding | None:
        suspicion = suspect_mapping(counts.shares()[:, None], expected_C[:, None], class_map, counts.images)
        return _suspected(where, suspicion, counts.shares(), expected_C, "usually", class_map)

    found = [
        f for split, counts in splits.items() if (f := suspect(f"the labels of split {split}", counts)) is not None
    ]
    overall = suspect("the labels", whole)
    if overall is not None and len(found) in (0, len(splits)):
        yield overall
    else:
        yield from found


def _between_splits(splits: Mapping[str, ClassCounts], class_map: ClassMap) -> Iterator[Finding]:
    for (first, ones), (second, others) in combinations(splits.items(), 2):
        # Both are small parts of what there is, so that they differ more than one does from the whole.
        images = min(ones.images, others.images) / 2
        suspicion = suspect_mapping(others.pixels_CB, ones.pixels_CB, class_map, images)
        where = f"the labels of split {second}, or else those of split {first}"
        finding = _suspected(where, suspicion, others.shares(), ones.shares(), f"in {first}", class_map)
        if finding is not None:
            yield finding


def _suspected(
    where: str, suspicion: Suspicion | None, shares_C: Shares, expected_C: Shares, source: str, class_map: ClassMap
) -> Finding | None:
    if suspicion is None:
        return None
    order = np.argsort(-np.abs(np.nan_to_num(shares_C - expected_C)), kind="stable")[:3]
    evidence = ", ".join(
        f"{class_map.names[i]} has {percent(shares_C[i])} of the pixels ({source} {percent(expected_C[i])})"
        for i in order
    )
    message = (
        f"{where}: {suspicion.reading}. As they are, {evidence}. So read, they differ by "
        f"{suspicion.divergence_so_read:.3f} bit instead of {suspicion.divergence:.3f}. Look at some labels, then put "
        "the class map in prep.toml right"
    )
    return Finding(Severity.ERROR, Category.CLASS_SHARES, message)


def _odd_classes(whole: ClassCounts, expected_C: Shares, class_map: ClassMap) -> Iterator[Finding]:
    if whole.images < _FEW_IMAGES:
        return
    for name, share, expected in zip(class_map.names, whole.shares(), expected_C, strict=True):
        if expected >= _COMMON_SHARE and share == 0:
            message = f"{name} occurs in none of {whole.images} labels; its usual share is {percent(expected)}"
        elif share > _MUCH_SHARE and share > _MUCH_TIMES * expected:
            message = f"{name} has {percent(share)} of the labelled pixels; its usual share is {percent(expected)}"
        else:
            continue
        yield Finding(Severity.WARNING, Category.CLASS_SHARES, f"{message}. Is the class map right?")
