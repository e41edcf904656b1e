"""Trials whose descriptions name a network or a perturbation.

The cells of the studies were stored under these names, so they stay in the descriptions; what they
stand for is put in where an estimator is built.
"""

from functools import partial

from skexplain.studies import tools

from ._augmentations import WholeFlipAndShift, WholeShift
from ._networks import bird_cnn, decoy_mlp, four_layer_cnn, mlp, ross_mlp, shapes_cnn, small_cnn

#: Networks by the name that a description gives them.
NETWORKS = {
    "small-cnn": small_cnn,
    "shapes-cnn": shapes_cnn,
    "bird-cnn": bird_cnn,
    "ross-mlp": ross_mlp,
    "mlp": mlp,
    "decoy-mlp": decoy_mlp,
    "four-layer-cnn": four_layer_cnn,
}

#: Perturbations by the name that a description gives them.
AUGMENTATIONS = {"whole-shift": WholeShift, "whole-flip-and-shift": WholeFlipAndShift}


def with_objects(method):
    """Replace the names of a network and of a perturbation by what they stand for.

    Parameters
    ----------
    method : dict
        See `run_trial`.  Its ``module`` may also be a name in `NETWORKS`, or a dict of ``name`` and
        arguments; its parameter ``perturbation`` may be a name in `AUGMENTATIONS`.

    Returns
    -------
    dict
        Equal to the given one where there are no such names.

    Raises
    ------
    ValueError
        If a network has another name.
    """
    module, params = method.get("module", "auto"), method.get("params", {})
    if isinstance(module, dict) or (isinstance(module, str) and module != "auto"):
        spec = dict(module) if isinstance(module, dict) else {"name": module}
        network = tools.look_up("module", spec.pop("name"), NETWORKS)
        method = {**method, "module": partial(network, **spec)}
    if isinstance(name := params.get("perturbation"), str) and name in AUGMENTATIONS:
        method = {**method, "params": {**params, "perturbation": AUGMENTATIONS[name]()}}
    return method


def make_estimator(method, seed):
    """Build the estimator that a method describes; see `tools.make_estimator`."""
    return tools.make_estimator(with_objects(method), seed)


def run_trial(task, method, masks, seed, *, keep_predictions=False):
    """Fit a method and score it; see `tools.run_trial`."""
    method = with_objects(method)
    return tools.run_trial(task, method, masks, seed, keep_predictions=keep_predictions)
