"""Parameters that every estimator shares: their constraints, text, and how they are passed on."""

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

# The one place that imports scikit-learn's private validation of parameters.
from sklearn.utils._param_validation import Interval, Options, StrOptions
from torch import nn

from .._checks import check_seed
from .._typing import Seed

ModuleLike: TypeAlias = Literal["auto"] | nn.Module | Callable[..., Any]

# Keywords with these prefixes are handed to skorch, as its double-underscore parameters.
PREFIXES = ("module__", "optimizer__", "callbacks__", "compile__")

# Parameters that the trainer takes as they are.
TRAINER_SETTINGS = (
    "batch_size",
    "annotated_per_batch",
    "penalty_chunk_size",
    "penalty_every",
    "mixed_precision",
    "n_iter_no_change",
    "verbose",
)


class Whole(Interval):
    """Integers from a number on, of Python or numpy; True and False are none."""

    def __init__(self, lowest: int) -> None:
        super().__init__(Integral, lowest, None, closed="left")

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is one of these integers."""
        return not isinstance(val, bool) and super().is_satisfied_by(val)


NON_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
COUNT = Whole(1)
SHARE = Interval(Real, 0, 1, closed="both")
ALPHA = [NON_NEGATIVE, StrOptions({"auto"})]
# Of perturbations, whose label loss can also be taken instead of that of the clean sample.
PERTURBATION_ALPHA = [NON_NEGATIVE, StrOptions({"auto", "replace"})]

COMMON_CONSTRAINTS = {
    "module": [StrOptions({"auto"}), nn.Module, callable],
    "optimizer": [callable],
    "lr": [POSITIVE],
    "backbone_lr": [NON_NEGATIVE, None],
    "lr_schedule": [StrOptions({"constant", "cosine"})],
    "max_epochs": [COUNT],
    "batch_size": [COUNT, Options(Integral, {-1})],
    "mask_marks": [StrOptions({"irrelevant", "relevant"})],
    "input_unit": [StrOptions({"sd", "input"})],
    "embedding_layer": [str, None],
    "pad_id": [Whole(0), None],
    "mask_id": [Whole(0), None],
    "batches_by_length": ["boolean"],
    "annotated_per_batch": [COUNT, None],
    "augment": [StrOptions({"light"}), callable, None],
    "penalty_chunk_size": [COUNT, str, None],
    "penalty_every": [COUNT],
    "device": [str, torch.device],
    "compile": ["boolean"],
    "mixed_precision": ["boolean"],
    "deterministic": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [COUNT],
    "callbacks": [list, None],
    "verbose": [Options(Integral, {0, 1, 2}), "boolean"],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
}

LABEL_CONSTRAINTS = {
    "label_loss": [StrOptions({"cross_entropy", "focal"}), callable],
    "focal_gamma": [NON_NEGATIVE],
    "label_smoothing": [SHARE],
    "class_weight": [dict, StrOptions({"balanced"}), None],
}

TARGET_CONSTRAINTS = {
    "label_loss": [
        StrOptions({"squared_error", "absolute_error", "huber", "quantile"}),
        callable,
    ],
    "quantile": [Interval(Real, 0, 1, closed="neither")],
    "huber_delta": [POSITIVE],
}

COMMON_TEXT = """\
module : "auto", torch.nn.Module class, instance or callable, default="auto"
        Network that returns %(outputs)s.  "auto": a perceptron for X of shape
        (n, d), a small convolutional network for images, standardising inside.  A class or callable
        is called with the ``module__*`` parameters, and with the number of outputs if it has a
        parameter ``n_outputs``, ``num_classes``, ``num_labels`` or ``n_classes``; an instance is
        copied, never changed.
    optimizer : torch.optim.Optimizer class, default=torch.optim.Adam
        Optimizer; further arguments as ``optimizer__weight_decay=...``.
    lr : float, default=1e-3
        Learning rate.
    backbone_lr : float or None, default=None
        Learning rate of all layers but the head, the layer with weights that runs last: for
        pretrained networks.  0: these layers stay as they are, batch norm included; None: `lr`.
    lr_schedule : {"constant", "cosine"}, default="constant"
        Course of the learning rates over a fit: constant, or rising over the first tenth of the
        steps and then falling to 0 as half a cosine.  A further fit with `warm_start` begins anew;
        ``partial_fit`` trains at constant rates.
    max_epochs : int, default=100
        Number of passes over the samples.
    batch_size : int, default=64
        Samples per step; -1: all.
    mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a mask value of 1 means: the feature must not matter, or it is the reason.
    input_unit : {"sd", "input"}, default="sd"
        Unit of radii and gradients: the standard deviation of each column or channel, measured at
        the first fit (of tokens: the spread of the embedding), or X as it is.
    embedding_layer : str or None, default=None
        Name of the embedding that reads X, as in ``named_modules``: X of shape (n, tokens) then
        holds ids of tokens, and a feature is a token.  None: it is found where X holds integers and
        the network gives exactly X to an embedding.
    pad_id : int or None, default=None
        Id of the padding of tokens, which is no feature; None: what the embedding
        (``padding_idx``) or the configuration of the network says, if they do.
    mask_id : int or None, default=None
        Id of the token that says nothing, such as [MASK] or <unk>: it stands in for irrelevant
        tokens where these are blanked.
    batches_by_length : bool, default=False
        Whether a batch holds texts of about one length, cut to the longest of them, so that less
        padding is computed: for transformers and ids of tokens.  An epoch has the same samples in
        another order; predictions are the same up to rounding.  In a swap a donor gives of its
        first tokens, as many as the longest text of the batch has.
    annotated_per_batch : int or None, default=None
        Penalised samples per step; None: in proportion to their share of the samples.
    augment : "light", callable, kornia.augmentation.AugmentationSequential or None, default=None
        Random changes of the images in training steps, which move masks with them; what comes from
        outside the frame is unknown.  "light", for photographs: a flip from left to right, small
        shifts and changes of size and colours.  A callable is given ``(images, masks, generator)``
        and returns images and masks; see docs/images.md.  Images that are held out or predicted
        are never changed.
    penalty_chunk_size : int, str or None, default=None
        Penalised samples that are differentiated at once, to save memory; None: all of a step.  An
        amount of memory such as "512MB" or "1.5GB": as many as keep the tensors that the penalties
        make within it, measured on four samples when training begins.  The result is the same up to
        rounding, and up to what random perturbations draw.
    penalty_every : int, default=1
        Steps from one with penalties to the next, where they then have so many times their weight:
        a fit takes less time.  Steps are counted on over epochs, also by `partial_fit`.  Perturbed
        samples that replace clean ones (``alpha="replace"``) are part of every step.
    device : str or torch.device, default="auto"
        Where to compute; "auto": a CUDA device if there is one, else the CPU.  "accelerate": the
        device that ``accelerate launch`` gives to each process that it starts; all of them train
        this one network together (docs/scaling.md#several-devices).
    compile : bool, default=False
        Whether to run the network through ``torch.compile`` (``compile__*`` for its arguments);
        not together with a gradient penalty.
    mixed_precision : bool, default=False
        Whether the network trains in bfloat16 where ``torch.autocast`` allows it: faster and with
        less memory on a GPU with tensor cores.  Weights, losses and predictions stay float32.  Not
        together with bounds, decompositions and penalties at layers.
    deterministic : bool, default=False
        Whether `fit` on a GPU uses only kernels that give equal bits for equal seeds, which are
        slower; where there is none, torch raises an error, which names the environment variable
        ``CUBLAS_WORKSPACE_CONFIG``.
    early_stopping : bool, default=False
        Whether to hold out samples, stop when the estimator's own objective (label loss and
        penalties) no longer falls on them, and restore the best weights.
    validation_fraction : float, default=0.1
        Share of samples held out by early stopping; if these are fewer than ten, or none of
        them is penalised, the training objective is monitored instead, with a warning.
    n_iter_no_change : int, default=10
        Epochs without improvement before early stopping.
    callbacks : list of skorch callbacks or None, default=None
        As in skorch: instances, or (name, instance) pairs.
    verbose : {0, 1, 2}, default=0
        Silent, a table with a row per epoch, or a progress bar.
    warm_start : bool, default=False
        Whether `fit` goes on from the present weights and optimizer state.  Weights of penalties,
        learning rates, batch size and callbacks may change meanwhile; network, optimizer class,
        statistics of X and device stay those of the first fit.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and draws.  Equal seeds give bit-equal weights on a CPU.
    **prefixed
        Keywords with a prefix of skorch's: ``module__*``, ``optimizer__*``, ``callbacks__*``,
        ``compile__*``."""

LABEL_TEXT = """\
label_loss : {"cross_entropy", "focal"} or callable, default="cross_entropy"
        Loss of a sample.  A callable is given logits of shape (n_samples, n_classes) and positions
        in ``classes_`` of shape (n_samples,), and returns one value per sample.
    focal_gamma : float, default=2.0
        Exponent of the focal loss.
    label_smoothing : float, default=0.0
        Share of a label that is spread over all classes, with the cross entropy.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in label losses, also those inside a perturbation penalty;
        "balanced" counts sample weights; ``partial_fit`` raises an error for it.
    """

TARGET_TEXT = """\
label_loss : {"squared_error", "absolute_error", "huber", "quantile"} or callable, \
default="squared_error"
        Loss of a sample.  A callable is given predictions of shape (n_samples, 1) and targets of
        shape (n_samples,), and returns one value per sample.
    quantile : float, default=0.5
        Which quantile of the targets the loss ``"quantile"`` predicts, between 0 and 1.
    huber_delta : float, default=1.0
        Error, in units of the targets, from which the loss ``"huber"`` grows linearly.
    """

ATTRIBUTES_TEXT = """\
n_features_in_ : int
        Length of axis 1 of X.
    input_shape_ : tuple of int
        Shape of one sample.
    feature_names_in_ : ndarray of str
        Column names, where X had any.
    input_statistics_ : InputStatistics
        Mean, standard deviation and range of each column or channel of the first fit.
    embedding_layer_ : str or None
        Name of the embedding that reads X; None: X does not hold tokens.
    pad_id_, mask_id_ : int or None
        Ids of padding and of the token that says nothing, where X holds tokens.
    module_ : torch.nn.Module
        The trained network.
    trainer_ : object
        The object that trained it, with ``optimizer_`` and the other attributes that skorch's
        callbacks use.  Its ``predict`` and the targets of callbacks are encoded classes.
    history_ : skorch.history.History
        Per epoch: ``train_loss``, ``train_label_loss``, each penalty, and those of held-out
        samples.
    alpha_ : float
        Present weight of the explanation term; infinite with ``alpha="replace"``.
    n_iter_ : int
        Number of epochs trained."""

FIT_TEXT = """\
X : array-like of shape (n, d), (n, h, w) or (n, channels, h, w)
            Inputs of any numeric dtype; they become float32 batch by batch.
        y : array-like of shape (n,)
            %(targets)s
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            What must not matter (or, with ``mask_marks="relevant"``, what is the reason): bool or
            degrees in [0, 1], NaN where unknown.  Of the shape of X; with axis 0 of length 1, it is
            one mask for all samples; for images also without the channel axis.  None in a list: a
            sample without annotation.
        sample_weight : array-like of shape (n,) or None, default=None
            Non-negative weights; a sample of weight 0 takes part in nothing."""


def inherit_parameters(cls: Any) -> None:
    """Give a class what it shares with its bases: parameters, their constraints, their text.

    A class, also a mixin, names its own parameters and passes the rest on as ``**common``.
    scikit-learn reads parameters from the signature of ``__init__``; so the full one is written
    there, and the text of each of them, in this order, where the docstring says ``%(parameters)s``.
    """
    constraints: dict = {}
    words: dict = {}
    attributes = ""
    for base in reversed(cls.__mro__):
        constraints.update(vars(base).get("_parameter_constraints", {}))
        words.update(vars(base).get("_words", {}))
        attributes += vars(base).get("_attributes", "")
    cls._parameter_constraints = constraints
    _write_signature(cls)
    texts = {
        "parameters": _all_parameters(cls),
        "attributes": attributes + ATTRIBUTES_TEXT,
        "fit": FIT_TEXT,
    }
    _write_texts(cls, texts, words)
    for base in cls.__mro__:  # a mixin that is no estimator by itself has methods, too
        for name in ("fit", "partial_fit"):
            if "%(" in (getattr(vars(base).get(name), "__doc__", None) or ""):
                _write_texts(vars(base)[name], texts, words)


def _write_texts(thing: Any, texts: dict[str, str], words: dict[str, str]) -> None:
    """Fill the gaps of a docstring: lines of their own, indented as they are, and single words."""
    for gap, text in texts.items():
        match = re.search(rf"^( *)%\({gap}\)s", thing.__doc__ or "", re.MULTILINE)
        if match:
            lines = textwrap.indent(inspect.cleandoc(text), match[1])
            thing.__doc__ = thing.__doc__.replace(match[0], lines)
    for gap, word in words.items():
        thing.__doc__ = (thing.__doc__ or "").replace(f"%({gap})s", word)


def _all_parameters(cls: Any) -> str:
    """Return the text of all parameters of a class, in the order of its signature."""
    texts = _blocks(_dedented(COMMON_TEXT))
    for base in reversed(cls.__mro__):
        for penalty in vars(base).get("_penalties", ()):
            texts.update(_parameters_of(penalty))
        texts.update(_blocks(_dedented(vars(base).get("_texts", ""))))
    signature = inspect.signature(cls).parameters.values()
    blocks = [_with_default(texts[p.name], p.default) for p in signature if p.name in texts]
    return "\n".join([*blocks, texts["**prefixed"]])


def _parameters_of(penalty: Any) -> dict[str, str]:
    """Return the text of each parameter of a penalty, by name."""
    _, _, text = inspect.cleandoc(penalty.__doc__).partition("Parameters\n----------\n")
    text = re.sub(r" \[\d+\]_", "", text)  # its references have other numbers
    return _blocks(re.split(r"\n\n[^\n]+\n--", text)[0])


def _dedented(text: str) -> str:
    """Remove the indentation of all lines but the first, which has none."""
    return textwrap.dedent(f"    {text}")


def _blocks(text: str) -> dict[str, str]:
    """Split a list of parameters into their texts, by name."""
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    return {re.split(r" :|\n", block)[0]: block.rstrip() for block in blocks if block.strip()}


def _with_default(text: str, default: Any) -> str:
    """Write the default of the signature into the text, which may be that of a penalty."""
    if default is inspect.Parameter.empty or isinstance(default, type):
        return text
    shown = f'"{default}"' if isinstance(default, str) else repr(default)
    head, _, body = text.partition("\n")
    return f"{head.split(', default=')[0]}, default={shown}\n{body}"


def _write_signature(cls: Any) -> None:
    """Write the full signature of an ``__init__`` that passes on what it does not name."""
    if not _passes_on(cls.__init__):  # the usual kind, which says itself what it takes
        return
    # The keywords with prefixes stay out of the signature: they are no parameter of their own.
    named: dict[str, inspect.Parameter] = {}
    for init in _inits(cls):
        for parameter in inspect.signature(init).parameters.values():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                named.setdefault(parameter.name, parameter)
    if "__init__" not in vars(cls):
        cls.__init__ = _make_init(cls)
    cls.__init__.__signature__ = inspect.Signature(_as_documented(cls, named.values()))


def _as_documented(cls: Any, parameters: Iterable[inspect.Parameter]) -> list[inspect.Parameter]:
    """Sort keyword-only parameters in the order in which the docstring has them."""
    documented = re.findall(r"^(\w+) : ", inspect.getdoc(cls) or "", re.MULTILINE)
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    rest = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    unknown = len(documented)
    named.sort(key=lambda p: documented.index(p.name) if p.name in documented else unknown)
    return [*rest, *named]


def _inits(cls: Any) -> Iterator[Callable[..., Any]]:
    """Yield what a call runs through: each ``__init__`` up to the first that passes nothing on."""
    for base in cls.__mro__:
        init = vars(base).get("__init__")
        if inspect.isfunction(init):
            yield init
            if not _passes_on(init):
                return


def _make_init(cls: Any) -> Callable[..., None]:
    def __init__(self: Any, module: ModuleLike = "auto", **common: Any) -> None:
        super(cls, self).__init__(module, **common)

    return __init__


def _passes_on(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & inspect.CO_VARKEYWORDS)


def split_prefixed(params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split parameters into those with a prefix of skorch's and the rest."""
    prefixed = {key: value for key, value in params.items() if key.startswith(PREFIXES)}
    return prefixed, {key: value for key, value in params.items() if key not in prefixed}


def check_prefixes(cls: Any, params: dict[str, Any]) -> None:
    """Check that keywords that are no parameters of a class have a prefix of skorch's."""
    _, unknown = split_prefixed(params)
    if unknown:
        raise TypeError(
            f"{cls.__name__} got an unexpected keyword {next(iter(unknown))!r}: it must be one of "
            f"{cls._get_param_names()} or start with one of {list(PREFIXES)}."
        )


def trainer_settings(estimator: Any) -> dict[str, Any]:
    """Return what the trainer takes; integers of numpy, which overflow, as those of Python."""
    given = {name: getattr(estimator, name) for name in TRAINER_SETTINGS}
    return {name: int(v) if isinstance(v, np.integer) else v for name, v in given.items()}


def root_seed(random_state: Seed) -> int:
    """Draw the seed from which all streams of a fit follow.

    None takes fresh entropy instead of numpy's global state, which a fit leaves as it was.
    """
    check_seed(random_state)
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)
