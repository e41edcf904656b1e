"""Nothing learnt earlier is lost to a call that fails."""

from contextlib import contextmanager


@contextmanager
def unchanged_on_error(estimator, unless=()):
    """Give an estimator back the attributes that it had when something is raised.

    Parameters
    ----------
    estimator : estimator
        Changed in place.
    unless : tuple of exception classes, default=()
        What leaves it as it has become.
    """
    before = vars(estimator).copy()
    try:
        yield
    except unless:
        raise
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
