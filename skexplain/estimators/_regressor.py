"""Base of the regressors: targets and their losses."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from torch import nn

from ..masks._statistics import check_float32
from ..penalties._input_gradient import Output
from ..training._architectures import build_network
from ..training._label_losses import OwnLoss, regression_loss
from ._base import BaseExplanationEstimator
from ._parameters import TARGET_CONSTRAINTS, TARGET_TEXT, ModuleLike

if TYPE_CHECKING:
    from typing_extensions import Self


class BaseExplanationRegressor(RegressorMixin, BaseExplanationEstimator):
    """Base of the regressors that take a mask beside X and y.

    Parameters
    ----------
    %(parameters)s
    """

    _parameter_constraints: dict = TARGET_CONSTRAINTS
    _texts = TARGET_TEXT
    _words = {
        "outputs": "predictions of shape (n_samples, 1)",
        "targets": "Target values, one per sample.",
    }
    # The score whose input gradient an added penalty takes: the prediction itself.
    _gradient_output: Output = "logit_sum"

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        label_loss: Any = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.label_loss = label_loss
        self.quantile = quantile
        self.huber_delta = huber_delta

    def fit(self, X: Any, y: Any, *, mask: Any = None, sample_weight: Any = None) -> "Self":
        """Train on targets and masks.

        Parameters
        ----------
        %(fit)s

        Returns
        -------
        self
        """
        go_on = self.warm_start and hasattr(self, "trainer_")
        return self._fit(X, y, mask, sample_weight, go_on=go_on)

    def partial_fit(self, X: Any, y: Any, *, mask: Any = None, sample_weight: Any = None) -> "Self":
        """Train for one more epoch.

        Epochs trained one by one are those of one `fit`, bit for bit.  All samples train: early
        stopping holds none out here.

        Parameters
        ----------
        %(fit)s

        Returns
        -------
        self
        """
        go_on = hasattr(self, "trainer_")
        return self._fit(X, y, mask, sample_weight, go_on=go_on, partial=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict target values.

        Parameters
        ----------
        X : array-like of the shape of the training inputs
            Inputs; no mask is needed.

        Returns
        -------
        ndarray of float64 of shape (n,)
        """
        return self._outputs(X)[:, 0].double().numpy()

    def _label_loss(self) -> Any:
        if callable(self.label_loss):
            return OwnLoss(self.label_loss)
        return regression_loss(self.label_loss, self.quantile, self.huber_delta)

    def _loss_scale(self) -> float:
        """Return the label loss of predicting the mean where targets are one std away from it.

        With the squared error this is the variance of the targets of the first fit.
        """
        mean, sd = map(float, self._target_scale)
        targets = torch.tensor([mean - sd, mean + sd], dtype=torch.float64)
        return float(
            self._label_loss()(torch.full((2, 1), mean, dtype=torch.float64), targets).mean()
        )

    def _label_weight(self, y: Any, sample_weight: Any, rows: NDArray[Any]) -> Any:
        return sample_weight

    def _n_outputs(self) -> int:
        return 1

    def _encode_targets(
        self,
        y: Any,
        rows: NDArray[Any],
        sample_weight: Any,
        go_on: bool,
        partial: bool,
        classes: Any,
    ) -> Any:
        try:
            y = np.asarray(y, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"y must hold numbers: {error}.") from error
        check_float32(y, "y")
        if not go_on:
            # The built-in network learns in units of the first fit's targets.
            weight = None if sample_weight is None else sample_weight[rows]
            mean = np.average(y[rows], weights=weight)
            sd = np.sqrt(np.average(np.square(y[rows] - mean), weights=weight))
            self._target_scale = mean, sd or 1.0
        return y.astype(np.float32)

    def _auto_network(self) -> nn.Module:
        return build_network(
            self.input_shape_, self._n_outputs(), self.input_statistics_, self._target_scale
        )
