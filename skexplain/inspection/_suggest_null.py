"""P-values of one place, or thing, against the others of the same data."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

# So many of the most predictive others say how fast large values become rare.
_TAIL = 0.25
# Of fewer others the tail is not seen, of fewer than three not even the deviation.
FEWEST_WITH_TAIL, FEWEST_OTHERS = 20, 3
_AS_STRONG = 0.5


def tail_p_value(value: float, others: ArrayLike, n_tried: int) -> float:
    r"""Return the p-value of a value against others of the same data: the largest are its null.

    The excess of the m largest of the others, a quarter of them, over the next one u is taken as
    exponential.  Its mean is estimated, so a further excess x is at least as large with probability

    .. math:: \Big(1 + \frac{x}{\sum_{i=1}^m x_i}\Big)^{-m},

    the predictive distribution of an exponential scale.  That is multiplied by the share m of the
    others are of all, and by the number of values that were tried (Bonferroni).

    Of 3 to 19 others, such as the columns of a small table, no tail is seen.  There the value is
    one more draw of a normal distribution, whose mean and deviation the others estimate
    (Student's t).

    Parameters
    ----------
    value : float
        Predictive power of the place or thing.
    others : array-like of shape (n_others,)
        The same of others.
    n_tried : int
        Of how many the value could have been the largest.

    Returns
    -------
    float
        In (0, 1]; 1 where there are fewer than 3 others.
    """
    others = np.sort(others)
    if len(others) < FEWEST_OTHERS:
        return 1.0
    tiny = float(np.finfo(np.float32).eps)
    if len(others) < FEWEST_WITH_TAIL:
        deviation = max(others.std(ddof=1) * np.sqrt(1 + 1 / len(others)), tiny)
        beyond = stats.t.sf((value - others.mean()) / deviation, len(others) - 1)
        return float(min(1.0, n_tried * beyond))
    n_tail = int(_TAIL * len(others))
    start = others[-n_tail - 1]
    excess = max(float(np.sum(others[-n_tail:] - start)), tiny)
    beyond = (1 + max(value - start, 0.0) / excess) ** -float(n_tail)
    return float(min(1.0, n_tried * n_tail / len(others) * beyond))


def step_down(p_values: Sequence[float], scores: Sequence[float]) -> list[float]:
    """Return p-values of the k strongest, each without those before: none hides another one.

    The p-value of the k-th is computed with all k left out of the null.  If it is small, all k
    stand out, though the first may not while the second is among the others (Rosner 1983, of
    outliers).  So each takes the smallest from its own on, of those at least half as strong as the
    first: leaving out many that are not strong makes a null of what remains.  A weaker one is
    never more significant than those.

    Parameters
    ----------
    p_values, scores : sequence of float
        In the order of strength; p-values of NaN are of candidates that do not count.

    Returns
    -------
    list of float
        1 where it was NaN.
    """
    p_values = np.array(p_values, dtype=float)
    counts = ~np.isnan(p_values)
    strong = counts & (np.asarray(scores) >= _AS_STRONG * max(scores, default=0))
    p_values[strong] = np.minimum.accumulate(p_values[strong][::-1])[::-1]
    weak = counts & ~strong
    p_values[weak] = np.maximum(p_values[weak], p_values[strong].max(initial=0))
    return np.where(counts, p_values, 1.0).tolist()
