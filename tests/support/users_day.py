"""The commands of the README's day."""

import re
from pathlib import Path

__all__ = ["users_day"]

_README = Path(__file__).resolve().parents[2] / "README.md"


def users_day() -> list[str]:
    """Return the commands of the block under "A user's day", without what stands behind `#`."""
    (block,) = re.findall(r"## A user's day\n+```\n(.*?)```", _README.read_text(encoding="utf-8"), re.DOTALL)
    return [line.split("#")[0].strip() for line in block.splitlines()]
