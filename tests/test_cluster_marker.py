"""Only tests that are marked `cluster` can use processes of Dask, so that none runs beside others unnoticed."""

import subprocess
import sys

import pytest

_REFUSED = "the test is not marked 'cluster'"
_START = "from distributed import {0}; {0}('127.0.0.1:1')"


@pytest.mark.parametrize("name", ["LocalCluster", "Client"])
def test_without_the_marker_a_process_that_a_test_starts_refuses(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _START.format(name)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert _REFUSED in done.stderr


def test_without_the_marker_this_process_refuses() -> None:
    from distributed.security import Security

    with pytest.raises(ValueError, match=_REFUSED):
        Security()


@pytest.mark.cluster
def test_with_the_marker_nothing_is_refused() -> None:
    from distributed.security import Security

    code = "from distributed.security import Security; Security()"
    Security()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
