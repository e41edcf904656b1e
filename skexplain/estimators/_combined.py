"""Any penalties together, with groups and with the two-stage schedule."""

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from sklearn.base import clone
from torch import nn

from ..penalties import MaskedFeaturePenalty, Penalty, PerturbationPenalty
from ..training._method import Method, Term
from ..training._random import _PURPOSES
from ._classifier import BaseExplanationClassifier
from ._group_dro import GroupLabels
from ._parameters import NON_NEGATIVE, PREFIXES, ModuleLike, StrOptions
from ._two_stage import MAPPING_CONSTRAINTS, MAPPING_TEXT, mapping_of

if TYPE_CHECKING:
    from typing_extensions import Self

# Names in the history, of places, and of random streams.
_RESERVED = {"loss", "label_loss", "batch_count", "clean", *_PURPOSES}


class ExplanationClassifier(GroupLabels, BaseExplanationClassifier):
    r"""Classifier with any list of named penalties.

    Adds to the label loss, reduced over samples or over groups, each penalty times its alpha,

    .. math:: \sum_k \alpha_k \frac{\sum_S w p_k}{\sum_S w}

    Use it for combinations that no other estimator offers, and for penalties of your own: a
    subclass of `skexplain.penalties.Penalty`.  Parameters of penalties are parameters of the
    estimator, such as ``pgd__epsilon``, so that a search can reach them.  All penalties see all
    samples that any of them penalises.  A step costs the label loss's plus what each penalty costs;
    penalties that are taken at one point share its forward pass.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s
    alphas_ : dict of str to float
        Weights of the penalties in force.
    groups_ : list
        Group labels, with ``reduction="group_dro"``.
    group_weights_ : ndarray of shape (n_groups,)
        Their weights, in the order of ``groups_``.

    See Also
    --------
    PGDExClassifier : The worst case, with an input-gradient penalty on request.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.  (Sums of perturbation and gradient penalties.)

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import ExplanationClassifier
    >>> from skexplain.penalties import AverageCasePenalty, InputGradientPenalty
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> penalties = [("swap", AverageCasePenalty("swap")), ("grad", InputGradientPenalty())]
    >>> clf = ExplanationClassifier(
    ...     penalties=penalties, at={"grad": "swap"}, max_epochs=30, random_state=0
    ... )
    >>> clf = clf.set_params(grad__norm="l1", alpha={"grad": 0.1}).fit(X, y, mask=mask)
    >>> bool(np.mean(clf.predict(X) == clf.predict(X + [0, 1])) > 0.9)
    True
    """

    _texts = f"""\
penalties : list of (str, Penalty), default=()
        Names and penalties; names of one's own choice, under which losses stand in ``history_``.
    alpha : float, "auto" or dict, default=1.0
        Weight of every penalty, or a dict from names to weights (a name that is missing has weight
        1); "auto" trains the first epoch without and then takes the ratio of label loss to penalty.
        "replace", in a dict and for perturbations alone: the label loss of an annotated sample is
        taken at its perturbed copies instead of the clean one, as `SwapExClassifier` does.
    at : dict or None, default=None
        From names of input-gradient penalties to those of the perturbations at whose moved samples
        they are taken, such as ``{{"grad": "pgd"}}``; others are taken at the samples as they are.
    reduction : {{"mean", "group_dro"}}, default="mean"
        Of the label losses: their mean, or the groups' by their weights (`GroupDROClassifier`).
    schedule : {{"joint", "two_stage"}}, default="joint"
        One step on the sum, or a second one for a `MaskedFeaturePenalty`, which then trains the
        mapping layer alone (`TwoStageExplanationClassifier`).
    {MAPPING_TEXT}"""
    _parameter_constraints = {
        "penalties": [list, tuple],
        "alpha": [NON_NEGATIVE, StrOptions({"auto"}), dict],
        "at": [dict, None],
        "reduction": [StrOptions({"mean", "group_dro"})],
        **MAPPING_CONSTRAINTS,
    }

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        penalties: list[Any] | tuple[Any, ...] = (),
        alpha: Any = 1.0,
        at: dict[Any, Any] | None = None,
        reduction: Literal["group_dro", "mean"] = "mean",
        schedule: Literal["joint", "two_stage"] = "joint",
        group_step_size: float = 0.01,
        group_adjustment: float = 0.0,
        mapping: Literal["conv1x1", "linear", "low_rank"] | nn.Module | None = "linear",
        mapping_init: Literal["default", "identity"] = "default",
        mapping_lr: float = 1e-3,
        feature_layer: str | None = None,
        **common: Any,
    ) -> None:
        super().__init__(
            module, group_step_size=group_step_size, group_adjustment=group_adjustment, **common
        )
        self.penalties = penalties
        self.alpha = alpha
        self.at = at
        self.reduction = reduction
        self.schedule = schedule
        self.mapping = mapping
        self.mapping_init = mapping_init
        self.mapping_lr = mapping_lr
        self.feature_layer = feature_layer

    # -- parameters of penalties ------------------------------------------------------------------

    def get_params(self, deep: Any = True) -> Any:
        """Get the parameters, those of the penalties included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the penalties by name, and their parameters.

        Returns
        -------
        dict of str to object
        """
        params = super().get_params(deep=deep)
        if deep and self._names_penalties():
            for name, penalty in self.penalties:
                params[name] = penalty
                own = penalty.get_params(deep=True)
                params.update({f"{name}__{key}": value for key, value in own.items()})
        return params

    def set_params(self, **params: Any) -> "Self":
        """Set parameters, also a penalty by its name, or a parameter of it.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self
        """
        # The list first, then its items, then (by scikit-learn) their parameters.
        if "penalties" in params:
            self.penalties = params.pop("penalties")
        if self._names_penalties() and any(name in params for name, _ in self.penalties):
            self.penalties = [(name, params.pop(name, penalty)) for name, penalty in self.penalties]
        return super().set_params(**params)

    def _names_penalties(self) -> Any:
        """Whether `penalties` is a list of pairs; if not, fit says so."""
        return isinstance(self.penalties, (list, tuple)) and all(
            isinstance(item, (list, tuple))
            and len(item) == 2
            and isinstance(item[0], str)
            and isinstance(item[1], Penalty)
            for item in self.penalties
        )

    # -- checks -----------------------------------------------------------------------------------

    def _check_penalties(self) -> None:
        if not self._names_penalties():
            raise ValueError(
                f"penalties must be a list of (name, penalty) pairs, the penalty an instance of "
                f"skexplain.penalties.Penalty; got {self.penalties!r}."
            )
        names = [name for name, _ in self.penalties]
        self._check_names(names)
        for name, penalty in self.penalties:
            self._check_penalty(name, penalty)
        for name in self.alpha if isinstance(self.alpha, dict) else ():
            self._check_weight(name, self.alpha[name], names)
            if self.alpha[name] == "replace":
                self._check_replaces(name)
        self._check_places(names)
        self._check_schedule()

    def _check_names(self, names: Any) -> None:
        taken = _RESERVED | set(self._get_param_names()) | {key[:-2] for key in PREFIXES}
        for name in names:
            if not name.isidentifier() or "__" in name or name in taken or names.count(name) > 1:
                raise ValueError(
                    f"penalties must have distinct names that are identifiers without '__', and "
                    f"neither parameters of the estimator nor among {sorted(_RESERVED)}; got "
                    f"{name!r} among {names}."
                )

    @staticmethod
    def _check_penalty(name: Any, penalty: Any) -> None:
        if penalty.marks_units:
            raise ValueError(
                f"penalties must share the mask of X, but that of {name!r}, a "
                f"{type(penalty).__name__}, has a column per unit of a layer: use "
                f"ConceptGradRegClassifier."
            )

    @staticmethod
    def _check_weight(name: str, weight: float | str, names: list[str]) -> None:
        numeric = isinstance(weight, Real) and 0 <= weight < float("inf")
        named = isinstance(weight, str) and weight in ("auto", "replace")
        if name not in names or not (numeric or named):
            raise ValueError(
                f"alpha must map names of penalties, {names}, to non-negative numbers, "
                f'"auto" or "replace"; got {name!r}: {weight!r}.'
            )

    def _check_replaces(self, name: Any) -> None:
        penalty = dict(self.penalties)[name]
        if not isinstance(penalty, PerturbationPenalty):
            raise ValueError(
                f'alpha must be a number or "auto" for {name!r}, a {type(penalty).__name__}, which '
                f'moves no sample; got "replace".'
            )

    def _check_places(self, names: Any) -> None:
        penalties = dict(self.penalties)
        for name, host in (self.at or {}).items():
            if not (
                name in names
                and penalties[name].reads_logits
                and not Term(name, penalties[name], 1.0).has_own_call
                and isinstance(penalties.get(host), PerturbationPenalty)
            ):
                raise ValueError(
                    f"at must map input-gradient penalties with robust=None, and without a "
                    f"__call__ of their own, to perturbations, by their names among {names}; got "
                    f"{name!r}: {host!r}."
                )

    def _check_schedule(self) -> None:
        mapped = [
            (name, penalty)
            for name, penalty in self.penalties
            if isinstance(penalty, MaskedFeaturePenalty)
        ]
        if len(mapped) > 1 or (self.schedule == "two_stage" and not mapped):
            raise ValueError(
                f'schedule="two_stage" needs one MaskedFeaturePenalty among the penalties, '
                f'schedule="joint" at most one; got {len(mapped)} with schedule={self.schedule!r}.'
            )
        for name, penalty in mapped:
            if self.mapping is None and not penalty.train_features:
                raise ValueError(
                    f"{name}__train_features must be True with mapping=None, which leaves nothing "
                    f"else to train; got False."
                )

    # -- training ---------------------------------------------------------------------------------

    def _method(self) -> Method:
        self._check_penalties()
        places = self.at or {}
        terms = [
            Term(
                name,
                self._as_scheduled(penalty),
                self._alpha_of(name),
                places.get(name, "clean"),
                prefix=f"{name}__",
            )
            for name, penalty in self.penalties
        ]
        maps = any(isinstance(penalty, MaskedFeaturePenalty) for _, penalty in self.penalties)
        mapping = mapping_of(self)
        return Method(
            # A term that is taken where another has moved the samples comes after it.
            tuple(sorted(terms, key=lambda term: term.at != "clean")),
            self._group_dro() if self.reduction == "group_dro" else None,
            mapping if maps else None,
        )

    def _as_scheduled(self, penalty: Any) -> Any:
        """Spare a second step that trains the mapping alone the gradients of the features."""
        if (
            isinstance(penalty, MaskedFeaturePenalty)
            and self.schedule == "two_stage"
            and self.mapping is not None
        ):
            return clone(penalty).set_params(train_features=False)
        return penalty

    def _alpha_of(self, name: Any) -> Any:
        return self.alpha.get(name, 1.0) if isinstance(self.alpha, dict) else self.alpha

    def _keep(self, trainer: Any) -> None:
        super()._keep(trainer)
        self.alphas_ = {name: trainer.alphas_[name] for name, _ in self.penalties}
