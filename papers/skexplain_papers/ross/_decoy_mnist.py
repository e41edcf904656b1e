"""Decoy MNIST: a grey square in a corner tells the label, until it lies."""

import numpy as np

from skexplain.datasets import make_decoy_digits
from skexplain.datasets._decoy_mnist import decoy_mnist
from skexplain.datasets._mnist import load_mnist
from skexplain.studies import Cell, Task, TestRows
from skexplain.studies.tools import flat

from .._study import TrialStudy
from ._sequences import SequenceStudy, sequence_settings
from ._settings import ross_settings

_HELD_OUT = 15  # a fifteenth of the training rows, the first ones

#: Their names of what is penalised, and ours.
_OUTPUTS = {
    "log-sum": "log_prob_sum",
    "log-max": "log_prob_max",
    "linear-max": "prob_max",
}


def decoy_dataset(scale):
    """Name the data: 8x8 digits stand in for MNIST at quick scale."""
    return "decoy-digits" if scale == "quick" else "decoy-mnist"


def decoy_settings(scale):
    """Describe network and training, see `ross_settings`."""
    if scale == "quick":
        return ross_settings(64, 10, n_rows=1198, batch_size=64, max_epochs=40, lr=3e-3)
    return ross_settings(784, 10, n_rows=60_000)


def require_mnist(scale):
    """Look for the files of MNIST, or download them, where the scale needs them.

    Raises
    ------
    OSError
        If they are not there and cannot be downloaded; it says how to get them.
    """
    if scale == "paper":
        load_mnist(None, True, 1, 1, np.random.RandomState(0))


def decoy_task(dataset, seed, *, hold_out=False):
    """Make digits of raw pixels, 0 to 255.

    Parameters
    ----------
    dataset : {"decoy-mnist", "mnist", "decoy-digits", "digits"}
        With decoys, or clean.
    seed : int
        Seeds places and shades of the decoys, and the split of the small digits.
    hold_out : bool, default=False
        Whether not to train on the first fifteenth of the rows.

    Returns
    -------
    Task
        With test sets "train" and, if held out, "valid", whose decoys tell the label; "decoy
        tells", test images with such decoys, and "decoy lies", with those of random digits.  Or
        "train" and "no decoy" where there is none.
    """
    digits = _load(dataset, seed)
    X, y, mask = flat(digits.data), digits.target, flat(digits.mask)
    n_held_out = len(X) // _HELD_OUT if hold_out else 0
    tests = {"train": TestRows(X[n_held_out:], y[n_held_out:])}
    if hold_out:
        tests["valid"] = TestRows(X[:n_held_out], y[:n_held_out])
    if mask.any():
        shade = (255 - 25 * digits.target_test).astype(np.uint8)[:, None, None]
        telling = np.where(digits.mask_test, shade, digits.data_test)
        tests["decoy tells"] = TestRows(flat(telling), digits.target_test)
        tests["decoy lies"] = TestRows(flat(digits.data_test), digits.target_test)
    else:
        tests["no decoy"] = TestRows(flat(digits.data_test), digits.target_test)
    rows = slice(n_held_out, None)
    return Task(X[rows], y[rows], mask[rows], tests, flat(digits.data_random)[rows])


def _load(dataset, seed):
    if dataset.endswith("digits"):
        return make_decoy_digits(
            "corner" if dataset.startswith("decoy") else "none", random_state=seed
        )
    mnist = load_mnist(None, True, None, None, np.random.RandomState(seed))
    digits = decoy_mnist(*mnist, decoy="corner", random_state=seed)
    if dataset == "mnist":
        digits.data, _, digits.data_test, _ = mnist
        digits.data_random = digits.data
        digits.mask = np.zeros_like(digits.mask)
    return digits


