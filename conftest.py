"""Set-up shared by all tests: they import what is installed, and use one thread per process."""

import gc
import importlib.util
import os
import sys
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parent


def _hide_checkout():
    """Let ``import skexplain`` find what is installed rather than the folder beside the tests.

    ``python -m pytest`` puts the current directory first on sys.path, so that the checkout would
    be tested, and a file that is missing from the wheel would go unnoticed.  An editable install
    stays visible: it has a finder, or an entry further down, of its own.
    """
    if Path(sys.path[0] or ".").resolve() == _CHECKOUT:
        del sys.path[0]
    if importlib.util.find_spec("skexplain") is None:
        raise pytest.UsageError(
            'skexplain is not installed. Run: python -m pip install -e ".[test]" -c constraints.txt'
        )


_hide_checkout()
# The modules that tests share; last, so that they hide nothing.
sys.path += [str(_CHECKOUT / "tests"), str(_CHECKOUT / "papers" / "tests")]

# After the check above, which needs none of these.
import hypothesis  # noqa: E402
import torch  # noqa: E402

import skexplain  # noqa: E402

# Two test processes on two cores.  With torch's default they fight for the cores and all but hang.
torch.set_num_threads(1)
torch.set_num_interop_threads(1)

# No deadline, since a busy machine is no failure; in CI the same examples each time.
hypothesis.settings.register_profile(
    "skexplain", deadline=None, max_examples=50, derandomize="CI" in os.environ
)
hypothesis.settings.load_profile("skexplain")


def pytest_report_header():
    """Say what is tested."""
    return f"skexplain {skexplain.__version__} from {Path(skexplain.__file__).parent}"


def pytest_collection_modifyitems(items):
    """Skip the tests that need a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def pytest_collection_finish():
    """Leave what was imported and collected, which stays, out of every garbage collection."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _cpu_unless_marked(request, monkeypatch):
    """Hide CUDA from all tests but those marked gpu: their oracles are exact on a CPU alone."""
    if "gpu" not in request.keywords:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def training_alone(monkeypatch):
    """Leave out the check after a fit, whose passes through the network are none of training."""
    monkeypatch.setattr("skexplain.estimators._base.warn_if_swaps_matter", lambda *_, **__: None)
