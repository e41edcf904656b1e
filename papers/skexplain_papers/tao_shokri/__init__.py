"""Studies of Tao & Shokri, Machine Learning from Explanations."""

from ._ablation import Ablation
from ._birds import Birds
from ._cost import Cost
from ._distributions import Distributions
from ._imbalance import Imbalance
from ._settings import Settings
from ._sizes import Sizes
from ._spurious import Spurious

STUDIES = (
    Sizes(),
    Imbalance(),
    Spurious(),
    Ablation(),
    Settings(),
    Distributions(),
    Cost(),
    Birds(),
)
