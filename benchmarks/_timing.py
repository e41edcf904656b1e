"""Time by turns."""

import statistics
import time

import torch


def take_turns(contestants, options, clock=time.perf_counter):
    """Run each contestant once per turn, one after the other.

    A busy machine slows all that take part in a turn, so that the ratio of a turn is steady.  Each
    turn begins with another one: who comes first finds caches and clock otherwise than the next.

    Parameters
    ----------
    contestants : dict of str to callable
        Each is called without arguments.
    options : Options
    clock : callable, default=time.perf_counter
        Wall-clock time, or ``time.process_time``.

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
            times[name].append(seconds(contestants[name], options.device, clock))
    return {name: taken[n_warm_up:] for name, taken in times.items()}


def seconds(function, device, clock=time.perf_counter):
    """Time of a call, to the end of what it has asked of a GPU."""
    start = clock()
    function()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def ratio(ours, theirs):
    """Median over the turns of ours / theirs."""
    return statistics.median(map(lambda a, b: a / b, ours, theirs))
