"""Parameters that every estimator shares: their constraints, text, and how they are passed on."""

import inspect
from numbers import Integral, Real

import numpy as np
import torch

# The one place that imports scikit-learn's private validation of parameters.
from sklearn.utils._param_validation import Interval, Options, StrOptions
from torch import nn

# Keywords with these prefixes are handed to skorch, as its double-underscore parameters.
PREFIXES = ("module__", "optimizer__", "callbacks__", "compile__")

NON_NEGATIVE = Interval(Real, 0, None, closed="left")
FINITE = Interval(Real, None, None, closed="neither")
POSITIVE = Interval(Real, 0, None, closed="neither")
COUNT = Interval(Integral, 1, None, closed="left")
RADIUS = Interval(Real, 0, None, closed="both")
ALPHA = [NON_NEGATIVE, StrOptions({"auto"})]

COMMON_CONSTRAINTS = {
    "module": [StrOptions({"auto"}), nn.Module, callable],
    "optimizer": [callable],
    "lr": [POSITIVE],
    "max_epochs": [COUNT],
    "batch_size": [COUNT, Options(Integral, {-1})],
    "label_loss": [StrOptions({"cross_entropy", "focal"})],
    "focal_gamma": [NON_NEGATIVE],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "mask_marks": [StrOptions({"irrelevant", "relevant"})],
    "input_unit": [StrOptions({"sd", "input"})],
    "annotated_per_batch": [COUNT, None],
    "device": [str, torch.device],
    "compile": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [COUNT],
    "callbacks": [list, None],
    "verbose": [Options(Integral, {0, 1, 2}), "boolean"],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
}

COMMON_TEXT = """\
optimizer : torch.optim.Optimizer class, default=torch.optim.Adam
        Optimizer; further arguments as ``optimizer__weight_decay=...``.
    lr : float, default=1e-3
        Learning rate.
    max_epochs : int, default=100
        Number of passes over the rows.
    batch_size : int, default=64
        Rows per step; -1: all.
    label_loss : {"cross_entropy", "focal"}, default="cross_entropy"
        Loss of a row.
    focal_gamma : float, default=2.0
        Exponent of the focal loss.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in label losses, also those inside a perturbation penalty.
    mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a mask value of 1 says: the feature must not matter, or it is the reason.
    input_unit : {"sd", "input"}, default="sd"
        Unit of radii and gradients: the standard deviation of each column or channel, measured at
        the first fit, or X as it is.
    annotated_per_batch : int or None, default=None
        Penalised rows per step; None: in proportion to their share of the rows.
    device : str or torch.device, default="auto"
        Where to compute; "auto": a CUDA device if there is one, else the CPU.
    compile : bool, default=False
        Whether to run the network through ``torch.compile`` (``compile__*`` for its arguments);
        not together with a gradient penalty.
    early_stopping : bool, default=False
        Whether to hold out rows, stop when the estimator's own objective (label loss and penalties)
        no longer falls on them, and restore the best weights.
    validation_fraction : float, default=0.1
        Share of rows held out by early stopping; when it gives fewer than ten, the training
        objective is watched instead, with a warning.
    n_iter_no_change : int, default=10
        Epochs without improvement before early stopping.
    callbacks : list of skorch callbacks or None, default=None
        As in skorch: instances, or (name, instance) pairs.
    verbose : {0, 1, 2}, default=0
        Silent, a table with a row per epoch, or a progress bar.
    warm_start : bool, default=False
        Whether `fit` goes on from the present weights and optimizer state.  Weights of penalties,
        learning rates, batch size and callbacks may change meanwhile; network, optimizer class,
        units and device stay those of the first fit.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and draws.  Equal seeds give bit-equal weights on a CPU.
    **prefixed
        Keywords with a prefix of skorch's: ``module__*``, ``optimizer__*``, ``callbacks__*``,
        ``compile__*``."""

MODULE_TEXT = """\
module : "auto", torch.nn.Module class, instance or callable, default="auto"
        Network that returns logits of shape (rows, n_classes).  "auto": a perceptron for X of shape
        (n, d), a small convolutional network for images, standardising inside.  A class or callable
        is called with the ``module__*`` parameters; an instance is copied, never changed."""

ATTRIBUTES_TEXT = """\
classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Length of axis 1 of X.
    input_shape_ : tuple of int
        Shape of one row.
    feature_names_in_ : ndarray of str
        Column names, where X had any.
    input_statistics_ : InputStatistics
        Mean, standard deviation and range of each column or channel of the first fit.
    module_ : torch.nn.Module
        The trained network.
    net_ : skorch.NeuralNet
        The engine around it.
    history_ : skorch.history.History
        Per epoch: ``train_loss``, ``train_label_loss``, each penalty, and those of held-out rows.
    alpha_ : float
        Weight of the explanation term in force.
    n_iter_ : int
        Number of epochs trained."""

FIT_TEXT = """\
X : array-like of shape (n, d), (n, h, w) or (n, channels, h, w)
            Inputs of any numeric dtype; they become float32 batch by batch.
        y : array-like of shape (n,)
            Class labels.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            What must not matter (or, with ``mask_marks="relevant"``, what is the reason): bool or
            degrees in [0, 1], NaN where unknown.  As X; or with 1 row for all rows; for images also
            without the channel axis.  None in a list: a row without annotation.
        sample_weight : array-like of shape (n,) or None, default=None
            Non-negative weights; a row of weight 0 takes part in nothing."""

_TEXTS = {
    "%(common_parameters)s": COMMON_TEXT,
    "%(module)s": MODULE_TEXT,
    "%(attributes)s": ATTRIBUTES_TEXT,
}


def inherit_parameters(cls):
    """Give a class the signature and text of the parameters that it passes on to its base.

    A subclass names its own parameters and passes the rest on as ``**common``.  scikit-learn reads
    parameters from the signature of ``__init__``; so the full one is written there, and the shared
    lines into the docstring.
    """
    for key, text in _TEXTS.items():
        cls.__doc__ = (cls.__doc__ or "").replace(key, text)
    init = vars(cls).get("__init__")
    if init is None or not _passes_on(init):
        return
    # The keywords with prefixes stay out of the signature: they are no parameter of their own.
    own = _named_parameters(init)
    # The next __init__ in line, which a mixin in between need not have.
    parent = next(vars(base)["__init__"] for base in cls.__mro__[1:] if "__init__" in vars(base))
    inherited = [
        parameter
        for parameter in _named_parameters(parent)
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    init.__signature__ = inspect.Signature([*own, *inherited])


def _passes_on(function):
    kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


def _named_parameters(function):
    return [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]


def refuse_compile(estimator):
    """Refuse to compile a network whose input gradient is trained on."""
    if estimator.compile or hasattr(estimator.module, "_orig_mod"):
        raise ValueError(
            "compile must be False with a gradient penalty: torch.compile does not differentiate "
            "twice. Pass the module as it was before torch.compile."
        )


def split_prefixed(params):
    """Split parameters into those with a prefix of skorch's and the rest."""
    prefixed = {key: value for key, value in params.items() if key.startswith(PREFIXES)}
    return prefixed, {key: value for key, value in params.items() if key not in prefixed}


def root_seed(random_state):
    """Draw the seed from which all streams of a fit follow.

    None takes fresh entropy instead of numpy's global state, which a fit leaves as it was.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)
