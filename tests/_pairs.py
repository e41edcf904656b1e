"""Parametrisations that take every value of every axis, but not every combination of them.

A claim about shared code does not need each estimator with each bad value: that every estimator is
checked, and that every value is, says the same in a tenth of the cases.
"""


def in_turn(*axes):
    """Take the values of all axes in turn, until the longest is through.

    Two axes whose lengths share no factor, and whose product is at most the length of the longest,
    meet in all combinations.
    """
    axes = [list(axis) for axis in axes]
    longest = max(map(len, axes))
    return [tuple(axis[i % len(axis)] for axis in axes) for i in range(longest)]


def in_pairs(first, second, third):
    """Combine every value of `first` with every one of `second`, and with those of `third` in turn.

    Where `first` is no shorter than `third`, any two values of two axes meet.
    """
    third = list(third)
    return [
        (a, b, third[(i + j) % len(third)])
        for i, a in enumerate(first)
        for j, b in enumerate(second)
    ]
