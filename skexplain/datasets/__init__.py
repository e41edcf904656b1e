"""Data sets with masks: what matters in each sample, or what is a shortcut.

Every set is a :class:`sklearn.utils.Bunch` with at least `data`, `target`, `mask`, `target_names`
and `DESCR`, and `groups` where there are any.

Pictures of one's own
---------------------
load_images
    Class folders, lists of files or tables of labels, with the geometry that masks need.
augment_images
    Pictures and masks as the augmentation of an estimator changes them.

Made from data that scikit-learn ships
--------------------------------------
make_decoy_digits
    Handwritten digits beside a grey shade that predicts the label in training and lies in the test.
load_iris_cancer
    Tumours beside flowers: four columns that predict the label, and zero in the second test set.

Shortcuts for one's own data
----------------------------
inject_patches
    Patches that predict the class of an image, never over its reasons, and their mask.
inject_leak
    A column of a table that leaks the number or the class to predict, and its mask.

Drawn numbers
-------------
make_toy_colors
    Images of 5x5 pixels whose label follows from either of two rules.
make_two_bands
    Points in the plane: one coordinate is irrelevant and predicts the label.
make_ross_2d
    Points in the plane whose classes are parted by curves, with nothing to mask.
make_irrelevant_copies
    A regression with copies of the target, for which the weights are known.

Drawn shapes whose reasons are known
------------------------------------
make_triangles, make_pentagons
    Triangles that point up or down, and their middle slices; a square that predicts the label.
make_fox_vs_cat, make_triangle_vs_circle
    Triangular and round heads on a body, and the heads alone; a square that predicts the label.

Fetched data sets of the papers
-------------------------------
fetch_decoy_mnist
    MNIST beside a decoy: half the image, a corner, a corner that is reversed in the test, stripes.
fetch_color_mnist
    MNIST in colours that predict the digit in training and another one in the test.
fetch_newsgroups
    Words of atheist and Christian messages, whose headers give the newsgroup away.
get_data_home
    The folder where files are looked for and downloads are kept.

Photographs with masks
----------------------
fetch_birds
    Two blue species, distinguished by the beak; a coloured square that predicts the label.
fetch_isic
    Skin lesions; a coloured patch in half of the benign ones.
fetch_plants
    Leaves, healthy or sick, on a background that gives the class away.
fetch_salient_imagenet
    Six kinds of animals, with soft masks of what is spurious.
"""

from ._augment import augment_images
from ._birds import fetch_birds
from ._color_mnist import fetch_color_mnist
from ._data_home import get_data_home
from ._decoy_mnist import fetch_decoy_mnist
from ._decoys import make_decoy_digits
from ._inject import inject_patches
from ._iris_cancer import load_iris_cancer
from ._irrelevant_copies import make_irrelevant_copies
from ._isic import fetch_isic
from ._leak import inject_leak
from ._load_images import load_images
from ._newsgroups import fetch_newsgroups
from ._planes import make_ross_2d, make_two_bands
from ._plants import fetch_plants
from ._salient_imagenet import fetch_salient_imagenet
from ._shapes import make_fox_vs_cat, make_pentagons, make_triangle_vs_circle, make_triangles
from ._toy_colors import make_toy_colors

__all__ = [
    "augment_images",
    "fetch_birds",
    "fetch_color_mnist",
    "fetch_decoy_mnist",
    "fetch_isic",
    "fetch_newsgroups",
    "fetch_plants",
    "fetch_salient_imagenet",
    "get_data_home",
    "inject_leak",
    "inject_patches",
    "load_images",
    "load_iris_cancer",
    "make_decoy_digits",
    "make_fox_vs_cat",
    "make_irrelevant_copies",
    "make_pentagons",
    "make_ross_2d",
    "make_toy_colors",
    "make_triangle_vs_circle",
    "make_triangles",
    "make_two_bands",
]
