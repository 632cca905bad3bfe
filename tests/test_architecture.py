"""The rules of the folders: imports go down, the trainer knows no Dask, `--help` is light, the wheel is complete."""

import ast
import subprocess
import sys
import zipfile
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


def _modules() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def _module_named(package: str, name: str) -> str:
    """Return what `from package import name` loads: a module of the package, or the package itself."""
    place = ROOT.joinpath(*package.split(".")[1:], name)
    return f"{package}.{name}" if place.is_dir() or place.with_suffix(".py").is_file() else package


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
            assert parts[1] in ALLOWED[folder], f"{path} imports {name}"


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


@pytest.mark.parametrize("command", ["--help", "resize --help", "shard --help"])
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


def test_datasets_has_no_init_and_segprep_is_no_listed_package() -> None:
    assert not (ROOT / "datasets/__init__.py").exists()
    assert '"segprep",' not in (ROOT / "pyproject.toml").read_text(encoding="utf-8").replace(" ", "")


def test_the_wheel_holds_every_module_under_one_top_level_name(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    wanted = ["*.py", "*.toml", "*.md", "LICENSE", "*py.typed"]
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *wanted],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode != 0:
        pytest.skip("the sources are no git checkout, so there is nothing to compare with")
    for name in tracked.stdout.splitlines():
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(sources)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    expected = {f"segprep/{n}" for n in tracked.stdout.splitlines() if n.split("/")[0] in FOLDERS and "/" in n}
    assert packed == {n for n in expected if n.endswith((".py", "py.typed"))}
    assert {n.split("/")[0] for n in packed} == {"segprep"}
