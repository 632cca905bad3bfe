"""What every importer must fulfil, shown on its own miniature."""

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from segprep.datasets.catalog import folder as folder_member
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.class_files import CLASS_FILE, read_class_map
from segprep.datasets.conformance.catalog import FRAMES
from segprep.datasets.conformance.refusals import refusal
from segprep.datasets.errors import ConflictError, SegprepError
from segprep.datasets.imageio import image_size, read_image
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.writing import ImportReport, import_annotations
from segprep.datasets.importers._member import Importer
from segprep.datasets.record import Direction

__all__ = ["IMPORTER_CHECKS", "check_importer"]


def check_importer(member: Importer, folder: Path) -> None:
    """Run all checks on an importer.

    Args:
        member: A module, or an object that looks like one.
        folder: An empty or absent folder for its miniature.

    Raises:
        AssertionError: If it does not keep what importers promise.
    """
    member.write_miniature(folder, FRAMES)
    for check in IMPORTER_CHECKS:
        check(member, folder)


def check_form(member: Importer, root: Path) -> None:
    """It has a title, and a layout that begins at SOURCE."""
    assert member.SPEC.title, "SPEC.title is empty"
    assert "SOURCE/" in member.SPEC.layout, "SPEC.layout shows no path that begins with SOURCE/"


def check_import(member: Importer, root: Path) -> None:
    """Every picture of the miniature comes in, with labels of its size that hold only known ids."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        report = _imported(member, root, out)
        assert not report.problems, f"the miniature has bad annotations: {report.problems[0]}"
        assert sum(report.splits.values()) == FRAMES, f"{report.splits} pictures came in, in place of {FRAMES}"
        classes = read_class_map(out / CLASS_FILE)
        used = set()
        for record in folder_member.scan(DatasetSource(out), Direction.PREVIOUS):
            size = image_size(out / record.sources["image"].path)
            assert ("instance" in record.sources) == report.instances, f"{record.key}: instances are not as reported"
            for name in record.sources.keys() - {"image"}:
                pixels = read_image(out / record.sources[name].path)
                found = (pixels.shape[1], pixels.shape[0])
                assert found == size, f"{record.key}, {name}: is {found}, the picture {size}"
            used |= set(classes.to_train_ids(read_image(out / record.sources["label"].path)).ravel().tolist())
        assert len(used) > 1, "all labels of the miniature are one class"


def check_again(member: Importer, root: Path) -> None:
    """A second import, and one from a zip, write the same bytes; one into a folder that exists is refused."""
    with tempfile.TemporaryDirectory() as place:
        outs = [Path(place) / name for name in ("first", "second", "third")]
        packed = Path(place) / "source.zip"
        with zipfile.ZipFile(packed, "w") as file:
            for path in sorted(p for p in root.rglob("*") if p.is_file()):
                file.write(path, f"export/{path.relative_to(root).as_posix()}")
        for source, out in zip((root, root, packed), outs, strict=True):
            _imported(member, source, out)
        first, second, third = (_bytes(out) for out in outs)
        assert first == second, "a second import writes other bytes"
        assert first.keys() == third.keys(), f"an import from a zip writes other files: {first.keys() ^ third.keys()}"
        differing = [name for name in first if first[name] != third[name]]
        assert not differing, f"an import from a zip writes other bytes: {differing}"
        refusal(ConflictError, lambda: _imported(member, root, outs[0]), "an import into a folder that exists")


def check_foreign(member: Importer, root: Path) -> None:
    """A folder of something else is refused with the layout that is expected, and nothing is left behind."""
    with tempfile.TemporaryDirectory() as place:
        other, out = Path(place) / "other", Path(place) / "out"
        other.mkdir()
        (other / "letters.txt").write_text("no annotations here")
        message = refusal(SegprepError, lambda: _imported(member, other, out), "a folder of something else")
        assert "SOURCE/" in message, f"the message does not show the layout: {message}"
        assert sorted(p.name for p in Path(place).iterdir()) == ["other"], "a refused import leaves files behind"


def check_damage(member: Importer, root: Path) -> None:
    """Files that are cut short, whichever, are refused or listed; no other error leaves the importer."""
    with tempfile.TemporaryDirectory() as place:
        for number, path in enumerate(sorted(p for p in root.rglob("*") if p.is_file())[:8]):
            copy = Path(place) / f"copy{number}"
            for each in (p for p in root.rglob("*") if p.is_file()):
                target = copy / each.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                data = each.read_bytes()
                target.write_bytes(data[: len(data) // 2] if each == path else data)
            what = f"the miniature with half of {path.relative_to(root)}"
            try:
                _imported(member, copy, Path(place) / f"out{number}")
            except SegprepError:
                continue
            except Exception as error:
                raise AssertionError(f"{what}: raises {type(error).__name__}: {error}") from error


IMPORTER_CHECKS: Final[tuple[Callable[[Importer, Path], None], ...]] = (
    check_form,
    check_import,
    check_again,
    check_foreign,
    check_damage,
)
"""Each is given an importer and the folder that its `write_miniature(folder, FRAMES)` filled."""


def _imported(member: Importer, source: Path, out: Path) -> ImportReport:
    with ImportSource(source) as opened:
        return import_annotations(member, opened, out)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
