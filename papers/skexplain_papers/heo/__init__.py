"""Studies of Heo, Piratla, Wicker & Weller, Use Perturbations when Learning from Explanations."""

from ._copies import HeoCopies
from ._decoy_mnist import HeoDecoyMNIST
from ._decoy_mnist_tuning import HeoDecoyTuning
from ._photographs import HeoISIC, HeoPlants, HeoSalientImageNet
from ._theorems import HeoTheorems
from ._two_bands import HeoTwoBands

STUDIES = (
    HeoDecoyMNIST(),
    HeoDecoyTuning(),
    HeoPlants(),
    HeoISIC(),
    HeoSalientImageNet(),
    HeoTwoBands(),
    HeoTheorems(),
    HeoCopies(),
)
