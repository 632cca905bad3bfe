"""Labels: ids that nobody knows, and images without any label."""

from collections import Counter
from collections.abc import Iterator, Sequence

from segprep.datasets.classes import ClassMap
from segprep.datasets.kinds import MOSTLY_IGNORED
from segprep.prep.inspection.facts import LabelFacts, LabelValue
from segprep.workflows.checks.findings import Category, CheckedSample, Finding, Severity, by_split, percent

__all__ = ["labels_of", "mostly_ignored", "unknown_ids", "unlabelled"]

_MOST_NAMED = 10


def unknown_ids(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield the sum of all ids or colours outside the class map, and then an error for each file that has any."""
    bad = [(s, facts) for s, facts in labels_of(samples) if facts.unknown_pixels]
    if len(bad) > 1:
        pixels: Counter[LabelValue] = Counter()
        files: Counter[LabelValue] = Counter()
        for _, facts in bad:
            pixels.update(dict(facts.unknown))
            files.update(value for value, _ in facts.unknown)
        in_order = sorted(pixels, key=lambda value: (-pixels[value], str(value)))
        named = ", ".join(f"{v} ({pixels[v]} px in {files[v]} labels)" for v in in_order[:_MOST_NAMED])
        more = f" and {len(in_order) - _MOST_NAMED} more" if len(in_order) > _MOST_NAMED else ""
        message = (
            f"{len(bad)} labels hold values outside the class map: {named}{more}. Add them to a class or to what is "
            "ignored, in prep.toml"
        )
        keys = tuple(s.key for s, _ in bad)
        paths = tuple(s.files["label"].path for s, _ in bad)
        yield Finding(Severity.ERROR, Category.LABEL_IDS, message, keys, paths, unfit=keys)
    for sample, facts in bad:
        path = sample.files["label"].path
        named = ", ".join(f"{value} ({n} px)" for value, n in facts.unknown[:_MOST_NAMED])
        rest = facts.unknown_values - min(len(facts.unknown), _MOST_NAMED)
        more = f" and {rest} more" if rest else ""
        message = f"{path} holds values outside the class map: {named}{more}"
        yield Finding(Severity.ERROR, Category.LABEL_IDS, message, (sample.key,), (path,), unfit=(sample.key,))


def unlabelled(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield a warning for each split with labels in which every pixel is ignored."""
    for split, members in by_split(samples):
        labels = list(labels_of(members))
        empty = [s for s, facts in labels if not facts.train_ids and not facts.unknown_pixels]
        if empty:
            hint = ": are they kept back for a benchmark?" if len(empty) == len(labels) else ""
            message = f"{len(empty)} of {len(labels)} labels of split {split} are ignored in every pixel{hint}"
            paths = tuple(s.files["label"].path for s in empty)
            yield Finding(Severity.WARNING, Category.UNLABELLED, message, tuple(s.key for s in empty), paths)


def mostly_ignored(samples: Sequence[CheckedSample], class_map: ClassMap) -> Iterator[Finding]:
    """Yield a warning for each split in whose labels hardly any pixel has a class."""
    for split, members in by_split(samples):
        facts = [facts for _, facts in labels_of(members)]
        labelled = sum(int(each.pixels_KB.sum()) for each in facts)
        ignored = sum(each.ignored for each in facts)
        if labelled and ignored > MOSTLY_IGNORED * (labelled + ignored):
            guess = ", which was guessed by `prep init`," if class_map.found else ""
            share = percent(ignored / (labelled + ignored))
            message = (
                f"{share} of the labels' pixels of split {split} are ignored: is this meant? [class_map] in prep.toml"
                f"{guess} says which values are"
            )
            yield Finding(Severity.WARNING, Category.UNLABELLED, message)


def labels_of(samples: Sequence[CheckedSample]) -> Iterator[tuple[CheckedSample, LabelFacts]]:
    """Yield the samples whose label was read, with what it holds."""
    for sample in samples:
        facts = sample.files.get("label")
        if facts is not None and facts.labels is not None:
            yield sample, facts.labels
