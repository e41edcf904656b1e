"""Studies of Ross, Hughes & Doshi-Velez, Right for the Right Reasons."""

from ._certainty import Certainty
from ._decoy_mnist import DecoyMnist, FindAnotherDigits, Variants
from ._iris_cancer import IrisCancer, IrisCancerAnother
from ._lime import Lime
from ._newsgroups import Newsgroups, NewsgroupsAnother
from ._plane import Plane
from ._strength import Strength
from ._toy_color_annotations import ToyAnnotations
from ._toy_color_rules import ToyRules
from ._toy_color_sizes import ToySizes
from ._toy_color_strength import ToyStrength

STUDIES = (
    ToyRules(),
    ToyStrength(),
    ToyAnnotations(),
    ToySizes(),
    DecoyMnist(),
    Strength(),
    Variants(),
    FindAnotherDigits(),
    IrisCancer(),
    IrisCancerAnother(),
    Newsgroups(),
    NewsgroupsAnother(),
    Plane(),
    Certainty(),
    Lime(),
)
