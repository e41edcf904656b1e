"""Parameters that go on to skorch and torch, by skorch's prefixes of their names."""

from typing import Any

from sklearn.base import BaseEstimator

from ._parameters import split_prefixed


class PrefixedParameters(BaseEstimator):
    """Base of estimators with parameters such as ``module__width`` and ``optimizer__momentum``."""

    def _prefixed(self, prefix: str, strip: bool = True) -> dict[str, Any]:
        """Parameters with a prefix, by their names without (or with) it."""
        given = {key: value for key, value in vars(self).items() if key.startswith(prefix)}
        return {key.removeprefix(prefix): given[key] for key in given} if strip else given

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those with a prefix of skorch's included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of parameters that are estimators.

        Returns
        -------
        dict of str to object
        """
        prefixed, _ = split_prefixed(vars(self))
        return {**super().get_params(deep=deep), **prefixed}

    def set_params(self, **params: Any):
        """Set parameters, those with a prefix of skorch's included.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self
        """
        prefixed, rest = split_prefixed(params)
        super().set_params(**rest)
        self.__dict__.update(prefixed)
        return self
