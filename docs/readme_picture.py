"""Draw the picture of the README: digits, masks, and predictions without and with masks.

    python docs/readme_picture.py

writes ``docs/_static/readme.png``. It trains the two models of the README's first example, in about
a minute on one core. Needs the extra ``plot``.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.datasets import make_decoy_digits

PICTURE = Path(__file__).parent / "_static" / "readme.png"
DIGITS = (1, 4, 6, 9)
RIGHT, WRONG, MARK = "#0072B2", "#D55E00", "#E69F00"
TRAINING = "Training: the shade depends on the\ndigit. The masks mark it (orange)."
TEST = "Test: the shade is random. Below:\nwhat the two models predict."
TITLE = {"loc": "left", "fontsize": 10}


def fit_models(digits):
    """Fit the two models of the README's first example."""
    plain = ERMClassifier(random_state=0).fit(digits.data, digits.target)
    robust = SwapExClassifier(random_state=0).fit(digits.data, digits.target, mask=digits.mask)
    return plain, robust


def choose_samples(digits, predictions):
    """Return a training sample and a test sample of each digit.

    The test samples are the first of each digit that labels alone get wrong and masks get right.
    This is the usual case: 57 % of the test samples are such.
    """
    plain, robust = predictions
    mended = (plain != digits.target_test) & (robust == digits.target_test)
    training = [np.flatnonzero(digits.target == digit)[0] for digit in DIGITS]
    test = [np.flatnonzero(mended & (digits.target_test == digit))[0] for digit in DIGITS]
    return training, test


def draw_image(ax, image, mask=None, label=""):
    """Draw a digit above its label, with what the mask marks in colour."""
    ax.imshow(image.reshape(8, 8), cmap="gray", vmin=0, vmax=255)
    if mask is not None:
        color = np.zeros((8, 8, 4))
        color[mask.reshape(8, 8)] = mpl.colors.to_rgba(MARK, 0.85)
        ax.imshow(color)
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel(f"{label}", fontsize=9, labelpad=1)


def draw(digits, models):
    """Draw training samples above their masks, and test samples above what is predicted."""
    predictions = [clf.predict(digits.data_test) for clf in models]
    training, test = choose_samples(digits, predictions)
    figure, axes = plt.subplots(2, 9, figsize=(8.4, 2.75), width_ratios=[1] * 4 + [0.4] + [1] * 4)
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.84, wspace=0.08, hspace=0.28)
    for ax in axes[:, 4]:
        ax.set_axis_off()

    for (image_ax, mask_ax), row in zip(axes[:, :4].T, training, strict=True):
        draw_image(image_ax, digits.data[row], label=digits.target[row])
        draw_image(mask_ax, digits.data[row], digits.mask[row])
    axes[0, 0].set_title(TRAINING, **TITLE)

    for (image_ax, text_ax), row in zip(axes[:, 5:].T, test, strict=True):
        draw_image(image_ax, digits.data_test[row], label=digits.target_test[row])
        text_ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        text_ax.set_axis_off()
        for y, name, found, color in [
            (0.75, "labels alone", predictions[0][row], WRONG),
            (0.25, "with masks", predictions[1][row], RIGHT),
        ]:
            text_ax.text(0.5, y + 0.06, name, fontsize=8, ha="center")
            text_ax.text(0.5, y - 0.18, f"{found}", fontsize=13, ha="center", color=color)
    axes[0, 5].set_title(TEST, **TITLE)
    return figure


def main():
    """Fit, draw and write the picture."""
    digits = make_decoy_digits("half", flatten=True, random_state=0)
    mpl.use("agg")
    draw(digits, fit_models(digits)).savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
