"""Nothing learnt earlier is lost to a call that fails."""

from contextlib import contextmanager


@contextmanager
def unchanged_on_error(estimator, unless=lambda: False):
    """Give an estimator back the attributes that it had when something is raised.

    Parameters
    ----------
    estimator : estimator
        Changed in place.
    unless : callable, default=lambda: False
        Whether it is left as it has become; asked when something is raised.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        if unless():
            raise
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
