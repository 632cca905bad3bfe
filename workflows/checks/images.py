"""Images that occur twice, byte for byte or to the eye."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from segprep.prep.inspection.likeness import alike_across
from segprep.workflows.checks.findings import Category, CheckedSample, Finding, Severity

__all__ = ["alike_images", "same_images"]


def same_images(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield each group of byte-identical images: an error across splits, a warning within one.

    Of a group across splits the members of the smallest split stay in a list of good samples: an evaluation keeps its
    samples, training has enough.
    """
    per_split = Counter(sample.split for sample in samples)
    groups: dict[bytes, list[CheckedSample]] = {}
    for sample in samples:
        facts = sample.files.get("image")
        if facts is not None and facts.digest:
            groups.setdefault(facts.digest, []).append(sample)
    for members in groups.values():
        if len(members) < 2:
            continue
        keys = tuple(s.key for s in members)
        paths = tuple(s.files["image"].path for s in members)
        splits = sorted({s.split for s in members}, key=lambda split: (per_split[split], split))
        named = ", ".join(f"{path} ({key})" for path, key in zip(paths, keys, strict=True))
        if len(splits) > 1:
            message = f"the same image is in splits {', '.join(splits)}, so that one leaks into another: {named}"
            unfit = tuple(s.key for s in members if s.split != splits[0])
            yield Finding(Severity.ERROR, Category.SAME_IMAGE, message, keys, paths, unfit)
        else:
            message = f"the same image is {len(members)} times in split {splits[0]}: {named}"
            yield Finding(Severity.WARNING, Category.SAME_IMAGE, message, keys, paths)


def alike_images(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield a warning for images of different splits that look the same; each with the one that is most like it."""
    hashed = [s for s in samples if "image" in s.files and s.files["image"].likeness is not None]
    hashes_N = np.array([s.files["image"].likeness for s in hashed], np.uint64)
    numbers = {split: i for i, split in enumerate(dict.fromkeys(s.split for s in hashed))}
    groups_N = np.array([numbers[s.split] for s in hashed], np.intp)
    for pair in alike_across(hashes_N, groups_N):
        first, second = hashed[pair.first], hashed[pair.second]
        if first.files["image"].digest == second.files["image"].digest:
            continue
        paths = (first.files["image"].path, second.files["image"].path)
        message = (
            f"{paths[0]} of split {first.split} and {paths[1]} of split {second.split} look the same "
            f"({pair.distance} of 64 bits differ): a copy, or a camera that stood still"
        )
        yield Finding(Severity.WARNING, Category.ALIKE, message, (first.key, second.key), paths)
