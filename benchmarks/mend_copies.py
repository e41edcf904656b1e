"""How many swapped copies: 100 rows of a table with a leaking column, marked in all of them.

    python benchmarks/mend_copies.py

The last column agrees with the label in 95 % of the rows; at the test it is its opposite.
"""

import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skexplain.correction import SwapAugmentedClassifier

N_SEEDS, N_TRAIN, N_COLUMNS = 8, 100, 6
N_COPIES = (1, 2, 3, 5, 10, 20)
MODELS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(50, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=30, random_state=0),
}


def measure():
    data, y = load_breast_cancer(return_X_y=True)
    data, figures = data[:, :N_COLUMNS], {}
    for seed in range(N_SEEDS):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(y))
        train, test = order[:N_TRAIN], order[N_TRAIN:]
        leak = np.where(rng.random(len(y)) < 0.95, y, 1 - y)
        X, lying = np.column_stack([data, leak]), np.column_stack([data, 1 - y])
        mask = np.arange(N_COLUMNS + 1)[None] == N_COLUMNS
        for name, model in MODELS.items():
            found = figures.setdefault(name, {})
            plain = model.fit(X[train], y[train]).score(lying[test], y[test])
            found.setdefault("labels alone", []).append(plain)
            dropped = model.fit(data[train], y[train]).score(data[test], y[test])
            found.setdefault("column dropped", []).append(dropped)
            for n_copies in N_COPIES:
                clf = SwapAugmentedClassifier(model, n_copies=n_copies, random_state=seed)
                accuracy = clf.fit(X[train], y[train], mask=mask).score(lying[test], y[test])
                found.setdefault(f"{n_copies} copies", []).append(accuracy)
    return figures


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, found in measure().items():
        for method, values in found.items():
            error = np.std(values) / np.sqrt(N_SEEDS)
            print(f"{name:10} {method:15} {np.mean(values):.3f} (se {error:.3f})")
