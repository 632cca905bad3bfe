"""Where the modules lie that tests send to worker processes."""

from pathlib import Path

__all__ = ["ON_WORKERS"]

ON_WORKERS = Path(__file__).with_name("on_workers")
"""To be put on the path of this process and of the workers."""
