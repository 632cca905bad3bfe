"""What every modality must fulfil, shown on a rendered street whose depth has holes; for authors of plug-ins.

`check_modality(ModalityCase("name", member))` runs all checks; a test for each is

    CASE = ModalityCase("my_modality", my_modality)

    @pytest.mark.parametrize("check", MODALITY_CHECKS, ids=lambda check: check.__name__)
    def test_my_modality(check):
        check(CASE)
"""

from segprep.prep.conformance.case import ModalityCase, street
from segprep.prep.conformance.modality import MODALITY_CHECKS, check_modality

__all__ = ["MODALITY_CHECKS", "ModalityCase", "check_modality", "street"]
