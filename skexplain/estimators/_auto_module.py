"""What stands behind ``module="auto"``."""

from ..training import build_network


class AutoModule:
    """Makes the built-in network; a class so that a fitted net can be pickled."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __repr__(self):
        return 'module="auto"'

    def __call__(self):
        return build_network(*self.arguments)
