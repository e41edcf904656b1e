"""Values that flow through a user's own network in the place of its input."""

from ._bounds import propagate_interval
from ._decomposition import Decomposition, decompose
from ._decomposition_rules import register_decomposition_rule
from ._interval import Interval, register_interval_rule

__all__ = [
    "Decomposition",
    "Interval",
    "decompose",
    "propagate_interval",
    "register_decomposition_rule",
    "register_interval_rule",
]
