"""The numbers of an evaluation are those of cityscapesScripts, scikit-learn and torchmetrics on the same files.

`python bench/metrics.py --golden tests/train/evaluation/peers` drew the files, installed these programs into an
environment of their own and wrote what they say into numbers.json.
"""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

_GOLDEN = Path(__file__).parent / "peers"
_BENCH = Path(__file__).parents[3] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(_BENCH))
    return runpy.run_path(str(_BENCH / "metrics.py"))


def test_every_number_is_that_of_the_other_programs(bench: dict[str, Any]) -> None:
    own, peers = bench["own_numbers"](_GOLDEN), json.loads((_GOLDEN / "numbers.json").read_text())
    assert set(peers["versions"]) == {"cityscapesScripts", "scikit-learn", "torchmetrics"}
    compared = set()
    for program, version in peers["versions"].items():
        limit = 1e-6 if program == "torchmetrics" else 1e-12  # it computes in single precision
        for number, value in peers[program].items():
            difference = bench["largest_difference"](own[number], value)
            assert difference <= limit, f"{number} of {program} {version} differs by {difference}"
            compared.add(number)
    assert compared == set(own)
