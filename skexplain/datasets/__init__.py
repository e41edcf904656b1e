"""Data sets with masks: what matters in each row, or what is a trap.

Every function returns a :class:`sklearn.utils.Bunch` with at least `data`, `target`, `mask`,
`groups`, `target_names` and `DESCR`.

Made from data that scikit-learn ships
--------------------------------------
make_decoy_digits
    Handwritten digits beside a grey shade that tells the label in training and lies in the test.
"""

from ._decoys import make_decoy_digits

__all__ = ["make_decoy_digits"]
