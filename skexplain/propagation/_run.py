"""Running a network on a propagated value, and checking that it computes what it should."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..exceptions import UnsupportedOperationError
from ._dispatch import Propagated

# Of float32 sums in another order, with room: a missed write changes far more.
_TOLERANCE = 1e-3

P = TypeVar("P", bound=Propagated)


def _is_compiled(module: object) -> bool:
    """Whether a module, or one in it, runs in the form that ``torch.compile`` gave it."""
    parts = module.modules() if isinstance(module, torch.nn.Module) else ()
    return any(
        "_orig_mod" in part._modules or getattr(part, "_compiled_call_impl", None) is not None
        for part in parts
    )


def run(module: Callable[..., Any], value: P) -> P:
    """Run a module on a value in the place of its input tensor.

    Parameters
    ----------
    module : nn.Module or callable
        The network, in evaluation mode.
    value : Propagated
        What goes in.

    Returns
    -------
    Propagated
        What comes out, of the same kind.

    Raises
    ------
    UnsupportedOperationError
        If the module does something that has no rule, or its output is no such value, or it is
        compiled.
    """
    if _is_compiled(module):
        raise UnsupportedOperationError(
            f"module must not be compiled for {value.kind}; got one that torch.compile has made. "
            f"Use the module that it was made from. See docs/limits.md#networks."
        )
    output = module(value)
    if not isinstance(output, type(value)):
        raise UnsupportedOperationError(
            f"module must return what it computes from its input by operations that {value.kind} "
            f"have a rule for; got {type(output).__name__}."
        )
    return output


def check_outputs(module: Callable[..., Any], x: Tensor, value: Propagated) -> None:
    """Check that a network gives the same result for a value as for the tensor it stands for.

    It would if it wrote through a view, ``h[:, 1].mul_(2)``, or a rule that was added were wrong.

    Parameters
    ----------
    module : nn.Module
        The network, in evaluation mode.
    x : Tensor of shape (n_samples, ...)
        A few inputs.
    value : Propagated
        The same inputs.

    Raises
    ------
    UnsupportedOperationError
        As `propagate_interval` and `decompose`, or if the results differ by more than rounding.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import Interval
    >>> from skexplain.propagation._run import check_outputs
    >>> x = torch.ones(2, 3)
    >>> check_outputs(torch.nn.Linear(3, 1), x, Interval(x, 0 * x))
    """
    with torch.no_grad():
        got, expected = run(module, value).middle, module(x)
    if got.shape != expected.shape:
        found = f"outputs of shape {tuple(got.shape)} and {tuple(expected.shape)}"
    else:
        difference = (got - expected).abs().max().item()
        if difference <= _TOLERANCE * (1 + expected.abs().max().item()):
            return
        found = f"outputs that differ by {difference:.2g}"
    raise UnsupportedOperationError(
        f"module must compute the same by {value.kind} as on tensors; got {found}. Does it write "
        f"into a part of a tensor, as in h[:, 1].mul_(2), or is a rule of "
        f"skexplain.propagation.{value.register} wrong? See docs/limits.md#networks."
    )
