"""
A grid search on a cluster
==========================

scikit-learn passes the fits of a search to joblib, and joblib passes them to Dask. The search does
not change: masks are sliced into folds together with the samples. Needs the extra ``cluster``.

    python examples/search_on_a_cluster.py [ADDRESS]

ADDRESS is the address of a Dask scheduler, such as tcp://10.0.0.1:8786, whose workers have one
thread each (``dask worker --nthreads 1``). Without an address, two processes of this machine are
the cluster.
"""

import sys

import sklearn
from dask.distributed import Client
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from skexplain import SwapExClassifier
from skexplain.datasets import make_decoy_digits
from skexplain.model_selection import swap_accuracy_scorer


def connect(address=None):
    """Connect to a scheduler, or start two workers here.

    Each has one thread: torch's settings and random states belong to a whole process.
    """
    if address is not None:
        return Client(address)
    return Client(n_workers=2, threads_per_worker=1, dashboard_address=None)


def search(digits, max_epochs=20):
    """Choose the weight of the swap by the accuracy on held-out samples after a swap."""
    search = GridSearchCV(
        SwapExClassifier(max_epochs=max_epochs, device="cpu", random_state=0),
        {"alpha": [0.0, 0.3, 1.0]},
        scoring=swap_accuracy_scorer(),
        cv=3,
    )
    with sklearn.config_context(enable_metadata_routing=True):
        return search.fit(digits.data, digits.target, mask=digits.mask)


def main():
    """Search on the cluster."""
    digits = make_decoy_digits("half", flatten=True, random_state=0)
    with connect(*sys.argv[1:]) as client, parallel_config(backend="dask"):
        n_workers = len(client.scheduler_info()["workers"])
        found = search(digits)
    accuracy = found.best_estimator_.score(digits.data_test, digits.target_test)
    print(f"{n_workers} workers chose alpha={found.best_params_['alpha']}: {accuracy:.2f}")


# Workers that are processes of this machine import this file again.
if __name__ == "__main__":
    main()
