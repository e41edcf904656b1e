"""How methods scale with the size of the irrelevant part."""

import numpy as np

from skexplain.datasets import make_decoy_digits
from skexplain.studies import Task, TestRows
from skexplain.studies.tools import draw_measure

from .._study import TrialStudy

_N_CLASSES = 10
_SHADE_STEP = 25  # as in the decoys of the papers
_NOISE = 60.0  # grey levels
_TUNED = {"scoring": "swapped", "cv": 2}


class IrrelevantDimension(TrialStudy):
    """Digits of 8x8 pixels beside a square image that tells the label, of 1 to 1024 pixels.

    The image is filled with a shade of grey, with the shade and noise on every pixel, so that it
    takes many pixels to read it, or with a random pattern of its class.  In the test rows it is
    that of a random digit.  Methods whose name says so are tuned, as is label-only, all
    of them on held-out training rows with exchanged images; the others have their defaults.
    Label-only is the control "off", too.
    """

    name = "irrelevant-dimension"
    title = "Digits beside an irrelevant image of growing size"
    defaults = "stored"
    methods = {
        "label-only": {
            "estimator": "ERMClassifier",
            "without_masks": True,
            "ceiling": True,
            "grid": {"optimizer__weight_decay": [0.0, 0.0001, 0.001, 0.01]},
            **_TUNED,
        },
        "gaussian, 1 sd": {"estimator": "AvgExClassifier", "controls": ("shuffled", "everywhere")},
        "gaussian, tuned": {
            "estimator": "AvgExClassifier",
            "grid": {"epsilon": [1.0, 3.0, 10.0, 30.0]},
            **_TUNED,
        },
        "constant": {"estimator": "AvgExClassifier", "params": {"perturbation": "constant"}},
        "swap": {"estimator": "SwapExClassifier", "controls": ("shuffled", "everywhere")},
        "grad-reg, tuned": {
            "estimator": "GradRegClassifier",
            "grid": {"alpha": [1.0, 10.0, 100.0, 1000.0]},
            "controls": ("shuffled",),
            **_TUNED,
        },
        "pgd": {"estimator": "PGDExClassifier", "controls": ("shuffled",)},
        "ibp, tuned": {
            "estimator": "IBPExClassifier",
            "grid": {"epsilon": [0.1, 0.5, 2.0, 5.0]},
            **_TUNED,
        },
    }
    panels = ("texture",)
    measure = "mean_group"
    x = "irrelevant_pixels"

    def trials(self, scale):
        """List textures by size."""
        quick = scale == "quick"
        settings = {"params": {"max_epochs": 5 if quick else 20}}
        names = [self.baseline, "gaussian, 1 sd", "swap", "pgd"] if quick else list(self.methods)
        for texture in ("shade", "pattern") if quick else ("shade", "noisy shade", "pattern"):
            for side in (2, 16) if quick else (1, 3, 8, 16, 32):
                factors = {"texture": texture, "irrelevant_pixels": side**2}
                yield factors, names, range(1 if quick else 3), settings

    def task(self, factors, settings):
        """Put the irrelevant image beside each digit."""
        rng = np.random.RandomState(factors["seed"])
        digits = make_decoy_digits("none", flatten=True, random_state=rng)
        n_pixels = factors["irrelevant_pixels"]
        patterns = rng.randint(256, size=(_N_CLASSES, n_pixels))

        def put_beside(images, shown):
            irrelevant = draw_texture(factors["texture"], shown, patterns, rng)
            return np.concatenate([images, irrelevant], axis=1)

        mask = np.concatenate([np.zeros((1, digits.data.shape[1])), np.ones((1, n_pixels))], axis=1)
        y, y_test = digits.target, digits.target_test
        lies = put_beside(digits.data_test, rng.randint(_N_CLASSES, size=len(y_test)))
        return Task(
            put_beside(digits.data, y),
            y,
            mask.astype(bool),
            {"image lies": TestRows(lies, y_test)},
            put_beside(digits.data, rng.randint(_N_CLASSES, size=len(y))),
        )

    def pictures(self, rows):
        """A panel per texture, without controls."""
        shown = [row for row in rows if row["masks"] in ("-", "given", "no shortcut")]
        figure = draw_measure(shown, self.panels, self.measure, self.x)
        for ax in figure.axes:
            ax.set(xlabel="irrelevant pixels (64 are relevant)", ylabel="mean-group accuracy")
        return {self.name: figure}


def draw_texture(texture, digits, patterns, rng):
    """Draw irrelevant images that tell a digit.

    Parameters
    ----------
    texture : {"shade", "noisy shade", "pattern"}
    digits : int ndarray of shape (n,)
    patterns : int ndarray of shape (10, n_pixels)
        Grey levels for "pattern", a row per digit.
    rng : RandomState
        Draws the noise.

    Returns
    -------
    uint8 ndarray of shape (n, n_pixels)

    Raises
    ------
    ValueError
        If there is no such texture.
    """
    shade = np.repeat(_SHADE_STEP * digits[:, None], patterns.shape[1], axis=1)
    if texture == "shade":
        return shade.astype(np.uint8)
    if texture not in ("noisy shade", "pattern"):
        raise ValueError(f'texture must be "shade", "noisy shade" or "pattern"; got {texture!r}.')
    grey = shade if texture == "noisy shade" else patterns[digits]
    noisy = grey + _NOISE * rng.standard_normal(grey.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
