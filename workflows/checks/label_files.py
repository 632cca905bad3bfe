"""Label files whose numbers mean something else than those of the others: loss, palettes, bits."""

from collections.abc import Iterator, Sequence

from segprep.datasets.classes import ClassMap
from segprep.prep.inspection.label_form import LabelForm
from segprep.workflows.checks.findings import Category, CheckedSample, Finding, Severity

__all__ = ["label_forms"]

_WHOLE = 8


def label_forms(samples: Sequence[CheckedSample], class_map: ClassMap) -> Iterator[Finding]:
    """Yield a warning for JPEG, for palettes that contradict each other, and for numbers of few bits beside others."""
    forms = [
        (sample, facts.path, facts.form)
        for sample in samples
        if (facts := sample.files.get("label")) is not None and facts.form is not None
    ]
    lossy = [(sample, path) for sample, path, form in forms if form.lossy]
    if lossy and not class_map.snap_distance:
        yield _warning(
            f"{len(lossy)} labels are JPEG: along edges their numbers are others than those that were written. Get the "
            "originals, or let `prep init ... --snap-labels 40` take the nearest known values",
            lossy,
        )
    grey = [(s, path, form.bits) for s, path, form in forms if form.bits is not None]
    narrow = [(s, path) for s, path, bits in grey if bits < _WHOLE]
    if narrow and len(narrow) < len(grey):
        yield _warning(
            f"{len(narrow)} of {len(grey)} grey labels have fewer than {_WHOLE} bits per pixel: their numbers are "
            "spread over 0..255, so that 1 of 2 bits is 85. Are they the same ids as in the other files?",
            narrow,
        )
    yield from _palettes(forms)


def _palettes(forms: Sequence[tuple[CheckedSample, str, LabelForm]]) -> Iterator[Finding]:
    first: dict[int, tuple[int, str]] = {}
    odd: list[tuple[CheckedSample, str]] = []
    example = ""
    for sample, path, form in forms:
        for index, color in form.palette:
            known, other = first.setdefault(index, (color, path))
            if color != known:
                if not odd or odd[-1][1] != path:
                    odd.append((sample, path))
                example = example or f"index {index} is {_text(known)} in {other} and {_text(color)} in {path}"
    if odd:
        yield _warning(
            f"the palettes of {len(odd)} labels give other colours to the same indices: {example}. The indices are "
            "taken as ids; if the colours are what counts, make a new workspace: `prep init` decides it over all files",
            odd,
        )


def _warning(message: str, files: Sequence[tuple[CheckedSample, str]]) -> Finding:
    keys, paths = tuple(sample.key for sample, _ in files), tuple(path for _, path in files)
    return Finding(Severity.WARNING, Category.LABEL_IDS, message, keys, paths)


def _text(packed: int) -> str:
    return str((packed >> 16, packed >> 8 & 255, packed & 255))
