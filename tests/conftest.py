"""What all tests share: no test depends on how fast the machine is, and none writes outside its own folder."""

from pathlib import Path

import pytest
from hypothesis import settings

# Kernels compile at their first call, so the first example takes seconds and the others microseconds.
settings.register_profile("logpith", deadline=None, derandomize=True)
settings.load_profile("logpith")


@pytest.fixture(scope="session")
def loghub() -> Path:
    """The folder of labelled log samples beside the checkout, where there is one: research data, not ours to ship."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "loghub"
    if not folder.is_dir():
        pytest.skip("the labelled log samples are not beside this checkout")
    return folder
