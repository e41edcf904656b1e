"""Values that flow through a user's own network in the place of its input."""

from ._bounds import margins, propagate_interval, worst_case_logits
from ._decomposition import Decomposition, decompose
from ._decomposition_rules import register_decomposition_rule
from ._dispatch import Propagated
from ._interval import Interval, register_interval_rule
from ._run import check_outputs

__all__ = [
    "Decomposition",
    "Interval",
    "Propagated",
    "check_outputs",
    "decompose",
    "margins",
    "propagate_interval",
    "register_decomposition_rule",
    "register_interval_rule",
    "worst_case_logits",
]
