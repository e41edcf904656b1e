"""What a correction changed, held against controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Above this accuracy a network has probably been trained on the samples.
_BY_HEART = 0.995
# Level of the tests of a repair, about two standard errors on one side.
_LEVEL = 0.025
# Changed samples whose numbers are printed.
_N_SHOWN = 10


@dataclass
class CorrectionReport:
    """What a correction changed, on the samples that a swap may change.

    Accuracies after a correction are those of samples that it was not computed from, by
    cross-validation.  Those before it are of the model as it was, or, with ``seen=True``, of a head
    fitted on the labels of other samples: on samples that a model was trained on they would be
    flattering.

    Attributes
    ----------
    method : str
        What was done: "nothing", "project", "oblique", "reactive", "refit_head" or "finetune".
    n_directions : int
        Number of directions taken out; 0 for a new head or further training.
    layer : str or None
        Name of the layer at which; None where nothing was done.
    n_samples : int
        Number of samples.
    swap_accuracy : tuple of float or None
        Accuracy on swapped copies before and after; None without labels.
    clean_accuracy : tuple of float or None
        Accuracy on the samples as they are before and after; None without labels.
    flip_rate : tuple of float
        Share of swapped copies that is predicted otherwise than the sample, before and after.
    gain : float or None
        Swap accuracy after less before.
    gain_se : float or None
        Standard error of the gain, over samples.
    shuffled_gain : float or None
        Gain of the same method with the masks of other samples: the mean of three to five
        shufflings (one of further training).  None where all masks are alike, or mark the same
        places.
    random_gain : float or None
        Gain of a projection on as many random directions.
    p_value : float or None
        The largest of the p-values of one-sided t-tests that the accuracy on swapped copies is
        higher than before, than with shuffled masks, and than with random directions, paired by
        sample; the scatter of the shufflings counts, too.
    changed : ndarray of int
        Numbers of the samples of X that are predicted otherwise than before.
    candidates : dict of str to float
        Swap accuracy of everything that was tried.
    seen : bool
        Whether a head that is fitted on the labels of other samples stands for the model before.
    """

    method: str
    n_directions: int
    layer: str | None
    n_samples: int
    swap_accuracy: tuple[float, float] | None
    clean_accuracy: tuple[float, float] | None
    flip_rate: tuple[float, float]
    gain: float | None
    gain_se: float | None
    shuffled_gain: float | None
    random_gain: float | None
    p_value: float | None
    changed: np.ndarray
    candidates: dict[str, float]
    seen: bool

    @property
    def is_repair(self) -> bool | None:
        """Whether it helps, more than nothing and than each control: `p_value` below 2.5 %.

        None without labels: nothing can be said then.
        """
        return None if self.p_value is None else self.p_value < _LEVEL

    def __str__(self) -> str:
        """Return the report as text."""
        what = self.method
        if self.n_directions:
            what += f", {self.n_directions} direction{'s' if self.n_directions > 1 else ''}"
        if self.layer is not None:
            what += f", at {self.layer}"
        lines = [f"Correction: {what} ({self.n_samples} samples)"]
        for name, pair in (
            ("accuracy on swapped copies", self.swap_accuracy),
            ("accuracy as they are", self.clean_accuracy),
            ("changed by a swap", self.flip_rate),
        ):
            if pair is not None:
                lines.append(f"  {name:<28}{pair[0]:.3f} -> {pair[1]:.3f}")
        if self.gain is not None:
            lines.append(f"  {'gain':<28}{self.gain:+.3f} (se {self.gain_se:.3f})")
        for name, gain in (
            ("gain with shuffled masks", self.shuffled_gain),
            ("gain of random directions", self.random_gain),
        ):
            if gain is not None:
                lines.append(f"  {name:<28}{gain:+.3f}")
        if self.p_value is not None:
            lines.append(f"  {'p-value':<28}{self.p_value:.3g}")
        which = ", ".join(map(str, self.changed[:_N_SHOWN].tolist()))
        which = (
            f" (samples {which}{', ...' if len(self.changed) > _N_SHOWN else ''})" if which else ""
        )
        lines.append(f"  {'predictions changed':<28}{len(self.changed)}{which}")
        verdict = {
            None: "Without labels nothing can be said about a repair.",
            True: "The correction helps, and more than its controls.",
            False: "Not shown to be a repair: chance, or a control, may explain the gain.",
        }[self.is_repair]
        lines.append(f"  {verdict}")
        by_heart = self.clean_accuracy is not None and self.clean_accuracy[0] > _BY_HEART
        if by_heart and not self.seen:
            lines.append(
                "  All labels are predicted right as they are: if the network was trained on these "
                "samples, set seen=True."
            )
        return "\n".join(lines)
