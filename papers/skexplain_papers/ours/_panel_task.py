"""A task of the panel: data with natural marks, and what is told of a fitted estimator."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.metrics import r2_score

from skexplain.studies import Task
from skexplain.studies.tools import classification_scores

BROKEN, CLEAN = "broken", "clean"


@dataclass(frozen=True)
class PanelTask(Task):
    """A task with the masks that a person would naturally give.

    Its `tests` are "broken", where the shortcut is reversed, exchanged or random, and "clean",
    where nothing contradicts the label: samples without the shortcut where there can be some, else
    samples as they are in training.  A task with nothing wrong has "clean" alone.  `X_without`
    holds the training samples with a shortcut that does not depend on the label.

    Attributes
    ----------
    measure : {"accuracy", "mean_group", "worst_group", "r2"}
        What is told of a test set; "r2" is for regressions.
    """

    measure: str = "accuracy"

    @property
    def is_regression(self):
        """Whether it takes a regressor."""
        return self.measure == "r2"

    @property
    def judged(self):
        """Name of the test set that tells whether the shortcut was taken."""
        return BROKEN if BROKEN in self.tests else CLEAN

    def figure(self, estimator, test=None):
        """Return the measure of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
        test : {"broken", "clean"} or None, default=None
            None: the one that is judged.

        Returns
        -------
        float
        """
        rows = self.tests[test or self.judged]
        predicted = estimator.predict(rows.X)
        if self.is_regression:
            return float(r2_score(rows.y, predicted))
        return float(classification_scores(rows, predicted)[self.measure])


def annotate_share(task, share, seed):
    """Keep the masks of a share of the training samples, and hide the others.

    Parameters
    ----------
    task : PanelTask
    share : float
    seed : int
        Draws the samples that keep theirs.

    Returns
    -------
    PanelTask
        With a float mask for each sample; all NaN: not annotated.
    """
    n_rows = len(task.X)
    kept = np.random.RandomState(seed).permutation(n_rows)[: max(2, round(share * n_rows))]
    full = np.broadcast_to(task.mask, (n_rows, *task.mask.shape[1:]))
    mask = np.full(full.shape, np.nan, dtype=np.float32)
    mask[kept] = full[kept]
    return replace(task, mask=mask)
