"""The trainer. Reads shards through `segprep.datasets`; knows nothing of how they were made.

Four files are enough to know how it learns: `reading/reader.py` (batches from shards), `network/segmenter.py` (what is
trained), `learning/step.py` (one step of the optimizer) and `learning/loop.py` (a run: steps, validations, saving).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segprep.train.predict.model import Model, Prediction, Views, load

__all__ = ["Model", "Prediction", "Views", "load"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (a module's)
    """Load torch only where a network is used: `train --help` must be quick."""
    if name in __all__:
        from segprep.train.predict import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
