"""Public functions with a valid call of each, and bad values for every argument.

A call is bad where one argument of a valid call is replaced.  Whether its error is ours is judged
by where it was raised: by a ``raise`` of this package, or anywhere in scikit-learn, whose checks
are part of the interface.
"""

import datetime
import dis
import inspect
import json
import os
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from PIL import Image
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

import skexplain
from skexplain import correction, datasets, inspection, masks, metrics, model_selection, penalties
from skexplain.datasets import _data_home

RNG = np.random.default_rng(0)
N, D = 24, 4
X = RNG.normal(size=(N, D))
Y = np.arange(N) % 2
X[:, 0] += Y
MASK = np.eye(D, dtype=bool)[[3]]
MASKS = np.repeat(MASK, N, axis=0)
GROUPS = np.arange(N) % 3
TEXTS = [f"word{row} of class{cls}" for row, cls in enumerate(Y)]
IMAGES = RNG.integers(0, 255, size=(6, 8, 8)).astype(np.float32)
IMAGE_MASKS = np.zeros((6, 8, 8), dtype=bool)
IMAGE_MASKS[:, 2:4, 3:6] = True

NUMBERS = {
    "nan": float("nan"),
    "inf": float("inf"),
    "zero": 0,
    "negative": -3,
    "fraction": 1.5,
    "huge": 1e300,
    "huge integer": 2**70,
    "true": True,
    "complex": 1j,
    "0-d": np.array(1.0),
    "0-d object": np.array(None),
}
OTHERS = {
    "None": None,
    "text": "text",
    "no text": "",
    "bytes": b"bytes",
    "list": [],
    "nested": [[1, 2], [3]],
    "texts": ["a", "b"],
    "Nones": [None, None],
    "dict": {},
    "set": {1, 2},
    "object": object(),
    "class": dict,
    "function": len,
    "date": datetime.date(2026, 1, 1),
    "no samples": np.empty(0),
    "no columns": np.empty((N, 0)),
    "dates": np.array(["2026-01-01"] * N, dtype="datetime64[D]"),
    "five axes": np.zeros((2, 2, 2, 2, 2)),
    "records": np.zeros(N, dtype=[("a", int)]),
    "generator": None,  # made anew for each call
}


def bad_values(good):
    """Yield names and bad values for an argument, those made from a good array included."""
    for name, value in {**NUMBERS, **OTHERS}.items():
        if name == "huge integer" and isinstance(good, int):
            continue  # legal, and would take for ever
        yield name, (i for i in range(3)) if name == "generator" else value
    if not isinstance(good, np.ndarray):
        return
    as_float = good.astype(float) if good.dtype.kind in "bif" else np.zeros(good.shape)
    changed = as_float.copy()
    changed.flat[-1] = np.nan
    yield "one nan", changed
    yield "all nan", np.full(good.shape, np.nan)
    changed = as_float.copy()
    changed.flat[-1] = np.inf
    yield "one inf", changed
    yield "all huge", np.full(good.shape, 1e300)
    yield "one masked", np.ma.MaskedArray(good, mask=np.arange(good.size).reshape(good.shape) == 0)
    yield "as dates", np.zeros(good.shape, dtype="datetime64[D]")
    yield "too few", good[:-1]
    yield "too many", np.concatenate([good, good])
    yield "an axis more", good[..., None]
    yield "an axis less", good.ravel()[: good.shape[-1]] if good.ndim > 1 else good[0]
    yield "as text", good.astype(str)
    yield "as objects", good.astype(object)
    strange = good.astype(object)
    strange.flat[-1] = object()
    yield "one object", strange
    strange = good.astype(object)
    strange.flat[-1] = None
    yield "one None", strange
    yield "as complex", as_float.astype(complex)
    yield "transposed", good.T if good.ndim > 1 else good[None]
    yield "as frame", pd.DataFrame(as_float) if good.ndim == 2 else pd.Series(range(3))
    yield "a tensor", torch.as_tensor(as_float)
    yield "a tensor with gradients", torch.as_tensor(as_float).requires_grad_()
    yield "a sparse tensor", torch.as_tensor(as_float).to_sparse()
    yield "a sparse array", scipy.sparse.csr_array(as_float) if good.ndim == 2 else [good]
    if good.ndim == 2:
        frame = pd.DataFrame(as_float)
        yield "dates in a frame", frame.assign(d=pd.to_datetime(["2026-01-01"] * len(good)))
        yield "periods in a frame", frame.assign(p=pd.period_range("2026", periods=len(good)))
        yield "categories in a frame", frame.assign(c=pd.Categorical(["a"] * len(good)))
        yield (
            "names that are not unique",
            frame.set_axis(["a"] * good.shape[1], axis=1),
        )


