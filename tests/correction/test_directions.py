"""Ways to take directions out of features, where there is not always room for them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skexplain.correction._directions import NothingLeft, readout


def test_directions_among_those_that_are_kept_are_an_error():
    """Where features of a class vanish elsewhere, what moves may be what tells the class."""
    directions = np.eye(4)[:, :2]
    kept = np.eye(4)[:, 1:2] * 3.0
    with pytest.raises(NothingLeft, match=r'n_directions must be smaller with method="oblique"'):
        readout(directions, np.eye(4), kept)
    read = readout(directions[:, :1], np.eye(4), kept)
    assert_allclose(read.T @ directions[:, :1], 1)
    assert_allclose(read.T @ kept, 0, atol=1e-12)
