"""What all tests share: no test depends on how fast the machine is, and none writes outside its own folder."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

from interruptible import let_be_interrupted
from logpith.scan.kernel import kernel_folder

# The real servers that tests write to.
pytest_plugins = ["services.fixtures"]

# Kernels compile at their first call, so the first example takes seconds and the others microseconds.
# Each run tries the same few, so that what fails fails again; `-m fuzz` tries every property at length, and others.
settings.register_profile("logpith", deadline=None, derandomize=True, max_examples=25)
settings.register_profile("fuzz", deadline=None, max_examples=1_000)
settings.load_profile("logpith")

# Compiled once for all tests, whatever cache they name: settled before the first of them does.
KERNELS = kernel_folder().parent


def pytest_addoption(parser):
    parser.addoption(
        "--golden", action="store_true", help="write the golden files anew, to be reviewed as a difference"
    )


def pytest_xdist_auto_num_workers():
    """One more than there are processors: some tests wait for servers and other programs to start."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config):
    let_be_interrupted()
    if config.option.markexpr == "fuzz":
        settings.load_profile("fuzz")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Every property that keeps to the profile is asked for by `-m fuzz`, too."""
    if config.option.markexpr == "fuzz":
        for item in items:
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                item.add_marker(pytest.mark.fuzz)
                item.add_marker(pytest.mark.timeout(3600))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    """Thousands of tests stay to the end: who collects garbage need not look through them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def nothing_collected(tmp_path_factory):
    """No test asks what somebody has collected or logged on this machine, or by their settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOGPITH_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("spools")))
        yield


@pytest.fixture
def compiled(monkeypatch):
    """compiled(folder): makes `folder` the cache, with the kernels in it that were compiled before, for processes."""

    def use(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        # On a new machine it is not there yet, and whoever is led nowhere keeps nothing.
        KERNELS.mkdir(parents=True, exist_ok=True)
        (folder / "kernels").symlink_to(KERNELS, target_is_directory=True)
        monkeypatch.setenv("LOGPITH_CACHE_DIR", str(folder))
        return folder

    return use


@pytest.fixture(scope="session")
def loghub() -> Path:
    """The folder of labelled log samples beside the checkout, where there is one: research data, not ours to ship."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "loghub"
    if not folder.is_dir():
        pytest.skip("the labelled log samples are not beside this checkout")
    return folder
