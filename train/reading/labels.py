"""What the labels of a run's stores tell before it begins: a single class, or hardly any labelled pixel."""

from collections.abc import Iterator, Sequence

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import MOSTLY_IGNORED
from segprep.datasets.shards.statistics import LabelStatistics
from segprep.train.reading.sources import Source

__all__ = ["refuse_one_class", "told_of_ignored"]


def refuse_one_class(sources: Sequence[Source]) -> None:
    """Refuse labels that show a single class: whatever a network says of them is right.

    Raises:
        ConfigurationError: With the class and what to do.
    """
    for source in sources:
        statistics = _statistics(source)
        shown = source.classes
        if statistics is not None:
            shown = tuple(name for name, n in zip(source.classes, statistics.pixels, strict=True) if n)
        if len(source.classes) == 1 or len(shown) == 1:
            raise ConfigurationError(
                f"column {source.target} of {source.train.path} shows one class, {(shown or source.classes)[0]}: a "
                "network that always answers with it has mean IoU 1 and loss 0, and has learned nothing. See what the "
                "labels hold: `prep init` in a new workspace shows it, [class_map] in prep.toml says what becomes a "
                "class. If one class is what you want: --set data.one_class=true"
            )


def told_of_ignored(sources: Sequence[Source]) -> Iterator[str]:
    """Yield a sentence for each store in which nearly all pixels are ignored.

    Raises:
        ConfigurationError: If nobody wrote the classes: it is rather the guess that is wrong.
    """
    for source in sources:
        statistics = _statistics(source)
        if statistics is None:
            continue
        share = statistics.ignored / max(1, statistics.ignored + sum(statistics.pixels))
        if share <= MOSTLY_IGNORED:
            continue
        sentence = f"{share:.1%} of the pixels of column {source.target} of {source.train.path} are ignored"
        if source.class_map.found and source.target == "label":
            raise ConfigurationError(
                f"{sentence}, and their classes were guessed by `prep init`. Look at [class_map] in prep.toml: correct "
                "what is ignored, or, if it is right, delete the line `found = true` there; then run `prep resize` and "
                "`prep shard` again"
            )
        yield sentence


def _statistics(source: Source) -> LabelStatistics | None:
    found = source.train.statistics.get(source.target)
    return found if isinstance(found, LabelStatistics) else None
