"""What every modality must fulfil, shown on a rendered street whose depth has holes; for authors of plug-ins.

`check_modality(ModalityCase("name", member))` runs all checks; a test for each is

    CASE = ModalityCase("my_modality", my_modality)

    @pytest.mark.parametrize("check", MODALITY_CHECKS, ids=lambda check: check.__name__)
    def test_my_modality(check):
        check(CASE)
"""

from collections.abc import Callable
from typing import Final

from segprep.prep.conformance import bad_input, checks
from segprep.prep.conformance.case import ModalityCase, street

__all__ = ["MODALITY_CHECKS", "ModalityCase", "check_modality", "street"]

MODALITY_CHECKS: Final[tuple[Callable[[ModalityCase], None], ...]] = (*checks.CHECKS, *bad_input.CHECKS)
"""Each is given a case."""


def check_modality(case: ModalityCase) -> None:
    """Run all checks.

    Raises:
        AssertionError: If it does not keep what modalities promise.
    """
    for check in MODALITY_CHECKS:
        check(case)
