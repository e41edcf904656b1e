"""Wall-clock time by turns."""

import statistics
import time

import torch


def take_turns(contestants, options):
    """Run each contestant once per turn, one after the other.

    A busy machine slows all that take part in a turn, so that the ratio of a turn is steady.  Each
    turn begins with another one: who comes first finds caches and clock otherwise than the next.

    Parameters
    ----------
    contestants : dict of str to callable
        Each is called without arguments.
    options : Options

    Returns
    -------
    dict of str to list of float
        Seconds of each turn that counts.
    """
    n_warm_up = int(options.warm_up)
    names = list(contestants)
    times = {name: [] for name in names}
    for turn in range(n_warm_up + options.repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(seconds(contestants[name], options.device))
    return {name: taken[n_warm_up:] for name, taken in times.items()}


def seconds(function, device):
    """Wall-clock time of a call, to the end of what it has asked of a GPU."""
    start = time.perf_counter()
    function()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def ratio(ours, theirs):
    """Median over the turns of ours / theirs."""
    return statistics.median(map(lambda a, b: a / b, ours, theirs))
