"""Routing of metadata by estimators around another one."""

from typing import Any

from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping


class FitRoutingMixin:
    """What an estimator does not request in its own ``fit`` goes to that of `estimator`."""

    estimator: Any

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which metadata are for this estimator, and which for the one inside.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)
