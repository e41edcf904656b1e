"""Two-stage optimisation: a label step for all weights, an explanation step for the mapping."""

from torch import nn

from ..penalties import MaskedFeaturePenalty
from ._net import ExplanationNet


class TwoStageNet(ExplanationNet):
    """Net whose step is Algorithm 1 of Tao & Shokri.

    Stage 1 is an optimizer step of all parameters on the label loss and all other penalties.  Stage
    2 runs the features anew and steps the mapping alone (without one, all that the features depend
    on) on the masked-feature penalty.

    Parameters
    ----------
    mapping_lr : float
        Learning rate of stage 2.
    **kwargs
        Parameters of `ExplanationNet`; one of its terms is a `MaskedFeaturePenalty`.
    """

    def __init__(self, module, *, mapping_lr=1e-3, **kwargs):
        self.mapping_lr = mapping_lr
        super().__init__(module, **kwargs)

    def initialize_optimizer(self, triggered_directly=None):
        """Build the two optimizers, of one class."""
        super().initialize_optimizer()
        mapping = self.module_.mapping
        trained = self.module_ if isinstance(mapping, nn.Identity) else mapping
        self.mapping_optimizer_ = self.build_optimizer(
            trained.named_parameters(), lr=self.mapping_lr
        )
        return self

    def update(self, *, mapping_lr, optimizer_parameters, **params):
        """Take over parameters before going on, those of the second optimizer, too."""
        super().update(optimizer_parameters=optimizer_parameters, **params)
        shared = {
            key.removeprefix("optimizer__"): value
            for key, value in optimizer_parameters.items()
            if key.startswith("optimizer__") and "param_groups" not in key
        }
        for group in self.mapping_optimizer_.param_groups:
            group.update(shared, lr=mapping_lr)

    def _train_epoch(self, data, objective):
        in_stage_2 = [
            term.name for term in objective.terms if isinstance(term.penalty, MaskedFeaturePenalty)
        ]
        stage_1, stage_2 = objective.split(in_stage_2)
        # A step by the penalty alone, which its weight in the whole does not change.
        self._stages = stage_1, stage_2.with_terms(stage_2.terms, dict.fromkeys(in_stage_2, 1.0))
        try:
            super()._train_epoch(data, objective)
        finally:
            del self._stages  # they hold the compiled network, which is not to be stored

    def _step(self, objective, batch, penalised, donors, generators, watchers):
        stage_1, stage_2 = self._stages
        values, logits = super()._step(stage_1, batch, penalised, donors, generators, watchers)
        if penalised is None or not stage_2.terms:
            return values, logits
        penalties = self._mapping_step(stage_2, penalised, generators)
        loss, size = values["loss"]
        values["loss"] = (objective.total(loss.detach(), penalties), size)
        for name, value in penalties.items():
            values[name] = (value, len(penalised.rows.y))
        return values, logits

    def _mapping_step(self, objective, penalised, generators):
        """Stage 2: one step on the penalty; returns its value by name."""
        first = []

        def closure():
            self.mapping_optimizer_.zero_grad()
            penalties = objective.penalty_gradients(
                penalised, None, generators, self.penalty_chunk_size
            )
            if not first:
                first.append(penalties)
            return sum(penalties.values())

        self.mapping_optimizer_.step(closure)
        return first[0]
