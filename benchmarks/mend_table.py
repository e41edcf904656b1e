"""Any estimator on swapped copies: a table with a code that leaks in some of the rows.

    python benchmarks/mend_table.py

Patients have a severity, which decides the label; five measurements with gaps and a ward tell a
little of it, and a code tells more.  In 30 % of the rows the code was given after the diagnosis: it
is "J" or "K" as the label is, in 95 %.  These entries are marked; in the other rows the code is a
reason, so that the column cannot be dropped.  ``--rates 0.1 0.5`` makes late codes rarer in one
class than in the other, so that being late tells the label, too; at the test it does not.

At the test the late codes lie, or tell nothing: a ceiling is fitted where they tell nothing, too.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from skexplain.correction import SwapAugmentedClassifier

CODES = np.array(list("ABCDEFGHJK"))
COLUMNS = ["late codes lie", "all, late codes tell nothing", "codes in time", "s"]


def make_patients(n_samples, seed, late, rates=(0.3, 0.3)):
    """Draw patients; late codes "tell" the label, "lie", or tell "nothing".

    Rates are those of late codes in the two classes.
    """
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=n_samples)
    y = (severity + 0.8 * rng.normal(size=n_samples) > 0).astype(int)
    columns = {}
    for number in range(5):
        values = 0.4 * severity + rng.normal(size=n_samples)
        values[rng.random(n_samples) < 0.1] = np.nan
        columns[f"measurement {number}"] = values
    columns["ward"] = pd.Categorical(rng.choice(list("NESW"), n_samples))
    code = 3.5 + 1.2 * severity + 1.2 * rng.normal(size=n_samples)
    code = np.clip(np.round(code), 0, 7).astype(int)
    is_late = rng.random(n_samples) < np.array(rates)[y]
    told = np.where(rng.random(n_samples) < 0.95, y, 1 - y)
    told = {"tell": told, "lie": 1 - y, "nothing": rng.integers(2, size=n_samples)}[late]
    code[is_late] = 8 + told[is_late]
    columns["code"] = pd.Categorical(CODES[code], categories=CODES)
    return pd.DataFrame(columns), y, is_late


def make_models():
    text = ["ward", "code"]
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    one_hot = OneHotEncoder(handle_unknown="ignore")
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    return {
        "boosting": HistGradientBoostingClassifier(
            categorical_features="from_dtype", random_state=0
        ),
        "forest": make_pipeline(
            make_column_transformer((ordinal, text), remainder=SimpleImputer()),
            RandomForestClassifier(40, min_samples_leaf=3, random_state=0),
        ),
        "logistic": make_pipeline(
            make_column_transformer((one_hot, text), remainder=scaled), LogisticRegression()
        ),
    }


def measure(n_samples, n_seeds, rates, copies):
    figures = []
    for seed in range(n_seeds):
        X, y, late = make_patients(n_samples, seed, "tell", rates)
        silent, _, _ = make_patients(n_samples, seed, "nothing")
        lying, y_test, late_test = make_patients(2000, 1000 + seed, "lie")
        data = (
            (lying[late_test], y_test[late_test]),
            (make_patients(2000, 1000 + seed, "nothing")[0], y_test),
            (lying[~late_test], y_test[~late_test]),
        )
        mask = np.zeros(X.shape, dtype=bool)
        mask[late, X.columns.get_loc("code")] = True
        shuffled = np.random.default_rng(seed).permutation(mask)
        blanked = X.copy()
        blanked.loc[late, "code"] = None
        for name, model in make_models().items():
            swap = SwapAugmentedClassifier(model, random_state=seed)

            def fit(method, clf, X, y, name=name, data=data, **mask):
                start = time.process_time()
                clf = clone(clf).fit(X, y, **mask)
                seconds = time.process_time() - start
                figures.append((name, method, *(clf.score(*test) for test in data), seconds))

            fit("labels alone", model, X, y)
            fit("late codes tell nothing (ceiling)", model, silent, y)
            fit("late rows dropped", model, X[~late], y[~late])
            fit("late codes missing", model, blanked, y)
            for exchange in (True, False):
                for n_copies in copies:
                    clf = clone(swap).set_params(n_copies=n_copies, exchange=exchange)
                    kind = "exchanged" if exchange else "own marks"
                    fit(f"{n_copies} copies, {kind}", clf, X, y, mask=mask)
            fit("copies added", clone(swap).set_params(mode="add"), X, y, mask=mask)
            fit("shuffled masks", swap, X, y, mask=shuffled)
        print(f"seed {seed} done", flush=True)
    return pd.DataFrame(figures, columns=["model", "method", *COLUMNS])


def table(figures):
    """Yield lines: means over seeds, and the gain over labels alone with its standard error."""
    yield f"| model | method | {' | '.join(COLUMNS)} | gain where late codes lie |"
    yield "|" + "---|" * (len(COLUMNS) + 3)
    for (model, method), part in figures.groupby(["model", "method"], sort=False):
        is_plain = (figures["model"] == model) & (figures["method"] == "labels alone")
        gains = part[COLUMNS[0]].to_numpy() - figures[is_plain][COLUMNS[0]].to_numpy()
        error = gains.std(ddof=1) / np.sqrt(len(gains))
        means = " | ".join(f"{part[column].mean():.3f}" for column in COLUMNS)
        yield f"| {model} | {method} | {means} | {gains.mean():+.3f} (se {error:.3f}) |"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-samples", type=int, default=1000)
    parser.add_argument("--n-seeds", type=int, default=5)
    parser.add_argument("--rates", type=float, nargs=2, default=(0.3, 0.3))
    parser.add_argument("--copies", type=int, nargs="+", default=(1, 3, 5, 10))
    options = parser.parse_args()
    print("\n".join(table(measure(**vars(options)))))
