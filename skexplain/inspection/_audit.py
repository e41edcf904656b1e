"""One report that answers whether a model leans on what it must not."""

from dataclasses import replace

import numpy as np
from sklearn.utils import Bunch

from .._checks import check_count
from ..estimators._classifier import BaseExplanationClassifier
from ..estimators._parameters import root_seed
from ..masks._labels import by_position, column_labels
from ..metrics import (
    accuracy_under_noise,
    group_accuracies,
    irrelevant_saliency_mass,
    mean_group_accuracy,
    nuisance_flip_rate,
    relative_core_sensitivity,
    worst_group_accuracy,
    wrong_reason_share,
)
from ..metrics._groups import BESIDE_ESTIMATOR, check_correct, row_labels
from ..metrics._perturb import Perturber, mask_marks_of
from ..metrics._reliance import check_classifier
from ._audit_report import AuditReport
from ._certificates import certified_accuracy
from ._curve_display import accuracy_curve
from ._drawing import check_length, list_documents, shown_rows
from ._group_display import group_counts, wilson_interval
from ._saliency import saliency

# What counts as leaning: a loss of accuracy, or a share of predictions that flip, that is beyond
# doubt larger than this.
_TOLERATED_LOSS, _TOLERATED_FLIPS = 0.05, 0.10
_Z = 1.96
_N_EXAMPLES = 4
_NOISE = np.array([0, 0.5, 1, 2, 3])  # standard deviations
_MAX_FEATURES = 20  # irrelevant columns that are swapped one by one


def audit(
    estimator,
    X,
    y,
    mask,
    *,
    group_labels=None,
    mask_marks=None,
    epsilon=None,
    feature_names=None,
    documents=None,
    n_repeats=5,
    random_state=None,
):
    """Report whether a classifier leans on features that must not matter.

    There are two tests.  Each row is given the irrelevant features of another row (a swap), or has
    them set to the mean of its other features (erasure: it tells of a trap that looks alike
    wherever it is, such as a white ruler); predictions that change were owed to them.  Unlike
    accuracy on held-out rows this tells even where the shortcut holds in all data at hand, and it
    needs no gradients, so that any classifier can be audited.

    Parameters
    ----------
    estimator : fitted classifier
        Of this package, or of any other with ``predict``; then without what needs gradients.
    X : array-like, sparse matrix or DataFrame of shape (n, ...)
        Inputs, best rows that were not trained on.
    y : array-like of shape (n,)
        Class labels.
    mask : array-like, list of (array-like or None) or DataFrame
        What must not matter, in one of the shapes of the user guide.  Rows without annotation count
        in the overall accuracy alone.
    group_labels : array-like of shape (n,), default=None
        Group of every row, where groups are known.
    mask_marks : {"irrelevant", "relevant"}, default=None
        What a mark of 1 says; None: what the estimator says, "irrelevant" if nothing.
    epsilon : float, default=None
        Radius of the certified accuracy, in the estimator's `input_unit`; None: without it.  Only
        for estimators of this package.
    feature_names : list of str of length d, default=None
        Names of the columns; None: those of a DataFrame.
    documents : list of str of length n, default=None
        Texts of the rows, drawn in place of columns that are their words.
    n_repeats : int, default=5
        Swaps, and draws of noise.
    random_state : int, RandomState instance or None, default=None
        Draws swaps and noise.  None is fresh randomness.

    Returns
    -------
    AuditReport
        Numbers by name, a verdict, pictures; in a notebook it shows itself, and
        :meth:`AuditReport.to_html` writes one self-contained file.

    Raises
    ------
    TypeError
        If the estimator is no classifier.
    ValueError
        If an argument is not legal or does not fit X, or y is of another kind than the predictions.

    See Also
    --------
    skexplain.metrics.nuisance_flip_rate : The main number alone.
    skexplain.metrics.accuracy_after_swap : The other one.

    Notes
    -----
    The verdict is "leans" where the accuracy lost by a swap or by erasure is more than 0.05 beyond
    doubt (its lower 95 % bound, rows paired), or the share of flipped predictions more than 0.10;
    "does not lean" where all upper bounds are below; and "unclear" in between: more annotated rows
    decide.  Only rows that have a mask are put to the test: that a ruler would turn a row without
    one is seen only if the place of the ruler is masked there, too.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.inspection import audit
    >>> digits = make_decoy_digits("half", flatten=True, random_state=0)
    >>> clf = RandomForestClassifier(20, random_state=0).fit(digits.data, digits.target)
    >>> report = audit(
    ...     clf, digits.data_test, digits.target_test, digits.mask_test, random_state=0
    ... )
    >>> report.verdict
    'leans'
    """
    check_classifier(estimator)
    check_count("n_repeats", n_repeats)
    marks = mask_marks_of(estimator) if mask_marks is None else mask_marks
    seed = root_seed(random_state)
    if feature_names is not None and column_labels(X) is None:
        mask = by_position(mask, feature_names)
    swap = Perturber(estimator, X, mask, marks, "swap")
    y = row_labels(y, "y", len(swap.inputs), "X")
    names = _feature_names(feature_names, swap.inputs)
    documents = None if documents is None else list_documents(documents, len(y))
    predicted = swap.predict(np.arange(len(y)))
    right = check_correct(y, predicted, BESIDE_ESTIMATOR)
    swaps = _predict_perturbed(swap, n_repeats, seed)

    report = AuditReport(
        estimator=type(estimator).__name__,
        **_coverage(swap),
        accuracy=float(np.mean(right)),
        accuracy_annotated=float(np.mean(right[swap.annotated])),
        **_compare("swap", swap, y, predicted, swaps),
        flip_rate_by_feature=_by_feature(estimator, X, swap, names, n_repeats, seed),
    )
    if not swap.changes_text:
        erase = swap.changed("erase")
        erased = _predict_perturbed(erase, 1, seed)
        report.update(_compare("erasure", erase, y, predicted, erased))
        report.update(_under_noise(estimator, X, y, mask, marks, swap, n_repeats, seed))
    maps = None
    if isinstance(estimator, BaseExplanationClassifier):
        maps = saliency(estimator, X)
        report.update(_saliency_numbers(maps, swap, marks))
        if epsilon is not None:
            report.certified_accuracy = certified_accuracy(
                estimator, X, y, mask, epsilon, mask_marks=marks
            )
    if group_labels is not None:
        report.update(_by_group(y, predicted, group_labels))
    report.examples = _examples(swap, y, predicted, swaps, maps, names, documents, seed)
    report.verdict = _verdict(report)
    return report