class DecoyMnist(TrialStudy):
    """Grad-Reg at the published strength, beside its controls and training without a decoy."""

    name = "ross-decoy-mnist"
    title = "Digits beside a decoy in a corner"
    source = "Ross et al. 2017, Decoy MNIST"
    defaults = "stored"
    methods = {
        "label-only": {"estimator": "ERMClassifier", "without_masks": True, "ceiling": True},
        "grad-reg": {
            "estimator": "GradRegClassifier",
            "params": {"alpha": 1000.0},
            "controls": ("shuffled", "everywhere"),  # switched off it equals label-only
        },
        "label-only, clean digits": {"estimator": "ERMClassifier", "without_masks": True},
    }
    panels = ("dataset", "test")

    def prepare(self, scale):
        """Look for MNIST."""
        require_mnist(scale)

    def trials(self, scale):
        """Digits with a decoy, and without."""
        dataset, settings = decoy_dataset(scale), decoy_settings(scale)
        seeds = range(1 if scale == "quick" else 3)
        yield {"dataset": dataset}, ["label-only", "grad-reg"], seeds, settings
        clean = {"dataset": dataset.removeprefix("decoy-")}
        yield clean, ["label-only, clean digits"], seeds, settings

    def task(self, factors, settings):
        """Draw decoys."""
        return decoy_task(factors["dataset"], factors["seed"])

    def pictures(self, rows):
        """Test images with a decoy."""
        return super().pictures([row for row in rows if row["test"].startswith("decoy")])


class Variants(TrialStudy):
    """Which scalar's gradient is penalised."""

    name = "ross-variants"
    title = "Gradients of what, on digits beside a decoy"
    source = "Ross et al. 2017, variants of the penalty on Decoy MNIST"
    defaults = "stored"
    methods = {
        # Probabilities sum to one, so that there is nothing to penalise, with whatever masks.
        "linear-sum": {
            "estimator": "GradRegClassifier",
            "params": {"output": "prob_sum"},
            "without_masks": True,
        },
        **{
            name: {
                "estimator": "GradRegClassifier",
                "params": {"output": output},
                "controls": ("shuffled",),
            }
            for name, output in _OUTPUTS.items()
        },
    }
    panels = ("dataset", "alpha", "test")
    baseline = "linear-sum"

    def prepare(self, scale):
        """Look for MNIST."""
        require_mnist(scale)

    def trials(self, scale):
        """The two strengths of the paper's code."""
        settings = decoy_settings(scale)
        for alpha in (1e3, 1e5):
            factors = {"dataset": decoy_dataset(scale), "alpha": alpha}
            params = {**settings["params"], "alpha": alpha}
            seeds = range(1 if scale == "quick" else 2)
            yield factors, list(self.methods), seeds, {**settings, "params": params}

    def task(self, factors, settings):
        """Draw decoys."""
        return decoy_task(factors["dataset"], factors["seed"])

    def tables(self, rows):
        """Where the decoy lies."""
        return super().tables([row for row in rows if row["test"] == "decoy lies"])

    def pictures(self, rows):
        """A panel per strength, where the decoy lies."""
        return super().pictures([row for row in rows if row["test"] == "decoy lies"])


class FindAnotherDigits(SequenceStudy):
    """Seven models one after the other, without masks."""

    name = "ross-find-another"
    title = "Find another explanation, on digits beside a decoy"
    source = "Ross et al. 2017, find-another-explanation on Decoy MNIST"
    defaults = "stored"
    panels = ("dataset", "alpha")

    def prepare(self, scale):
        """Look for MNIST."""
        require_mnist(scale)

    def cells(self, scale):
        """All strengths; the controls at the smallest, at which the sequence works."""
        dataset = decoy_dataset(scale)
        quick = scale == "quick"
        cells = []
        for seed in range(1 if quick else 2):
            for masks in ("given", "off", "shuffled"):
                for alpha in (1e3,) if quick or masks != "given" else (1e3, 1e4, 1e5):
                    factors = {"dataset": dataset, "alpha": alpha, "masks": masks, "seed": seed}
                    settings = sequence_settings(decoy_settings(scale), alpha, 3 if quick else 7)
                    cells.append(Cell(factors, settings))
        return cells

    def task(self, factors):
        """Draw decoys."""
        return decoy_task(factors["dataset"], factors["seed"])
