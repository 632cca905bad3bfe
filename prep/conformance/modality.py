"""All checks of a modality."""

from collections.abc import Callable
from typing import Final

from segprep.prep.conformance import bad_input, checks
from segprep.prep.conformance.case import ModalityCase

__all__ = ["MODALITY_CHECKS", "check_modality"]

MODALITY_CHECKS: Final[tuple[Callable[[ModalityCase], None], ...]] = (*checks.CHECKS, *bad_input.CHECKS)
"""Each is given a case."""


def check_modality(case: ModalityCase) -> None:
    """Run all checks.

    Raises:
        AssertionError: If it does not keep what modalities promise.
    """
    for check in MODALITY_CHECKS:
        check(case)