def _predict_perturbed(perturber, n_repeats, seed):
    """Predict the annotated rows after each of some changes, shape (n_repeats, n_annotated)."""
    generators = np.random.default_rng(seed).spawn(n_repeats)
    rows = perturber.annotated
    return np.stack([perturber.predict_perturbed(rows, each) for each in generators])


def _coverage(swap):
    rows = swap.irrelevant
    # Chunk by chunk: masks of all rows may not fit into memory as numbers.
    degrees = [swap.masks.degrees_of(part)[0] for part in swap.inputs.chunks(rows)]
    share = np.average([float(a.mean()) for a in degrees], weights=[len(a) for a in degrees])
    return {
        "n_rows": len(swap.inputs),
        "n_annotated": len(swap.annotated),
        "n_irrelevant": len(rows),
        "irrelevant_share": float(share),
    }


def _compare(change, perturber, y, predicted, changed):
    """Hold predictions after a change against those before."""
    rows = perturber.annotated
    before, after = predicted[rows] == y[rows], changed == y[rows]
    lost = before - after.mean(axis=0)
    changeable = np.isin(rows, perturber.irrelevant)
    flips = (changed != predicted[rows])[:, changeable].mean()
    low, high = wilson_interval(flips, changeable.sum())
    return {
        f"accuracy_after_{change}": float(after.mean()),
        f"lost_by_{change}": float(lost.mean()),
        f"lost_by_{change}_se": float(lost.std(ddof=1) / np.sqrt(len(lost))),
        f"flips_by_{change}": float(flips),
        f"flips_by_{change}_interval": (float(low), float(high)),
    }


def _by_feature(estimator, X, swap, names, n_repeats, seed):
    """Flip rates when each irrelevant column is swapped alone, where there are few."""
    if swap.inputs.ndim > 2 or not swap.masks.for_all_rows:
        return {}
    degrees, _ = swap.masks.degrees_of(swap.irrelevant[:1])
    columns = np.flatnonzero(degrees[0])
    if len(columns) > _MAX_FEATURES:
        return {}
    return {
        names[column]: nuisance_flip_rate(
            estimator,
            X,
            degrees.numpy() * np.eye(len(names))[column],
            mask_marks="irrelevant",
            n_repeats=n_repeats,
            random_state=seed,
        )
        for column in columns
    }


