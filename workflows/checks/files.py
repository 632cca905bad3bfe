"""Files that are missing, unreadable, unpaired, or of another size or type than they should be."""

from collections import Counter
from collections.abc import Iterator, Sequence

from segprep.datasets.sample import SampleKey
from segprep.prep.inspection.facts import PictureFacts
from segprep.workflows.checks.facts import FileFacts, Trouble
from segprep.workflows.checks.findings import (
    NEIGHBOURS,
    Category,
    CheckedSample,
    Finding,
    Severity,
    by_split,
    columns_of,
)
from segprep.workflows.checks.orientation import size_hint

__all__ = ["formats", "image_sizes", "lacking_parts", "sizes_within_samples", "unusable_files"]

_PAIRED = ("image", "label")
_MOST_NAMED = 5


def unusable_files(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield an error for each file that is missing or cannot be read, however many samples use it."""
    uses: dict[tuple[str, str], list[tuple[CheckedSample, str, FileFacts]]] = {}
    for sample in samples:
        for name, facts in sample.files.items():
            if facts.problem is not None:
                uses.setdefault((facts.path, facts.kind), []).append((sample, name, facts))
    for each in uses.values():
        # A frame may be the neighbour of another one: what it is to its own sample says more.
        sample, name, facts = min(each, key=lambda use: use[1] in NEIGHBOURS)
        keys = tuple(dict.fromkeys(s.key for s, _, _ in each))
        category, message = _tell(sample, name, facts)
        yield Finding(Severity.ERROR, category, message, keys, (facts.path,), unfit=keys)


def _tell(sample: CheckedSample, name: str, facts: FileFacts) -> tuple[Category, str]:
    if facts.problem is not None and facts.problem.trouble is Trouble.NOT_CHECKED:
        return Category.NOT_CHECKED, f"{name} {facts.problem.reason}"
    if facts.problem is None or facts.problem.trouble is Trouble.UNREADABLE:
        return Category.UNREADABLE, f"{name} {facts.problem.reason if facts.problem else facts.path}"
    if name in _PAIRED:
        other = _PAIRED[1 - _PAIRED.index(name)]
        partner = sample.files.get(other)
        if partner is not None and not _is_missing(partner):
            return Category.UNPAIRED, f"{other} {partner.path} has no {name}: {facts.problem.reason}"
    return Category.MISSING, f"{name} {facts.problem.reason}"


def _is_missing(facts: FileFacts) -> bool:
    return facts.problem is not None and facts.problem.trouble is Trouble.MISSING


def lacking_parts(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield an error for each sample without an image or a label of which other samples of its split have one."""
    for split, members in by_split(samples):
        for name, other in (_PAIRED, _PAIRED[::-1]):
            if not any(name in sample.files for sample in members):
                continue
            for sample in members:
                if name not in sample.files:
                    partner = sample.files.get(other)
                    where = f"sample {sample.key}" if partner is None else f"{other} {partner.path}"
                    message = f"{where} has no {name}, as others of split {split} do"
                    paths = () if partner is None else (partner.path,)
                    yield Finding(Severity.ERROR, Category.UNPAIRED, message, (sample.key,), paths, (sample.key,))


def sizes_within_samples(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield an error for each file, and for each camera, that is of another size than its sample's image."""
    for sample in samples:
        image = sample.size_of("image")
        if image is None:
            continue
        path = sample.files["image"].path
        for name, facts in sample.files.items():
            size = sample.size_of(name)
            if size is not None and size != image:
                message = f"{name} {facts.path} is {_text(size)}, its image {path} {_text(image)}"
                message += size_hint(sample, name)
                yield Finding(
                    Severity.ERROR, Category.SIZE, message, (sample.key,), (facts.path, path), unfit=(sample.key,)
                )
        if sample.camera is not None and sample.camera.size != image:
            message = f"the camera of {path} is calibrated for {_text(sample.camera.size)}, the image is {_text(image)}"
            yield Finding(Severity.ERROR, Category.SIZE, message, (sample.key,), (path,), unfit=(sample.key,))


def image_sizes(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield a warning if images differ in size: they need `--size`, or cannot stand in one store."""
    sizes = [(sample, size) for sample in samples if (size := sample.size_of("image")) is not None]
    counts = Counter(size for _, size in sizes)
    if len(counts) < 2:
        return
    (usual, _), *others = counts.most_common()
    odd = [sample for sample, size in sizes if size != usual]
    named = ", ".join(f"{_text(size)} ({n})" for size, n in others[:_MOST_NAMED])
    more = f" and {len(others) - _MOST_NAMED} other sizes" if len(others) > _MOST_NAMED else ""
    message = (
        f"{len(odd)} of {len(sizes)} images are not {_text(usual)}: {named}{more}. `prep resize --size` brings all to "
        "one size"
    )
    yield _grouped(Category.SIZE, message, odd, "image")


def formats(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield a warning for each column whose files differ in channels or type."""
    for name in columns_of(samples):
        if name in NEIGHBOURS:
            continue
        pictures = [(s, p) for s in samples if name in s.files and (p := s.files[name].picture) is not None]
        counts = Counter(_format(picture) for _, picture in pictures)
        if len(counts) < 2:
            continue
        (usual, _), *others = counts.most_common()
        odd = [sample for sample, picture in pictures if _format(picture) != usual]
        named = ", ".join(f"{text} ({n})" for text, n in others)
        message = f"{len(odd)} of {len(pictures)} files of {name} are not {usual} as the others are: {named}"
        yield _grouped(Category.FORMAT, message, odd, name)


def _grouped(category: Category, message: str, samples: Sequence[CheckedSample], name: str) -> Finding:
    keys: tuple[SampleKey, ...] = tuple(s.key for s in samples)
    return Finding(Severity.WARNING, category, message, keys, tuple(s.files[name].path for s in samples))


def _format(picture: PictureFacts) -> str:
    return f"{picture.dtype} with {picture.channels} channel{'s' if picture.channels > 1 else ''}"


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
