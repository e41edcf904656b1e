"""A report on whether a model leans on features that must not matter."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from .._checks import check_count
from .._text import printable
from .._typing import MaskLike, Seed
from ..estimators._base import BaseExplanationEstimator
from ..estimators._parameters import root_seed
from ..masks._labels import by_position, column_labels
from ..metrics import (
    accuracy_under_noise,
    irrelevant_saliency_mass,
    relative_core_sensitivity,
    wrong_reason_share,
)
from ..metrics._groups import row_labels
from ..metrics._kinds import check_predictor
from ..metrics._perturb import Perturber, mask_marks_of
from ..metrics._token_inputs import TokenMatrixInputs, read_texts
from ._audit_context import describe_provenance, pick_examples
from ._audit_measures import (
    among_all,
    can_erase_tokens,
    is_training_data,
    measure_erasure,
    measure_swap,
    predict_from_marks,
    reads_tokens,
    unannotated_classes,
    why_no_arithmetic,
)
from ._audit_report import AuditReport
from ._audit_tasks import CLASSIFICATION, Task, task_of
from ._audit_verdict import decide
from ._certificates import certified_accuracy
from ._checks import Marks
from ._curve_display import score_curve
from ._drawing import check_length, list_documents, listed
from ._saliency import saliency

_NOISE = np.array([0, 0.5, 1, 2, 3])  # standard deviations
_MAX_FEATURES = 20  # irrelevant columns that are swapped one by one
_KNOWN_BY_HEART = 0.995


def audit(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    mask: MaskLike,
    *,
    group_labels: ArrayLike | None = None,
    mask_marks: Marks | None = None,
    epsilon: float | None = None,
    feature_names: Sequence[str] | None = None,
    documents: Iterable[str] | None = None,
    n_repeats: int = 5,
    random_state: Seed = None,
) -> AuditReport:
    """Report whether a model leans on features that must not matter.

    Each sample is given what another sample marks, or loses what it marks itself (a swap), or has
    it set to the mean of its other features (erasure); predictions that change were owed to it.
    Unlike accuracy on held-out samples this finds it even where the shortcut holds in all data at
    hand, and it needs no gradients, so that any classifier or regressor can be audited.

    Parameters
    ----------
    estimator : fitted classifier or regressor
        Of this package, or of any other with ``predict``; then without what needs gradients.
    X : array-like, sparse matrix or DataFrame of shape (n, ...), or sequence of str
        Inputs that the estimator was not trained on: samples that it knows by heart do not show
        what it leans on elsewhere.  Texts of a `WithTokenizer`, with `mask` as in its ``fit``.
    y : array-like of shape (n,)
        Class labels, or targets of a regressor.
    mask : array-like, list of (array-like or None) or DataFrame
        What must not matter, in one of the shapes of the user guide.  Samples without annotation
        count in the overall accuracy alone.
    group_labels : array-like of shape (n,), default=None
        Group of every sample, where groups are known.
    mask_marks : {"irrelevant", "relevant"}, default=None
        What a mark of 1 says; None: what the estimator says, "irrelevant" if nothing.
    epsilon : float, default=None
        Radius of the certified accuracy, in the estimator's `input_unit`; None: without it.  Only
        for classifiers of this package.
    feature_names : list of str of length d, default=None
        Names of the columns; None: those of a DataFrame.
    documents : list of str of length n, default=None
        Texts of the samples, drawn in place of columns that are their words.
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
        If the estimator is neither classifier nor regressor.
    ValueError
        If an argument is not legal or does not fit X, `epsilon` is given for a regressor, or y is
        of another kind than the predictions.

    See Also
    --------
    skexplain.metrics.nuisance_flip_rate : The main number alone.
    skexplain.metrics.accuracy_after_swap : The other one.

    Notes
    -----
    The verdict is "leans" where a swap costs more than 0.05 of the accuracy beyond doubt (the lower
    bound of a 95 % interval, samples paired) and predictions go to the class of the sample that
    gives more often than by chance; "does not lean" where the upper bound of the loss is below
    0.05; and "unclear" in between: more annotated samples decide.  A model that is merely disturbed
    by what is marked, for instance because it has never seen it, changes predictions without a
    direction, and is not said to lean.

    Whether what is marked predicts the label in these data is measured by a random forest that is
    shown nothing else.  Where it does not, as in data in which the shortcut is random, accuracy
    cannot show a lean: the verdict is "leans" where more than 0.10 of the predictions change beyond
    doubt, and go to what is predicted for the sample that gives.

    Of a regressor R2, the coefficient of determination, stands in for accuracy, and how far
    predictions move, in standard deviations of the predictions, for the share that changes
    (:func:`~skexplain.metrics.nuisance_shift`); the limits are the same numbers.  Predictions
    follow the other sample by the coefficient of its target (or of what is predicted for it) in a
    linear regression of the predictions after the swap on it and on the predictions before.
    Quarters of the targets stand in for classes.

    Swaps exchange values and need no arithmetic: missing values, text, categories and tokens take
    part.  Erasure and noise are left out, with a note, where marked features are no quantities.
    Tokens are erased where the estimator knows one that says nothing (`mask_id`), without noise.

    Where a class has samples, but none with a mask, a shortcut of the others is exchanged for a
    shortcut. A second measure then counts samples without a mask as samples that mark nothing, so
    that shortcuts come to them, and go from the others.  Where the places of the marks predict the
    class, and no swap can change them, because two places cover more than half of a sample or
    because marks say what is relevant, the loss by erasure decides, too.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.inspection import audit
    >>> digits = make_decoy_digits("half", flatten=True, random_state=0)
    >>> X, y, mask = digits.data, digits.target, digits.mask
    >>> clf = RandomForestClassifier(20, random_state=0).fit(X[::2], y[::2])
    >>> report = audit(clf, X[1::2], y[1::2], mask[1::2], random_state=0)  # not trained on
    >>> report.verdict
    'leans'
    """
    check_predictor(estimator)
    task = task_of(estimator)
    if epsilon is not None and task is not CLASSIFICATION:
        raise ValueError(
            f"epsilon must be None for a regressor: certificates are of class labels; got "
            f"{epsilon!r}."
        )
    check_count("n_repeats", n_repeats)
    if feature_names is not None:
        feature_names = listed("feature_names", feature_names)
    marks = mask_marks_of(estimator) if mask_marks is None else mask_marks
    seed = root_seed(random_state)
    audited = type(estimator).__name__
    read = read_texts(estimator, X, mask)
    if read is not None:
        estimator, X, mask = read.estimator, read.ids, read.mask
    if feature_names is not None and column_labels(X) is None:
        mask = by_position(mask, feature_names)
    swap = Perturber(estimator, X, mask, marks, "swap")
    y = row_labels(y, "y", len(swap.inputs), "X")
    names = _feature_names(feature_names, swap.inputs)
    documents = None if documents is None else list_documents(documents, len(y))
    if group_labels is not None:
        group_labels = row_labels(group_labels, "group_labels", len(y), "X")
    predicted = swap.predict(np.arange(len(y)))
    y = task.read(y, predicted)
    widest, notes = swap, []
    measures = {"swap": measure_swap(swap, y, predicted, n_repeats, seed)}
    missing = unannotated_classes(swap, y)
    if missing:
        widest = among_all(swap)
        measures["swap_among_all"] = measure_swap(widest, y, predicted, n_repeats, seed)
        notes.append(_describe_missing(task, missing, measures["swap_among_all"]))
    of_marks = predict_from_marks(widest, y, seed)
    crosses = list(measures.values())[-1].crossing >= 0.5
    erasure_counts = not crosses and predict_from_marks(widest, y, seed, values=False).predictive

    report = AuditReport(
        estimator=audited,
        **_coverage(swap),
        **{
            task.score: task.score_of(y, predicted),
            f"{task.score}_annotated": task.score_of(y[swap.annotated], predicted[swap.annotated]),
            f"{task.score}_of_marks": of_marks.score,
            task.by_feature: _by_feature(task, estimator, X, swap, names, n_repeats, seed),
        },
    )
    if task is CLASSIFICATION:  # of a regressor it is 0
        report.chance = of_marks.chance
    obstacle, erases_tokens = why_no_arithmetic(estimator, swap), can_erase_tokens(swap)
    if obstacle is None or erases_tokens:
        measures["erasure"] = measure_erasure(swap.changed("erase"), y, predicted, seed)
    if obstacle is not None:
        left_out = "Noise is" if erases_tokens else "Erasure and noise are"
        notes.append(f"{left_out} left out: {obstacle}.")
    else:
        report.update(_under_noise(task, estimator, X, y, mask, marks, swap, n_repeats, seed))
    for name, measured in measures.items():
        report.update(_numbers_of(task, name, measured))
    maps = None
    of_numbers = not reads_tokens(estimator, swap) or isinstance(swap.inputs, TokenMatrixInputs)
    if isinstance(estimator, BaseExplanationEstimator) and of_numbers:
        maps = saliency(estimator, X)
        report.update(_saliency_numbers(maps, swap, marks))
        if epsilon is not None:
            report.certified_accuracy = certified_accuracy(
                estimator, X, y, mask, epsilon, mask_marks=marks
            )
    if group_labels is not None:
        report.update(task.by_group(y, predicted, group_labels))

    verdict, decided_by, reason = decide(
        measures, of_marks.predictive, task.words, erasure_counts=erasure_counts
    )
    report.trained_on = is_training_data(estimator, swap)
    if report.trained_on and verdict == "does not lean":
        verdict = "unclear"
        reason = (
            "These are the samples that the model was trained on: it may know their labels by "
            "heart, whatever is marked. Audit samples that it has not seen. " + reason
        )
    elif report.trained_on:
        notes.append(
            "These are the samples that the model was trained on; on others it may lean more."
        )
    elif (score := report[f"{task.score}_annotated"]) >= _KNOWN_BY_HEART:
        notes.append(
            f"The {task.words.score} on these samples is {score:.3f}. If the model was "
            f"trained on them, it may know them by heart and lean more on others: audit samples "
            f"that it has not seen."
        )
    report.update(verdict=verdict, decided_by=decided_by, reason=reason, notes=notes)
    report.deciding = _key_figures(measures[decided_by])
    report.provenance = describe_provenance(estimator, swap, n_repeats, seed)
    report.examples = pick_examples(
        task, measures[decided_by], y, predicted, maps, names, documents, read
    )
    return report


def _describe_missing(task: Task, classes: list[Any], measured: Bunch) -> str:
    """Return the note on classes of which hardly any sample has a mask."""
    listed = ", ".join(map(printable, classes[:5])) + (", ..." if len(classes) > 5 else "")
    text = f"{task.words.of_targets.format(listed)} few samples or none have a mask. "
    if measured.crossing < 0.5:
        return (
            f"{text}What others mark cannot be given to it, since it would cover most of a sample "
            f"or since marks say what is relevant, so that erasure decides. Annotate such samples."
        )
    return (
        f"{text}Samples without a mask were taken for samples in which nothing is to be marked: "
        f"they were given the marked parts of others, and others lost theirs."
    )


def _numbers_of(task: Task, name: str, measured: Bunch) -> dict[str, Any]:
    """Return the numbers of one measure under their names in the report."""
    return {
        f"{task.score}_after_{name}": measured.score,
        f"lost_by_{name}": measured.lost,
        f"lost_by_{name}_se": measured.lost_se,
        f"lost_by_{name}_interval": measured.lost_interval,
        f"{task.change}_by_{name}": measured.flips,
        f"{task.change}_by_{name}_interval": measured.flips_interval,
    } | (
        {
            f"toward_donor_by_{name}": measured.toward,
            f"toward_donor_by_{name}_interval": measured.toward_interval,
        }
        if "toward" in measured
        else {}
    )


def _key_figures(measured: Bunch) -> Bunch:
    keys = ("n_rows", "before", "after", "lost", "lost_interval", "flips", "flips_interval")
    return Bunch(**{key: measured[key] for key in keys})


def _coverage(swap: Perturber) -> dict[str, Any]:
    rows = swap.irrelevant
    # Chunk by chunk: masks of all samples may not fit into memory as numbers.
    degrees = [swap.masks.degrees_of(part)[0] for part in swap.inputs.chunks(rows)]
    share = np.average([float(a.mean()) for a in degrees], weights=[len(a) for a in degrees])
    return {
        "n_rows": len(swap.inputs),
        "n_annotated": len(swap.annotated),
        "n_irrelevant": len(rows),
        "irrelevant_share": float(share),
    }


def _by_feature(
    task: Task,
    estimator: Any,
    X: ArrayLike,
    swap: Perturber,
    names: list[str] | None,
    n_repeats: int,
    seed: int,
) -> dict[str, float]:
    """Return the change when each irrelevant column is swapped alone, where there are few."""
    if names is None or not swap.masks.for_all_rows:
        return {}
    degrees, _ = swap.masks.degrees_of(swap.irrelevant[:1])
    columns = np.flatnonzero(degrees[0])
    if len(columns) > _MAX_FEATURES:
        return {}
    return {
        names[column]: task.change_of_feature(
            estimator,
            X,
            degrees.numpy() * np.eye(len(names))[column],
            mask_marks="irrelevant",
            n_repeats=n_repeats,
            random_state=seed,
        )
        for column in columns
    }


def _feature_names(given: Sequence[str] | None, inputs: Any) -> list[str] | None:
    """Return names of the columns, made up where there are none; None for images."""
    if inputs.ndim > 2:
        return None
    n_columns = inputs.shape[1]
    if given is not None:
        check_length("feature_names", given, n_columns, "columns of X")
    names = inputs.feature_names if given is None else given
    return [f"x{column}" for column in range(n_columns)] if names is None else list(map(str, names))


def _under_noise(
    task: Task,
    estimator: Any,
    X: ArrayLike,
    y: np.ndarray,
    mask: MaskLike,
    marks: Marks,
    swap: Perturber,
    n_repeats: int,
    seed: int,
) -> dict[str, Any]:
    noise = swap.changed("gaussian")
    curve = score_curve(noise, y, _NOISE, n_repeats, np.random.default_rng(seed))
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
    numbers = {
        "noise": (_NOISE, curve),
        f"{task.score}_noise_on_irrelevant": core,
        f"{task.score}_noise_on_core": spurious,
    }
    if task is CLASSIFICATION:  # it is defined for shares
        numbers["relative_core_sensitivity"] = relative_core_sensitivity(core, spurious)
    return numbers


def _saliency_numbers(maps: np.ndarray, swap: Perturber, marks: Marks) -> dict[str, float]:
    values = swap.masks.values  # in the order of the columns of X, whatever a DataFrame had
    return {
        "irrelevant_saliency_mass": irrelevant_saliency_mass(maps, values, mask_marks=marks),
        "wrong_reason_share": wrong_reason_share(maps, values, mask_marks=marks),
    }