def _feature_names(given, inputs):
    """Return names of the columns, made up where there are none; None for images."""
    if inputs.ndim > 2:
        return None
    n_columns = inputs.shape[1]
    if given is not None:
        check_length("feature_names", given, n_columns, "columns of X")
    names = inputs.feature_names if given is None else given
    return [f"x{column}" for column in range(n_columns)] if names is None else list(map(str, names))


def _under_noise(estimator, X, y, mask, marks, swap, n_repeats, seed):
    noise = swap.changed("gaussian")
    curve = accuracy_curve(noise, y, _NOISE, n_repeats, np.random.default_rng(seed))
    core = float(curve[_NOISE == 1].mean())
    spurious = accuracy_under_noise(
        estimator,
        X,
        y,
        mask,
        scale=1.0,
        where="core",
        mask_marks=marks,
        n_repeats=n_repeats,
        random_state=seed,
    )
    return {
        "noise": (_NOISE, curve),
        "accuracy_noise_on_irrelevant": core,
        "accuracy_noise_on_core": spurious,
        "relative_core_sensitivity": relative_core_sensitivity(core, spurious),
    }


def _saliency_numbers(maps, swap, marks):
    values = swap.masks.values  # in the order of the columns of X, whatever a DataFrame had
    return {
        "irrelevant_saliency_mass": irrelevant_saliency_mass(maps, values, mask_marks=marks),
        "wrong_reason_share": wrong_reason_share(maps, values, mask_marks=marks),
    }


def _by_group(y, predicted, group_labels):
    return {
        "mean_group_accuracy": mean_group_accuracy(y, predicted, group_labels),
        "worst_group_accuracy": worst_group_accuracy(y, predicted, group_labels),
        "group_accuracies": group_accuracies(y, predicted, group_labels),
        "group_counts": group_counts(group_labels),
    }


def _examples(swap, y, predicted, swaps, maps, names, documents, seed):
    """Pick rows to show, those that flip first, with what the pictures need of them.

    None where rows have more axes than a picture.
    """
    if swap.inputs.ndim > 4:
        return None
    rows = swap.irrelevant
    after = swaps[0][np.isin(swap.annotated, rows)]
    flips, stays = rows[after != predicted[rows]], rows[after == predicted[rows]]
    chosen = _spread(flips, _N_EXAMPLES)
    chosen = np.concatenate([chosen, _spread(stays, _N_EXAMPLES - len(chosen))])
    degrees, known = swap.masks.degrees_of(chosen)
    degrees = degrees.numpy() if known is None else np.where(known, degrees, np.nan)
    shown = shown_rows(
        swap.inputs[chosen],
        degrees,
        rows=range(len(chosen)),
        feature_names=names,
        documents=None if documents is None else [documents[row] for row in chosen],
    )
    # The first of the swaps, drawn again.
    (generator,) = np.random.default_rng(seed).spawn(1)
    is_image = shown.kind == "image"
    return Bunch(
        shown=replace(shown, index=chosen, limits=swap.limits),
        swapped=np.concatenate(list(swap.perturbed(chosen, generator))) if is_image else None,
        saliency=None if maps is None else maps[chosen],
        y=y[chosen],
        predicted=predicted[chosen],
        predicted_swapped=swaps[0][np.searchsorted(swap.annotated, chosen)],
    )


def _spread(rows, number):
    """Take a number of rows at even distances, so that they are not all of one class."""
    places = np.linspace(0, len(rows) - 1, min(number, len(rows)))
    return rows[np.round(places).astype(int)]


def _verdict(report):
    verdicts = {_verdict_on(report, change) for change in ("swap", "erasure")}
    return next(each for each in ("leans", "unclear", "does not lean") if each in verdicts)


def _verdict_on(report, change):
    if f"lost_by_{change}" not in report:
        return "does not lean"
    lost, margin = report[f"lost_by_{change}"], _Z * report[f"lost_by_{change}_se"]
    low, high = report[f"flips_by_{change}_interval"]
    if lost - margin > _TOLERATED_LOSS or low > _TOLERATED_FLIPS:
        return "leans"
    if lost + margin < _TOLERATED_LOSS and high < _TOLERATED_FLIPS:
        return "does not lean"
    return "unclear"
