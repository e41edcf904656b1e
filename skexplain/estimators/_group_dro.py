"""Group distributionally robust optimisation: the worst group first, without masks."""

from typing import TYPE_CHECKING, Any

from ..training._method import GroupDRO, Method
from ._base import MixinBase
from ._classifier import BaseExplanationClassifier
from ._parameters import NON_NEGATIVE, ModuleLike

if TYPE_CHECKING:
    from typing_extensions import Self


class GroupLabels(MixinBase):
    """A classifier whose fit takes the group of each sample."""

    __metadata_request__fit = {"mask": True, "group_labels": True}
    __metadata_request__partial_fit = {"mask": True, "group_labels": True}

    _texts = """\
group_step_size : float, default=0.01
        How fast the weights of worse groups rise, eta; 0: all groups weigh the same.
    group_adjustment : float, default=0.0
        How much more small groups weigh, C: this number over the root of a group's size is added
        to its loss where weights rise."""
    _parameter_constraints = {
        "group_step_size": [NON_NEGATIVE],
        "group_adjustment": [NON_NEGATIVE],
    }

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        group_step_size: float = 0.01,
        group_adjustment: float = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.group_step_size = group_step_size
        self.group_adjustment = group_adjustment

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        mask: Any = None,
        sample_weight: Any = None,
        group_labels: Any = None,
    ) -> "Self":
        """Train on labels, masks and groups.

        Parameters
        ----------
        %(fit)s
        group_labels : array-like of shape (n,) or None, default=None
            Group of each sample, labels of any kind; None: the classes are the groups.

        Returns
        -------
        self
        """
        go_on = self.warm_start and hasattr(self, "trainer_")
        return self._fit(X, y, mask, sample_weight, group_labels, go_on=go_on)

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        *,
        mask: Any = None,
        sample_weight: Any = None,
        group_labels: Any = None,
    ) -> "Self":
        """Train for one more epoch.

        Epochs trained one by one are those of one `fit`, bit for bit.  All samples train: early
        stopping holds none out here.

        Parameters
        ----------
        %(fit)s
        classes : array-like of shape (n_classes,), default=None
            All class labels; needed at the first call.
        group_labels : array-like of shape (n,) or None, default=None
            Group of each sample, labels of any kind; None: the classes are the groups.  Groups that
            come in a later call start with the mean weight.

        Returns
        -------
        self
        """
        go_on, classes = self._check_classes(classes)
        return self._fit(
            X, y, mask, sample_weight, group_labels, go_on=go_on, partial=True, classes=classes
        )

    def _group_dro(self) -> GroupDRO:
        return GroupDRO(self.group_step_size, self.group_adjustment)


class GroupDROClassifier(GroupLabels, BaseExplanationClassifier):
    r"""Classifier that learns most from the group it is worst at.

    With the mean loss L_g of each group and its number of samples n_g, each step minimises

    .. math:: \sum_g q_g L_g, \quad q_g \leftarrow q_g \exp(\eta (L_g + C / \sqrt{n_g})) / Z

    (Sagawa et al. 2020 [1]_).  In a batch, L_g is estimated by the sum over the group's samples,
    divided by the group's average share of a batch: groups need not be in every batch.  Use
    it as the baseline that is given groups instead of masks: it helps only where the shortcut fails
    in some training samples, and only as long as the network does not memorise these (try
    ``optimizer__weight_decay`` or fewer epochs).  A mask is checked and then ignored, so that it
    can replace the other estimators.  A step costs as much as the label loss's.

    A `sample_weight` is the number of samples that a sample stands for in L_g; n_g is the number of
    samples, whatever they weigh.  A `class_weight` multiplies losses, and so influences which group
    is the worst.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s
    groups_ : list
        Group labels.
    group_weights_ : ndarray of shape (n_groups,)
        The weights q at the end, in the order of ``groups_``; ``history_[:, "group_weights"]`` has
        them for each epoch.

    See Also
    --------
    ERMClassifier : The mean over samples.
    ExplanationClassifier : Masks and groups together.

    References
    ----------
    .. [1] S. Sagawa, P. W. Koh, T. B. Hashimoto, P. Liang (2020). Distributionally Robust Neural
       Networks for Group Shifts. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import GroupDROClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> group = np.where(rng.random(200) < 0.1, "rare", "frequent")
    >>> X = rng.normal(size=(200, 2)) + 3 * np.c_[y, np.where(group == "rare", 1 - y, y)]
    >>> clf = GroupDROClassifier(max_epochs=50, random_state=0).fit(X, y, group_labels=group)
    >>> bool(clf.group_weights_[clf.groups_.index("rare")] > 0.5)
    True
    """

    def _method(self) -> Method:
        return Method(reduction=self._group_dro())
