"""What every dataset, every importer and every code must fulfil, for authors of plug-ins.

The checks are plain functions of `assert`s. `check_dataset(member, folder)`, `check_importer(member, folder)` and
`check_code(code)` run all of them; a test for each is

    @pytest.mark.parametrize("check", DATASET_CHECKS, ids=lambda check: check.__name__)
    def test_my_dataset(check, root):  # a fixture: the folder that `write_miniature(root, FRAMES)` filled
        check(my_dataset, root)
"""

from segprep.datasets.conformance.catalog import DATASET_CHECKS, FRAMES, check_dataset
from segprep.datasets.conformance.codes import CODE_CHECKS, check_code
from segprep.datasets.conformance.importers import IMPORTER_CHECKS, check_importer
from segprep.datasets.conformance.refusals import refusal

__all__ = [
    "CODE_CHECKS",
    "DATASET_CHECKS",
    "FRAMES",
    "IMPORTER_CHECKS",
    "check_code",
    "check_dataset",
    "check_importer",
    "refusal",
]