def fitted():
    """Return fitted estimators, made once."""
    with np.errstate(all="ignore"):
        swap = skexplain.SwapExClassifier(max_epochs=1, random_state=0).fit(X, Y, mask=MASK)
        tree = DecisionTreeClassifier(random_state=0).fit(X, Y)
        images = skexplain.ERMClassifier(max_epochs=1, random_state=0).fit(IMAGES, [0, 1] * 3)
    return swap, tree, images


# Not a value that a function checks: where it draws, how many processes, and what others read.
NOT_TRIED = {"ax", "n_jobs", "fit_params", "score_params"}


def call(function, **given):
    """Return a function and a valid call of it, with the defaults of all other parameters."""
    parameters = inspect.signature(function).parameters.values()
    known = {p.name: p.default for p in parameters if p.default is not p.empty}
    return function, {**{k: v for k, v in known.items() if k not in NOT_TRIED}, **given}


class Public:
    """The public functions and methods, each with a call that is valid.

    Parameters
    ----------
    folder : path-like
        Empty; holds the files that calls read and write.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.swap, self.tree, self.images = fitted()
        self.ridge = Ridge().fit(X, X[:, 0])
        words = skexplain.WithTokenizer(skexplain.ERMClassifier(max_epochs=1, random_state=0))
        self.words = words.fit(TEXTS, Y)

    def calls(self):
        """Return functions with valid keyword arguments, by name."""
        return {
            **self.of_files(),
            **self.of_masks(),
            **self.of_metrics(),
            **self.of_model_selection(),
            **self.of_inspection(),
            **self.of_correction(),
            **self.of_datasets(),
            **self.of_penalties(),
            **self.of_estimators(),
            **self.of_texts(),
        }

    def of_masks(self):
        coco = {
            "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 8}],
            "categories": [{"id": 1, "name": "ruler"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 4, 5]}],
        }
        boxes = [[(1, 1, 3, 3)], [(0, 0, 5, 5)]]
        polygons = [[[(1, 1), (5, 1), (5, 5)]], None]
        labels = np.arange(2 * 64).reshape(2, 8, 8) % 3
        table = pd.DataFrame(X, columns=list("abcd"))
        words = CountVectorizer().fit(["a ruler lies here", "no patch here"])
        size = {"shape": (8, 8)}
        texts, offsets = ["rain today", "sun"], [[(0, 4), (5, 10)], [(0, 3)]]
        people = [[[(0, 4)], None], [[(5, 10)], [(0, 3)]]]
        return {
            "combine_spans": call(masks.combine_spans, annotators=people),
            "mask_from_spans": call(
                masks.mask_from_spans, spans=people[0], texts=texts, offsets=offsets
            ),
            "span_agreement": call(masks.span_agreement, annotators=people, texts=texts),
            "decode_rle": call(masks.decode_rle, rle=masks.encode_rle(IMAGE_MASKS[0])),
            "encode_rle": call(masks.encode_rle, mask=IMAGE_MASKS[0]),
            "interpret_mask": call(masks.interpret_mask, mask=MASKS, shape=X.shape),
            "invert_mask": call(masks.invert_mask, mask=MASKS),
            "mask_coverage": call(masks.mask_coverage, mask=MASKS),
            "mask_from_boxes": call(masks.mask_from_boxes, boxes=boxes, **size),
            "mask_from_coco": call(masks.mask_from_coco, annotations=coco, images=["a.png"]),
            "mask_from_columns": call(masks.mask_from_columns, X=table, columns=["a"]),
            "mask_from_folder": call(masks.mask_from_folder, folder=self.folder, names=["a"]),
            "mask_from_labels": call(masks.mask_from_labels, labels=labels, marked=[1]),
            "mask_from_polygons": call(masks.mask_from_polygons, polygons=polygons, **size),
            "mask_from_words": call(masks.mask_from_words, vectorizer=words, words=["ruler"]),
            "pool_masks": call(masks.pool_masks, mask=IMAGE_MASKS),
            "resize_mask": call(masks.resize_mask, mask=IMAGE_MASKS, shape=(4, 4)),
            "union_masks": (lambda a, b: masks.union_masks(a, b), {"a": MASKS, "b": MASK}),
            "ImageGeometry.fitted": call(
                masks.ImageGeometry.fitted, size=(8, 8), shape=(4, 4), fit="crop"
            ),
        }

    def of_metrics(self):
        maps = np.abs(RNG.normal(size=X.shape))
        data = {"estimator": self.tree, "X": X, "mask": MASKS, "n_repeats": 2, "random_state": 0}
        labelled = {**data, "y": Y, "sample_weight": np.ones(N)}
        grouped = {"y_true": Y, "y_pred": Y[::-1], "group_labels": GROUPS}
        grouped["sample_weight"] = np.ones(N)
        return {
            "accuracy_after_swap": call(metrics.accuracy_after_swap, **labelled),
            "accuracy_under_noise": call(metrics.accuracy_under_noise, **labelled, scale=1.0),
            "nuisance_flip_rate": call(metrics.nuisance_flip_rate, **data),
            "nuisance_shift": call(metrics.nuisance_shift, **{**data, "estimator": self.ridge}),
            "group_r2_scores": call(metrics.group_r2_scores, **grouped),
            "group_accuracies": call(metrics.group_accuracies, **grouped),
            "mean_group_accuracy": call(metrics.mean_group_accuracy, **grouped),
            "worst_group_accuracy": call(metrics.worst_group_accuracy, **grouped),
            "irrelevant_saliency_mass": call(
                metrics.irrelevant_saliency_mass, saliency=maps, mask=MASKS
            ),
            "wrong_reason_share": call(metrics.wrong_reason_share, saliency=maps, mask=MASKS),
            "prediction_agreement": call(metrics.prediction_agreement, predictions=[Y, Y[::-1]]),
            "relative_core_sensitivity": call(
                metrics.relative_core_sensitivity, core_accuracy=0.7, spurious_accuracy=0.4
            ),
        }

    def of_model_selection(self):
        def scored(make, estimator, X, y, mask, sample_weight=None, **params):
            scorer = make(**params)
            return scorer(estimator, X, y, mask=mask, sample_weight=sample_weight)

        def by_group(make, estimator, X, y, group_labels, sample_weight=None):
            scorer = make()
            return scorer(estimator, X, y, group_labels=group_labels, sample_weight=sample_weight)

        def split(X, y, **params):
            return list(model_selection.SubsampleSplit(**params).split(X, y))

        data = {"estimator": self.tree, "X": X, "y": Y}
        quick = skexplain.SwapExClassifier(max_epochs=1, random_state=0)
        splits = call(model_selection.SubsampleSplit, train_size=8, n_splits=2)[1]
        swaps = {**data, "mask": MASKS, "n_repeats": 2, "random_state": 0, "sample_weight": None}
        swap = model_selection.swap_accuracy_scorer
        lower = model_selection.worst_of_clean_and_swapped_scorer
        worst, mean = model_selection.worst_group_scorer, model_selection.mean_group_scorer
        grouped = {**data, "group_labels": GROUPS, "sample_weight": None}
        return {
            "swap_accuracy_scorer": (partial(scored, swap), swaps),
            "worst_of_clean_and_swapped_scorer": (partial(scored, lower), swaps),
            "worst_group_scorer": (partial(by_group, worst), grouped),
            "mean_group_scorer": (partial(by_group, mean), grouped),
            "make_mask_scorer": call(
                model_selection.make_mask_scorer, metric=metrics.accuracy_after_swap
            ),
            "fit_seeds": call(
                model_selection.fit_seeds,
                **{**data, "estimator": quick, "mask": MASKS & (X > 0), "seeds": [0, 1]},
            ),
            "mask_permutation_test": call(
                model_selection.mask_permutation_test,
                **{
                    **data,
                    "estimator": quick,
                    "mask": MASKS & (X > 0),
                    "cv": 2,
                    "n_permutations": 1,
                },
            ),
            "SubsampleSplit.split": (split, {"X": X, "y": Y, **splits, "test_size": 8}),
        }

    def of_inspection(self):
        data = {"X": X, "y": Y, "mask": MASKS}
        tree, swap = {"estimator": self.tree, **data}, {"estimator": self.swap, **data}
        without_y = {"estimator": self.swap, "X": X}
        shown = {"X": IMAGES, "mask": IMAGE_MASKS, "rows": [0, 1]}
        masked, curve = inspection.MaskDisplay, inspection.PerturbationCurveDisplay
        maps, grouped = inspection.SaliencyDisplay, inspection.GroupAccuracyDisplay
        return {
            "audit": call(inspection.audit, **tree, n_repeats=1, group_labels=GROUPS),
            "audit of a regressor": call(
                inspection.audit,
                **{**tree, "estimator": self.ridge, "y": X[:, 0]},
                n_repeats=1,
                group_labels=GROUPS,
            ),
            "saliency": call(inspection.saliency, **without_y),
            "largest_gradient_mask": call(inspection.largest_gradient_mask, **without_y),
            "fgsm": call(inspection.fgsm, **swap, epsilon=1.0),
            "jsma": call(inspection.jsma, **without_y, mask=MASKS, target=1),
            "predict_bounds": call(inspection.predict_bounds, **without_y, mask=MASKS, epsilon=1.0),
            "certified_accuracy": call(inspection.certified_accuracy, **swap, epsilon=1.0),
            "query_explanations": call(inspection.query_explanations, **without_y, n=3),
            "suggest_masks": call(inspection.suggest_masks, **without_y),
            "suggest_words": call(inspection.suggest_words, estimator=self.words, X=TEXTS),
            "accept_suggestions": call(
                inspection.accept_suggestions, suggestions=[self.suggestion()], n_rows=N
            ),
            "GroupAccuracyDisplay.from_estimator": call(
                grouped.from_estimator, estimator=self.tree, X=X, y=Y, group_labels=GROUPS
            ),
            "GroupAccuracyDisplay.from_predictions": call(
                grouped.from_predictions, y_true=Y, y_pred=Y[::-1], group_labels=GROUPS
            ),
            "MaskDisplay.from_mask": call(masked.from_mask, **shown),
            "SaliencyDisplay.from_estimator": call(
                maps.from_estimator, estimator=self.images, **shown
            ),
            "SaliencyDisplay.from_predictions": call(
                maps.from_predictions, saliency=IMAGES, **shown
            ),
            "PerturbationCurveDisplay.from_estimator": call(
                curve.from_estimator, **tree, n_repeats=1, epsilons=(0, 1)
            ),
            "PerturbationCurveDisplay.from_predictions": call(
                curve.from_predictions, y_true=Y, predictions=np.stack([Y, Y]), epsilons=[0, 1]
            ),
        }

    def suggestion(self):
        shown = inspection.MaskDisplay.from_mask
        mask = np.zeros((1, D), dtype=bool)
        mask[0, 3] = True
        return inspection.MaskSuggestion(
            mask=mask,
            rows=np.arange(3),
            score=1.0,
            predictive_power=1.0,
            flip_rate=1.0,
            p_value=0.01,
            suspicion=mask.astype(float),
            shown=shown,
        )

    def of_correction(self):
        def fit(cls, X, y, mask, sample_weight=None, **params):
            if sample_weight is None:
                return cls(**params).fit(X, y, mask=mask)
            return cls(**params).fit(X, y, mask=mask, sample_weight=sample_weight)

        data = {"X": X, "y": Y, "mask": MASKS}
        classifier = correction.SwapAugmentedClassifier
        regressor, corrected = correction.SwapAugmentedRegressor, correction.CorrectedClassifier
        of_classifier = call(classifier, estimator=LogisticRegression(), n_copies=1)[1]
        of_regressor = call(regressor, estimator=Ridge(), n_copies=1)[1]
        of_corrected = call(corrected, estimator=self.swap, n_copies=1, n_directions=1)[1]
        weights = {"sample_weight": np.ones(N)}
        return {
            "swapped_copies": call(correction.swapped_copies, X=X, mask=MASKS),
            "SwapAugmentedClassifier.fit": (
                partial(fit, classifier),
                {**of_classifier, **data, **weights},
            ),
            "SwapAugmentedRegressor.fit": (partial(fit, regressor), {**of_regressor, **data}),
            "CorrectedClassifier.fit": (partial(fit, corrected), {**of_corrected, **data}),
            "correct": call(correction.correct, model=self.swap, **data),
        }

    def of_datasets(self):
        few, n_test = {"n_samples": 6}, {"n_test": 6}
        y = np.arange(6) % 2
        return {
            **self.of_fetchers(),
            "get_data_home": call(datasets.get_data_home),
            "make_triangles": call(datasets.make_triangles, **few, **n_test),
            "make_pentagons": call(datasets.make_pentagons, **few, **n_test),
            "make_fox_vs_cat": call(datasets.make_fox_vs_cat, **few, **n_test),
            "make_triangle_vs_circle": call(datasets.make_triangle_vs_circle, **few, **n_test),
            "make_decoy_digits": call(datasets.make_decoy_digits),
            "make_irrelevant_copies": call(datasets.make_irrelevant_copies, **few, **n_test),
            "make_ross_2d": call(datasets.make_ross_2d, **few, **n_test),
            "make_toy_colors": call(datasets.make_toy_colors, **few, **n_test),
            "make_two_bands": call(datasets.make_two_bands, n_per_blob=5),
            "load_iris_cancer": call(datasets.load_iris_cancer),
            "inject_leak": call(datasets.inject_leak, X=X, y=Y),
            "inject_patches": call(datasets.inject_patches, X=IMAGES, y=y, mask=IMAGE_MASKS),
            "augment_images": call(datasets.augment_images, X=IMAGES, mask=IMAGE_MASKS),
            "load_images": call(datasets.load_images, source=[self.folder / "a.png"], size=4),
        }

    def of_fetchers(self):
        def fetch(fetcher, **params):
            # A folder without data, and no network: what is wrong is found before either is missed.
            here = mock.patch.dict(os.environ, SKEXPLAIN_DATA=str(self.folder / "none"))
            no_network = OSError("No network in tests.")
            alone = mock.patch.object(_data_home, "_import_pooch", side_effect=no_network)
            with here, alone, suppress(OSError):
                fetcher(**params)

        fetchers = {n: getattr(datasets, n) for n in datasets.__all__ if n.startswith("fetch_")}
        return {name: (partial(fetch, each), call(each)[1]) for name, each in fetchers.items()}

    def of_penalties(self):
        def check(cls, **params):
            cls(**params).check_parameters()

        classes = (
            penalties.ActivationPenalty,
            penalties.AttentionPenalty,
            penalties.AverageCasePenalty,
            penalties.CertifiedPenalty,
            penalties.DecompositionPenalty,
            penalties.EnergyPenalty,
            penalties.GradCAMPenalty,
            penalties.HINTPenalty,
            penalties.InputGradientPenalty,
            penalties.MaskedFeaturePenalty,
            penalties.PatternPenalty,
            penalties.WorstCasePenalty,
        )
        return {cls.__name__: (partial(check, cls), call(cls)[1]) for cls in classes}

    def of_estimators(self):
        def fit(cls, X, y, mask, sample_weight=None, **params):
            estimator = cls(max_epochs=1, random_state=0, **params)
            return estimator.fit(X, y, mask=mask, sample_weight=sample_weight)

        def fit_groups(X, y, group_labels):
            estimator = skexplain.GroupDROClassifier(max_epochs=1)
            return estimator.fit(X, y, group_labels=group_labels)

        def partial_fit(X, y, mask, classes, sample_weight):
            estimator = skexplain.SwapExClassifier(random_state=0)
            return estimator.partial_fit(X, y, classes, mask=mask, sample_weight=sample_weight)

        def fill(X, mask, **params):
            return skexplain.MaskPropagator(**params).fit(X, mask).fill(X)

        def fill_and_fit(X, y, mask, **params):
            return skexplain.WithPropagatedMasks(**params).fit(X, y, mask=mask)

        def find(X, y, mask, **params):
            return skexplain.FindAnotherExplanationClassifier(**params).fit(X, y, mask=mask)

        data = {"X": X, "y": Y, "mask": MASKS}
        weighted = {**data, "sample_weight": np.ones(N)}
        base = skexplain.GradRegClassifier(norm="l2", alpha=1.0, max_epochs=1)
        quick = skexplain.SwapExClassifier(max_epochs=1, random_state=0)
        propagator = call(skexplain.MaskPropagator, cv=None, n_steps=2)[1]
        with_masks = call(skexplain.WithPropagatedMasks, estimator=quick)[1]
        another = call(
            skexplain.FindAnotherExplanationClassifier, estimator=base, n_explanations=1
        )[1]
        regressor = {**weighted, "y": X[:, 0]}
        return {
            "SwapExClassifier.fit": (partial(fit, skexplain.SwapExClassifier), weighted),
            "SwapExRegressor.fit": (partial(fit, skexplain.SwapExRegressor), regressor),
            "GroupDROClassifier.fit": (fit_groups, {"X": X, "y": Y, "group_labels": GROUPS}),
            "SwapExClassifier.partial_fit": (partial_fit, {**weighted, "classes": np.arange(2)}),
            "SwapExClassifier.predict": call(self.swap.predict, X=X),
            "SwapExClassifier.predict_proba": call(self.swap.predict_proba, X=X),
            "SwapExClassifier.score": call(self.swap.score, X=X, y=Y),
            "MaskPropagator.fit": (fill, {"X": X, "mask": MASKS, **propagator}),
            "WithPropagatedMasks.fit": (fill_and_fit, {**data, **with_masks}),
            "FindAnotherExplanationClassifier.fit": (find, {**data, **another}),
        }

    def of_texts(self):
        def fit(tokenizer, max_length, spread, X, y, mask, sample_weight):
            inner = skexplain.SwapExClassifier(max_epochs=1, random_state=0)
            clf = skexplain.WithTokenizer(inner, tokenizer, max_length, spread)
            return clf.fit(X, y, mask=mask, sample_weight=sample_weight).predict(X)

        texts, y = ["rain here today", "here is sun"] * 4, ["wet", "dry"] * 4
        clf = skexplain.WithTokenizer(skexplain.SwapExClassifier(max_epochs=1, random_state=0))
        clf.fit(texts, y, mask=[["here"]])
        data = {"X": texts, "y": y, "mask": [["here"], [(0, 4)]] * 4, "sample_weight": None}
        spans = self.folder / "spans.jsonl"
        spans.write_text(json.dumps({"text": "rain today", "label": [[0, 4, "x"]]}) + "\n")
        return {
            "WithTokenizer.fit": (
                fit,
                {"tokenizer": "words", "max_length": 8, "spread": False, **data},
            ),
            "WithTokenizer.predict": call(clf.predict, X=texts),
            "WithTokenizer.tokenize": call(clf.tokenize, X=texts, mask=[["here"]]),
            "nuisance_flip_rate of texts": call(
                metrics.nuisance_flip_rate,
                **{"estimator": clf, "X": texts, "mask": [["here"]], "n_repeats": 2},
                random_state=0,
            ),
            "read_spans": call(masks.read_spans, path=spans),
        }

    def of_files(self):
        path = self.folder / "model.safetensors"
        skexplain.save(self.swap, path)
        Image.fromarray(255 * IMAGE_MASKS[0].astype(np.uint8)).save(self.folder / "a.png")
        like = datasets.load_images([self.folder / "a.png"], size=8)
        export = self.folder / "export.json"
        annotated = {"mask": IMAGE_MASKS[:1], "like": like, "label": "ruler"}
        masks.write_annotations(export, **annotated)
        return {
            "read_annotations": call(masks.read_annotations, path=export, like=like),
            "write_annotations": call(
                masks.write_annotations, path=self.folder / "other.json", **annotated
            ),
            "save": call(skexplain.save, estimator=self.swap, path=self.folder / "other"),
            "load": call(skexplain.load, path=path),
        }


def raised_by_us(error, with_sklearn=True):
    """Whether an error was raised by a statement of this package, or within scikit-learn.

    What numpy and the like raise is of whoever has called them.
    """
    found = None
    for frame, line in walk(error.__traceback__):
        file = Path(frame.f_code.co_filename).as_posix()
        if "/skexplain/" in file or "/sklearn/" in file:
            found = frame, line, file
    if found is None:
        return False
    frame, position, file = found
    if "/sklearn/" in file:
        return with_sklearn
    return frame.f_code.co_code[position] == dis.opmap["RAISE_VARARGS"]


def foreign_names(error, function, good):
    """List what a message of this package asks for by names that the function does not have.

    Names are those before "must" at the beginning and those before an equals sign, unless these are
    of a call that is quoted, as in ``WordTokenizer(min_count=2)``.
    """
    if not raised_by_us(error, with_sklearn=False):
        return []
    said = re.split(r"[;,:.]? [gG]ot ", str(error))[0]
    names = re.findall(r"^([a-z_]+) must ", said) + re.findall(r"(?<!\w\()\b([a-z_]+)=", said)
    return [name for name in names if name not in {*good, *inspect.signature(function).parameters}]


def walk(traced):
    """Yield the frames of a traceback and the instruction of each."""
    while traced is not None:
        yield traced.tb_frame, traced.tb_lasti
        traced = traced.tb_next
