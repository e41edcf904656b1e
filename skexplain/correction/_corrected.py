"""A fitted network, corrected from masks."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, _clone_parametrized
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import nn

from .._checks import check_no_dates, check_nothing_hidden
from ..estimators._mask_warnings import nothing_left
from ..estimators._parameters import COUNT, SHARE, StrOptions
from ..estimators._tokenizers import check_takes_no_texts
from ..exceptions import MissingExplanationWarning
from ..masks import Masks
from ..masks._meaning import Marks
from ..metrics._perturb import make_generator
from ._controls import make_report
from ._copies import SwappedCopies, read_masks
from ._evaluation import Correction, Outcome, Swaps
from ._features import check_cache
from ._finetune import Finetuning
from ._fold import around_network, folded_weights
from ._given import encode_labels, frozen, read_weight
from ._methods import METHODS
from ._network import Network, probabilities
from ._place import read_places
from ._report import CorrectionReport
from ._search import CorrectionSearch
from ._tail import find_sites, find_tail
from ._texts import with_shared_texts


@with_shared_texts
class CorrectedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Correct a fitted network from masks, without training it from scratch.

    The network runs once on the samples and once on each of their swapped copies, in which what
    must not matter comes from other samples.  From its features there the correction is computed,
    in closed form unless the last layers are trained further, and put into a copy of the network.
    `module_` is a network like the given one: it can be saved, exported and trained on.

    Parameters
    ----------
    estimator : fitted classifier with ``module_``, or torch.nn.Module that returns logits
        What is corrected; never changed.  A fitted estimator is wrapped in
        ``sklearn.frozen.FrozenEstimator`` when this one is cloned, as in a cross-validation, so
        that it stays fitted.
    method : {"auto", "project", "oblique", "reactive", "refit_head", "finetune"}, default="auto"
        - "project": the leading directions of h(x) - h(swapped x) are projected out of the features
          h, around their mean (P-ClArC of Anders et al. 2022 [1]_, its concept made by masks);
        - "oblique": the same directions by the projection that changes features least (LEACE of
          Belrose et al. 2023 [2]_) among those that, with labels, keep the covariance of features
          with them (SPLINCE of Holstege et al. 2025 [3]_);
        - "reactive": as "project", but only in samples in which a linear detector finds what masks
          mark (Bareeva et al. 2024 [4]_);
        - "refit_head": the last linear layer is fitted anew, as logistic regression on features of
          swapped copies (as Kirichenko et al. 2023 [5]_ do on samples balanced over groups); where
          some samples have no copies, its ridge penalty is larger along the directions in which a
          swap moves features, by a factor that is chosen by cross-validation;
        - "finetune": the layers behind `layer` are trained further by `trainer`;
        - "auto": the best of these and of leaving the network as it is, by cross-validated accuracy
          on swapped copies; among those within one standard error of it, the first one in the
          order nothing, fewer directions, more directions, a new head, further training.  This
          takes long, and is among them only where there is a `trainer`.
    layer : str, list of str or None, default=None
        Name of the layer, as in ``named_modules``, whose output is corrected.  None: what the last
        linear layer is given.  "auto": the best of this one and of up to three layers before it, by
        accuracy on swapped copies; a list: of this one and of those named.  A new head is fitted at
        the last one alone.
    n_directions : int or "auto", default="auto"
        Directions that are taken out.  "auto": by cross-validation, as above, which needs labels.
    n_copies : int, default=3
        Swapped copies of each sample.
    channel_axis : int or None, default=None
        Axis of the layer's features that holds the channels; directions are those of the mean over
        all others.  None: axis 1 of four or more axes, else the last one.
    %(mask_marks)s
    %(exchange)s
    seen : bool, default=False
        Whether the network was trained on the samples that `fit` is given.  Its own head knows
        their labels then, so that it would be compared unfairly; a head that is fitted on labels
        alone, without the samples at hand, stands in for it wherever methods are compared.
    batch_size : int, default=128
        Samples that the network runs on at once, at most: on a processor these are fewer where
        samples are large, such as 10 images of 128 pixels, which is faster.
    trainer : classifier of this package or None, default=None
        What trains with ``method="finetune"``: a clone of it whose `module` is the network.  One
        without penalties, such as an ``ERMClassifier``, is given swapped copies: their features,
        computed once, where the network can be cut behind `layer`, so that only the layers behind
        it run.  One with penalties, such as a ``SwapExClassifier`` or an
        ``ExplanationClassifier`` with penalties of your own, is given the inputs and the masks.
        None: an ``ERMClassifier`` with 30 epochs.
    clean_share : float, default=0.25
        Weight of each sample as it is beside its copies, in a new head and in training on copies;
        the copies have the rest of 1.  More of it loses less accuracy on clean samples, and rewards
        the shortcut more.
    cache : str, path-like, joblib.Memory or None, default=None
        Folder in which features are kept, as files of plain numbers, for the next fit on the same
        network, samples and masks (with an int as `random_state`).  They are computed anew where
        weights or samples are others, or where the network returns others at the first samples.
    random_state : int, RandomState instance or None, default=None
        Draws the copies and the controls.

    Attributes
    ----------
    module_ : torch.nn.Module
        The corrected network; a copy.
    classes_ : ndarray of shape (n_classes,)
        Class labels: those of the estimator; of a network the sorted labels of `y`, or else
        numbers.
    method_ : str
        What was done; "nothing" where the network stays as it was.
    n_directions_ : int
        Number of directions taken out.
    report_ : CorrectionReport or None
        What the correction changed, and what controls changed; None where nothing was marked.
    n_features_in_ : int
        Length of axis 1 of X.

    See Also
    --------
    correct : The same in one call.
    SwapAugmentedClassifier : For estimators without a network.
    skexplain.WithPropagatedMasks : Fills in masks where few samples have one.
    skexplain.SwapExClassifier : Trains a network on swaps, all layers of it.

    Notes
    -----
    A correction at one layer removes what moves along a few directions there.  What the layers
    below have made of the shortcut in other directions remains; the report says how much a swap
    still changes.

    References
    ----------
    .. [1] C. Anders et al. (2022). Finding and removing Clever Hans. Information Fusion 77.
    .. [2] N. Belrose et al. (2023). LEACE: Perfect linear concept erasure in closed form. NeurIPS.
    .. [3] F. Holstege, S. Ravfogel, B. Wouters (2025). Preserving task-relevant information under
       linear concept removal. arXiv:2506.10703.
    .. [4] D. Bareeva et al. (2024). Reactive model correction. CVPR workshops.
    .. [5] P. Kirichenko, P. Izmailov, A. Wilson (2023). Last layer re-training is sufficient for
       robustness to spurious correlations. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from skexplain import ERMClassifier
    >>> from skexplain.correction import CorrectedClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(size=(200, 3)) + y[:, None] * [1, 0, 4]  # the last column is a shortcut
    >>> mask = np.array([[False, False, True]])
    >>> plain = ERMClassifier(max_epochs=20, random_state=0).fit(X, y)
    >>> clf = CorrectedClassifier(FrozenEstimator(plain), method="project", n_directions=1)
    >>> clf = clf.set_params(random_state=0).fit(X, y, mask=mask)
    >>> before, after = clf.report_.flip_rate
    >>> after < before / 2
    True
    """

    # Masks are handed on by Pipeline, GridSearchCV and the like without further calls.
    __metadata_request__fit = {"mask": True}

    _parameter_constraints: dict = {
        "estimator": "no_validation",
        "method": [StrOptions({"auto", *METHODS})],
        "layer": [str, list, None],
        "n_directions": [COUNT, StrOptions({"auto"})],
        "n_copies": [COUNT],
        "channel_axis": [int, None],
        "mask_marks": [StrOptions({"irrelevant", "relevant"})],
        "exchange": ["boolean"],
        "seen": ["boolean"],
        "batch_size": [COUNT],
        "trainer": "no_validation",
        "clean_share": [SHARE],
        "cache": "no_validation",
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        method: str = "auto",
        layer: str | list[str] | None = None,
        n_directions: int | str = "auto",
        n_copies: int = 3,
        channel_axis: int | None = None,
        mask_marks: Marks = "irrelevant",
        exchange: bool = True,
        seen: bool = False,
        batch_size: int = 128,
        trainer: Any = None,
        clean_share: float = 0.25,
        cache: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.layer = layer
        self.n_directions = n_directions
        self.n_copies = n_copies
        self.channel_axis = channel_axis
        self.mask_marks = mask_marks
        self.exchange = exchange
        self.seen = seen
        self.batch_size = batch_size
        self.trainer = trainer
        self.clean_share = clean_share
        self.cache = cache
        self.random_state = random_state

    def __sklearn_clone__(self) -> CorrectedClassifier:
        """Return an unfitted copy, in which a fitted estimator is still fitted."""
        other = copy.copy(self)
        other.estimator = frozen(self.estimator)
        return _clone_parametrized(other)

    def fit(
        self, X: Any, y: Any = None, *, mask: Any = None, sample_weight: Any = None
    ) -> CorrectedClassifier:
        """Compute the correction, and put it into a copy of the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Inputs as the network takes them; of samples that it was trained on, set `seen`.
        y : array-like of shape (n_samples,) or None, default=None
            Class labels.  None: a projection with a number of directions needs none.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            What must not matter, in one of the shapes of the user guide.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How often each sample counts, with its copies: in the correction, where 2 is as good as
            the sample twice, and in the means of the report.  One of weight 0 takes part in
            nothing.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If the estimator holds no network, or `cache` is of another type.
        ValueError
            If X, y, mask or sample_weight do not fit the network or each other, or a parameter is
            not legal.
        """
        self._validate_params()
        if isinstance(self.channel_axis, bool):
            raise ValueError(f"channel_axis must be an int, got {self.channel_axis!r}.")
        check_cache(self.cache)
        check_takes_no_texts(
            self.estimator,
            "with t = clf.tokenize(X, mask), correct clf.estimator_ on t.ids and t.mask",
        )
        given = X
        # First: what has no network may well take samples with categories and gaps.
        network = Network(self.estimator, self.batch_size)
        check_nothing_hidden("X", X)
        X = check_array(X, allow_nd=True, dtype="numeric", input_name="X")
        check_no_dates("X", X)
        # One of its own, whose hooks hear no passes of other threads.  In evaluation mode, also at
        # prediction: else one thread would switch dropout on again amid the pass of another.
        network.module = copy.deepcopy(network.module).eval()
        network.check_is_whole_model(self.estimator, X, given)
        n_classes = network.count_classes(X)
        classes, codes = encode_labels(network.classes, n_classes, X, y)
        masks = None if mask is None else read_masks(given, mask, self.mask_marks, y)
        weight = read_weight(sample_weight, X)
        rows = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
        if masks is not None and len(rows) < len(X):
            masks = masks.of_rows(rows)
        if masks is None or not masks.has_irrelevant.any():
            self._warn(masks)
            module, correction, report = None, None, None
        else:
            problem = nothing_left(masks, rows)
            if problem:
                text = f"{type(self).__name__} is {problem}"
                warnings.warn(text, MissingExplanationWarning, stacklevel=2)
            module, correction, report = self._correct(network, X, codes, masks, n_classes, weight)
        self.classes_ = classes
        validate_data(self, given, skip_check_array=True)  # keeps the names of the columns
        self.report_ = report
        self.method_ = "nothing" if report is None else report.method
        self.n_directions_ = 0 if report is None else report.n_directions
        self.module_ = (network.module if module is None else module).eval()
        self._correction = correction
        return self

    def _warn(self, masks: Masks | None) -> None:
        what = "without a mask" if masks is None else "with masks that mark nothing as irrelevant"
        warnings.warn(
            f"{type(self).__name__} is fitted {what}: the network stays as it is. See "
            f"docs/masks.md#samples-without-a-mask.",
            MissingExplanationWarning,
            stacklevel=3,
        )

    def _correct(
        self,
        network: Network,
        X: np.ndarray,
        codes: np.ndarray | None,
        masks: Masks,
        n_classes: int,
        weight: np.ndarray | None,
    ) -> tuple[nn.Module | None, Correction | None, CorrectionReport]:
        """Return the corrected network and the correction, None where nothing is better; report."""
        generator = make_generator(self.random_state)
        seed = int(generator.integers(2**31))
        share, marks = self.clean_share, self.mask_marks
        finetuning = Finetuning(self.trainer, codes, share, marks, seed, weight)
        copies = SwappedCopies(X, masks, self.exchange, network.tokens(X), weight)
        swaps = Swaps(X, copies, self.n_copies, seed)
        sites = find_sites(network, X, self.layer, self.channel_axis)
        tails = [find_tail(network, site, X) for site in sites]
        cache = self.cache
        places = read_places(network, sites, tails, swaps, masks, codes, n_classes, cache, weight)
        search = CorrectionSearch(places, finetuning, self.seen)
        choice = search.choose(self.method, self.n_directions)
        correction = search.make(choice)
        module = None if correction is None else correction.apply(network.module)
        outcome = None
        if codes is None and module is not None:
            outcome = Outcome.of(swaps.logits(network, module))
        place = places[choice.place]
        clean, after = (place.predictions(c) for c in (None, correction))
        changed = np.flatnonzero(clean != after)
        report = make_report(search, choice, changed, outcome, generator)
        return module, correction, report

    def undo(self) -> nn.Module:
        """Return the network as it was before the correction.

        Returns
        -------
        torch.nn.Module
            A copy: the corrected network with what was put into it taken out.
        """
        check_is_fitted(self)
        if self._correction is None:
            return copy.deepcopy(self.module_)
        return self._correction.undo(self.module_)

    def fold(self) -> nn.Module:
        """Return the corrected network with the layers of the given one, and other weights.

        It computes what ``module_`` does, up to rounding.

        Returns
        -------
        torch.nn.Module
            A copy.

        Raises
        ------
        ValueError
            If the correction cannot be in the weights: of ``method="reactive"``, or behind a layer
            that is neither linear nor a convolution.
        """
        network = self.undo()
        if self._correction is not None:
            weights = folded_weights(self._correction, network)
            network.load_state_dict(weights, strict=False)
        return network

    def to_estimator(self) -> Any:
        """Return the given estimator with the weights that `fold` returns, such as for ``save``.

        Returns
        -------
        fitted estimator
            A copy; of the class of the given one.

        Raises
        ------
        TypeError
            If a network was given, not an estimator.
        """
        return around_network(self.estimator, self.fold())

    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the logits of the corrected network.

        %(decision_function)s
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities with the corrected network.

        %(predict_proba)s
        """
        return probabilities(self._logits(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels with the corrected network.

        %(predict)s
        """
        codes = self._logits(X).argmax(1)
        return self.classes_[codes]

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        check_nothing_hidden("X", X)
        X = validate_data(self, X, reset=False, allow_nd=True, dtype="numeric")
        return Network(self.module_, self.batch_size).logits([X])
