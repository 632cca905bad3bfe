"""ImageNet's weights as torchvision publishes them, downloaded once."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import urlopen

from segprep.datasets.atomic import PARTIAL_SUFFIX, StagedFile, commit, discard
from segprep.datasets.errors import ConfigurationError, UnreadableFileError, WriteFailedError

__all__ = ["IMAGENET_FILES", "ImageNetFile", "imagenet_file"]

_CHUNK: Final = 1 << 20
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class ImageNetFile:
    """A published file.

    Attributes:
        url: Where it is.
        sha256: The beginning of its SHA-256, hexadecimal.
    """

    url: str
    sha256: str


IMAGENET_FILES: Final = {
    "resnet50": ImageNetFile("https://download.pytorch.org/models/resnet50-0676ba61.pth", "0676ba61"),
    "mobilenet_v3_large": ImageNetFile(
        "https://download.pytorch.org/models/mobilenet_v3_large-8738ca79.pth", "8738ca79"
    ),
    "vgg16": ImageNetFile("https://download.pytorch.org/models/vgg16-397923af.pth", "397923af"),
}
"""By the names of `backbone_of`."""


def imagenet_file(backbone: str, cache: Path) -> Path:
    """Return the file of a backbone's weights; it is downloaded if the cache does not have it whole.

    Args:
        backbone: A name of `IMAGENET_FILES`.
        cache: Folder for such files; it is made if it does not exist.

    Raises:
        ConfigurationError: If there is no such backbone, or no network.
        UnreadableFileError: If what came is not what was published.
        WriteFailedError: If it cannot be written.
    """
    if backbone not in IMAGENET_FILES:
        raise ConfigurationError(f"there are no weights of {backbone!r}. Known: {', '.join(IMAGENET_FILES)}")
    source = IMAGENET_FILES[backbone]
    path = cache / Path(urlsplit(source.url).path).name
    if path.is_file() and _sha256(path).startswith(source.sha256):
        return path
    staged = StagedFile(path.with_name(f"{path.name}.{os.getpid()}{PARTIAL_SUFFIX}"), path)
    try:
        found = _download(source.url, staged.temporary)
        if not found.startswith(source.sha256):
            raise UnreadableFileError(
                f"{source.url} gave a file whose SHA-256 begins with {found[: len(source.sha256)]} instead of "
                f"{source.sha256}: try again; if it stays so, something on the way changes what is downloaded"
            )
        commit([staged])
    except BaseException:
        discard([staged])
        raise
    return path


def _download(url: str, path: Path) -> str:
    """Write what the address gives and return its SHA-256."""
    digest = hashlib.sha256()
    chunks = _chunks(url)
    chunk = next(chunks)  # nothing is written before the other side answers
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while chunk:
                digest.update(chunk)
                file.write(chunk)
                chunk = next(chunks)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WriteFailedError(
            f"{path} cannot be written ({error.strerror or error}): free some space or choose another cache folder"
        ) from error
    return digest.hexdigest()


def _chunks(url: str) -> Iterator[bytes]:
    """Yield what the address gives; at the end, nothing."""
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:
            expected, got = answer.length, 0
            while chunk := answer.read(_CHUNK):
                got += len(chunk)
                yield chunk
            if expected is not None and got < expected:
                raise ConnectionError(f"{got} of {expected} bytes came")
    except (OSError, HTTPException) as error:  # URLError is an OSError
        raise ConfigurationError(
            f"{url} cannot be downloaded ({error}): fetch it with another machine and give the file as weights"
        ) from error
    yield b""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
