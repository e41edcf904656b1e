"""What Ross et al. train with, in the units of this package."""

_L2 = 1e-4


def ross_settings(n_features, n_classes, n_rows, **params):
    """Describe their network and training; see `run_trial` for the form.

    Their loss is a sum over the batch where ours is a mean.  That leaves the strength of the
    penalty as it is, which is a sum, too, and divides the weight of the squared weights by the rows
    of a batch; its derivative has a factor of 2.  Their batches come in one order, ours are drawn
    anew in each epoch.

    Parameters
    ----------
    n_features, n_classes : int
        Of the network.
    n_rows : int
        Training rows: a set that is smaller than a batch is one.
    **params
        Parameters of the estimator that replace theirs.

    Returns
    -------
    dict
        ``module`` and ``params``; all else is the package's default, such as Adam with 1e-3.
    """
    batch_size = params.get("batch_size", 256)
    return {
        "module": {"name": "ross-mlp", "n_features": n_features, "n_classes": n_classes},
        "params": {
            "batch_size": batch_size,
            "max_epochs": 64,
            "optimizer__weight_decay": 2 * _L2 / min(batch_size, n_rows),
            "input_unit": "input",
            **params,
        },
    }
