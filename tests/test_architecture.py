"""The rules of folders and rooms: imports go down, the trainer knows no Dask, `--help` is light."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("prep", "flow", "datasets", "train", "workflows")
ALLOWED = {
    "datasets": {"datasets"},
    "flow": {"flow", "datasets"},
    "prep": {"prep", "flow", "datasets"},
    "workflows": {"workflows", "prep", "flow", "datasets"},
    "train": {"train", "datasets"},
}
# What is missing of a sample is made by the preparation's own steps, where a network is used.
ALLOWED_ROOMS = {"train/predict": {"prep", "flow"}, "train/serve": {"prep", "flow"}}


# Rooms and loose modules of each folder, the ground first: a room may use what lies on floors below its own, no room
# beside it. Modules that lie loose on one floor may use each other.
FLOORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "datasets": (
        (
            "atomic",
            "class_files",
            "classes",
            "documents",
            "errors",
            "file_records",
            "json_values",
            "kinds",
            "label_reading",
            "machine",
            "made_classes",
            "names",
            "notices",
            "packed_colors",
            "plugins",
            "record",
            "sample",
            "snapping",
            "source_files",
            "unknown_labels",
        ),
        ("program",),
        ("augmentation", "codes", "imageio"),
        ("drawing", "lists", "shards", "synthetic", "workspace"),
        ("catalog", "importers", "standing"),
        ("conformance",),
    ),
    "flow": (
        ("consistency", "evaluation", "field", "flow_files", "grid", "metrics", "opencv"),
        ("estimators",),
        ("camera",),
        ("conformance",),
    ),
    "prep": (
        ("step",),
        ("augment", "depth", "inspection", "labels", "spectral"),
        ("modalities", "resizing"),
        ("conformance", "motion"),
    ),
    "train": (
        ("models", "reading", "runs"),
        ("augment", "network"),
        ("conformance", "evaluation"),
        ("learning",),
        ("predict",),
        ("export",),
        ("serve",),
        ("command",),
        ("cli",),
    ),
    "workflows": (
        ("ledger",),
        ("running",),
        ("samples", "stages"),
        ("checks", "stores"),
        ("views",),
        ("command",),
        ("cli",),
    ),
}


@functools.cache
def _modules() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def _module_named(package: str, name: str) -> str:
    """Return what `from package import name` loads: a module of the package, or the package itself."""
    place = ROOT.joinpath(*package.split(".")[1:], name)
    return f"{package}.{name}" if place.is_dir() or place.with_suffix(".py").is_file() else package


@functools.cache
def _imports(path: Path) -> set[str]:
    """Return the dotted names that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.update(_module_named(node.module or "", alias.name) for alias in node.names)
    return names


@pytest.mark.parametrize("path", _modules(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_only_downward(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    for name in _imports(path):
        parts = name.split(".")
        assert parts[0] not in FOLDERS, f"{path} imports {name}: the import name is segprep.{name}"
        if parts[0] == "segprep":
            room = path.relative_to(ROOT).parent.as_posix()
            assert parts[1] in ALLOWED[folder] | ALLOWED_ROOMS.get(room, set()), f"{path} imports {name}"


def _room_of(name: str) -> tuple[str, str] | None:
    """Return folder and room of a dotted name; a loose module is its own room. None for folders themselves."""
    parts = name.split(".")
    return (parts[1], parts[2]) if parts[0] == "segprep" and len(parts) > 2 else None


def _floor(folder: str, room: str) -> int:
    return next((number for number, rooms in enumerate(FLOORS[folder]) if room in rooms), -1)


def _is_loose(folder: str, room: str) -> bool:
    return (ROOT / folder / f"{room}.py").is_file()


def test_every_room_stands_on_one_floor() -> None:
    for folder, floors in FLOORS.items():
        rooms = {p.parent.name for p in (ROOT / folder).glob("*/*.py")}
        loose = {p.stem for p in (ROOT / folder).glob("*.py")} - {"__init__"}
        assert sorted(rooms | loose) == sorted(room for floor in floors for room in floor), folder


def test_rooms_use_only_floors_below() -> None:
    """With `pytest -s` it prints what each room uses."""
    uses: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for path in _modules():
        folder, room = path.relative_to(ROOT).with_suffix("").parts[:2]
        found = {used for name in _imports(path) if (used := _room_of(name)) is not None}
        uses.setdefault((folder, room), set()).update(found - {(folder, room)})
    arrows_up = [
        f"{folder}/{room} -> {other_room}"
        for (folder, room), used in sorted(uses.items())
        for other, other_room in sorted(used)
        if other == folder
        and room != "__init__"  # the folder's face
        and _floor(folder, other_room) >= _floor(folder, room)
        and not (_is_loose(folder, room) and _is_loose(folder, other_room))
    ]
    for folder, floors in reversed(FLOORS.items()):
        for number, rooms in reversed(list(enumerate(floors))):
            for room in rooms:
                names = sorted(f"{o}/{r}" if o != folder else r for o, r in uses.get((folder, room), ()))
                print(f"{folder}, floor {number}: {room} uses {', '.join(names) or 'nothing'}")  # noqa: T201
    assert arrows_up == []


def test_every_room_of_tests_has_its_room() -> None:
    folders = {p.parent.relative_to(ROOT / "tests") for p in (ROOT / "tests").rglob("test_*.py")}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder).is_dir()] == []


def test_there_are_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for path in _modules():
        parts = ["segprep", *path.relative_to(ROOT).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        graph[name] = {n for n in _imports(path) if n.startswith("segprep.") and n != name}
    settled: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in settled:
            for other in graph.get(name, ()):
                visit(other, (*trail, name))
            settled.add(name)

    for name in graph:
        visit(name, ())


def test_modules_stay_small() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _modules()}
    assert {str(p): n for p, n in lines.items() if n > 400} == {}
    assert sorted(lines.values())[len(lines) // 2] < 150
    assert not [p for p in lines if p.name == "utils.py"]


def _loaded_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after a statement."""
    code = f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\n"
    code += "print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "command", ["--help", "resize --help", "flow --help", "modality --help", "modality jet --help", "shard --help"]
)
def test_prep_help_loads_neither_torch_nor_dask(command: str) -> None:
    arguments = ["prep", *command.split()]
    loaded = _loaded_after(f"sys.argv = {arguments}; from segprep.workflows.cli import main; main()")
    assert loaded.isdisjoint({"torch", "dask", "distributed", "zarr"})


def test_train_help_does_not_load_torch() -> None:
    loaded = _loaded_after("sys.argv = ['train', 'run', '--help']; from segprep.train.cli import main; main()")
    assert "torch" not in loaded


def test_the_whole_trainer_never_loads_dask() -> None:
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in sorted((ROOT / "train").rglob("*.py"))]
    imports = ", ".join(f"segprep.{n.removesuffix('.__init__')}" for n in names)
    assert _loaded_after(f"import {imports}").isdisjoint({"dask", "distributed"})


def test_datasets_has_no_init() -> None:
    assert not (ROOT / "datasets/__init__.py").exists(), "from the checkout it would hide another package `datasets`"
