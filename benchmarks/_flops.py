"""Work of a function, apart from time."""

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class _Counter(TorchDispatchMode):
    # torch's FlopCounterMode cannot be used: its hooks refuse a gradient at an input.
    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **kwargs, out_val=result)
        return result


def count_flops(function):
    """Count the floating-point operations of matrix products and convolutions, backward too."""
    with _Counter() as counter:
        function()
    return counter.total
