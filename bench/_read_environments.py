"""Environments for the libraries that the benchmark of reading compares with: one each, as they exclude each other.

PyTorch is not installed again (with its CUDA libraries it has gigabytes) but linked from the environment that runs this
program. Packages are installed without what they need for clouds, pictures and texts.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PEERS", "Peer", "environment"]

_TORCH_NEEDS = ["filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A library, or several that get on with each other.

    Attributes:
        package: Installed without its dependencies.
        needs: What it needs here.
    """

    package: str
    needs: Sequence[str]


PEERS: dict[str, Peer] = {
    "MDS": Peer(
        "mosaicml-streaming",
        [
            "Brotli",
            "catalogue<3",
            "numpy<2.2",
            "pillow",
            "psutil",
            "python-snappy<1",
            "requests",
            "tqdm",
            "xxhash<4",
            "zstd<2",
        ],
    ),
    "LitData": Peer("litdata", ["boto3", "lightning-utilities", "numpy", "obstore", "psutil", "requests", "tifffile"]),
    "WebDataset": Peer("webdataset", ["braceexpand", "numpy", "pyyaml"]),
    "HF datasets": Peer(
        "datasets",
        [
            "dill",
            "httpx",
            "huggingface-hub",
            "multiprocess",
            "numpy",
            "packaging",
            "pandas",
            "pyarrow",
            "pyyaml",
            "requests",
            "tqdm",
            "xxhash",
        ],
    ),
    "tensorstore": Peer("tensorstore", ["ml-dtypes", "numpy"]),
}
"""By the name of their arms."""


def environment(name: str, folder: Path, peers: Mapping[str, Peer] = PEERS) -> tuple[Path, str]:
    """Make a peer's environment, or take the one that is there.

    Returns:
        Its Python and the peer's version.

    Raises:
        RuntimeError: If it does not install; says why.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    peer = peers[name]
    complete = folder / "complete"
    if not complete.exists():
        venv.create(folder, with_pip=True, clear=True)
        _link_torch(_site_packages(python))
        _install(python, "--no-deps", peer.package)
        _install(python, *peer.needs, *_TORCH_NEEDS)
        complete.touch()
    code = "from importlib.metadata import version; import sys; print(version(sys.argv[1]))"
    return python, _run(python, "-c", code, peer.package).strip()


def _install(python: Path, *packages: str) -> None:
    _run(python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *packages)


def _site_packages(python: Path) -> Path:
    return Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())


def _link_torch(target: Path) -> None:
    """Link PyTorch and what comes with it (CUDA's libraries, where it has them), so that pip sees it as installed."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        raise RuntimeError("PyTorch is not installed here")
    source = Path(spec.origin).parents[1]
    metadata = f"torch-{distribution('torch').version}.dist-info"
    for name in (metadata, "torch", "torchgen", "functorch", "torch.libs", "triton", "nvidia"):
        if (source / name).exists():
            (target / name).symlink_to(source / name)


def _run(python: Path, *arguments: str) -> str:
    done = subprocess.run([str(python), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise RuntimeError((lines or ["no message"])[-1])
    return done.stdout


if __name__ == "__main__":
    print(environment(sys.argv[1], Path(sys.argv[2]).absolute()))
