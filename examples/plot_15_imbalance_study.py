"""
A study of few and imbalanced samples
=====================================

Of a hundred training samples, fewer and fewer are of the rare class. Class weights help less than
masks. Both together help most.
"""

# %%
# Each image shows a 3 or an 8, which is the label, beside another digit. There is no shortcut here.
# But few samples do not show which of the two digits is the label. The masks mark the other one.
import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_validate

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.inspection import MaskDisplay
from skexplain.model_selection import SubsampleSplit

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
counts = np.isin(digits, [3, 8])
y = digits[counts]

rng = np.random.default_rng(0)
others = rng.choice(images[~counts], len(y), replace=False)
is_left = rng.integers(2, size=(len(y), 1, 1)) == 0
pairs = np.concatenate([images[counts], others], axis=2)
X = np.where(is_left, pairs, np.roll(pairs, 8, axis=2))
mask = np.broadcast_to((np.arange(16) >= 8) == is_left, X.shape)

display = MaskDisplay.from_mask(X, mask, rows=range(4))
display.figure_.set_figheight(1.6)

# %%
# ``SubsampleSplit`` draws training sets of a given size and class ratio, each with a balanced test
# set. As ``cv`` it makes a study in one call. Masks are sliced together with the samples.
X, mask = X.reshape(len(X), -1), mask.reshape(len(X), -1)

settings = {"max_epochs": 40, "batch_size": 20, "random_state": 0}
classifiers = {
    "labels alone": ERMClassifier(**settings),
    "class weights": ERMClassifier(class_weight="balanced", **settings),
    "masks": SwapExClassifier(**settings),
    "masks and class weights": SwapExClassifier(class_weight="balanced", **settings),
}
ratios = [0.5, 0.2, 0.1, 0.05]
scores = {name: [] for name in classifiers}
for ratio in ratios:
    splitter = SubsampleSplit(100, class_ratio=ratio, n_splits=8, test_size=100, random_state=0)
    for name, clf in classifiers.items():
        with sklearn.config_context(enable_metadata_routing=True):
            result = cross_validate(clf, X, y, cv=splitter, params={"mask": mask})
        scores[name].append(result["test_score"])

# %%
# The picture shows means over eight draws, with two standard errors. Chance is 0.5.
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
styles = [("#D55E00", "s:"), ("#E69F00", "^--"), ("#56B4E9", "D-."), ("#0072B2", "o-")]
for (name, values), (color, line) in zip(scores.items(), styles, strict=True):
    means = np.mean(values, axis=1)
    errors = 2 * np.std(values, axis=1, ddof=1) / 8**0.5
    ax.errorbar(range(4), means, errors, fmt=line, color=color, capsize=3, label=name)
ax.set_xticks(range(4), [f"{100 * ratio:g} in 100" for ratio in ratios])
ax.set(xlabel="training samples of the rare class", ylabel="accuracy, balanced test set")
ax.set_ylim(0.5, 1)
ax.legend(loc="lower left", frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# At 10 in 100. Measured: 0.65, 0.66, 0.76 and 0.81.
labels, weights, masks, both = (np.mean(values[2]) for values in scores.values())
print(f"{labels:.2f}, {weights:.2f}, {masks:.2f}, {both:.2f}")
assert masks > weights + 0.05
assert both > masks + 0.02

plt.show()
