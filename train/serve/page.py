"""The page at `/`: one file, which loads nothing from anywhere else."""

from importlib.resources import files
from types import MappingProxyType
from typing import Final

__all__ = ["SECURITY_HEADERS", "page"]

SECURITY_HEADERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; frame-ancestors 'none'",
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
)


def page() -> str:
    """Return the HTML."""
    return (files("segprep.train.serve") / "page.html").read_text(encoding="utf-8")
