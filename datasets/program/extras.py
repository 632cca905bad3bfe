"""Optional dependencies: which extra brings a package, and the one way to say that it is missing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from segprep.datasets.errors import ConfigurationError

__all__ = ["EXTRA_OF", "optional_packages"]

EXTRA_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "av": "video",
        "bokeh": "dashboard",
        "fastapi": "serve",
        "matplotlib": "train",
        "mlflow": "mlflow",
        "onnx": "export",
        "onnxruntime": "export",
        "onnxscript": "export",
        "prometheus_client": "serve",
        "pyarrow": "parquet",
        "pycocotools": "import",
        "python_multipart": "serve",
        "safetensors": "train",
        "tensorboardX": "train",
        "torch": "train",
        "uvicorn": "serve",
        "wandb": "wandb",
        "websockets": "serve",
    }
)
"""Name of a module to the extra of pyproject.toml that brings it."""


@contextmanager
def optional_packages(purpose: str, otherwise: str = "") -> Iterator[None]:
    """Let optional packages be imported inside; where one is not installed, say which extra brings it.

    Args:
        purpose: What needs them, for the message.
        otherwise: How it ends: what else would do.

    Raises:
        ConfigurationError: If one is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        raise ConfigurationError(
            f"{purpose} needs {package}: install it with `pip install 'segprep[{EXTRA_OF[package]}]'`{otherwise}"
        ) from error
