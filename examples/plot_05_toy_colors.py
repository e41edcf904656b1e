"""
A mask decides which of two rules is learned
============================================

Two rules give the label of these images, and both are right for all of them. Labels do not say
which one is meant. A mask does.
"""

# %%
# An image of 5x5 coloured pixels has class 1 if its four corners have the same colour. Exactly
# these images also have three top middle pixels of different colours. ``irrelevant`` chooses the
# rule that the mask marks as irrelevant.
import matplotlib.pyplot as plt

from skexplain import ERMClassifier, GradRegClassifier
from skexplain.datasets import make_toy_colors
from skexplain.inspection import largest_gradient_mask

colors = make_toy_colors(4000, 1000, irrelevant="corners", random_state=0)
other_mask = make_toy_colors(1, 1, irrelevant="top_middle").mask

figure, axes = plt.subplots(2, 6, figsize=(8, 3), layout="constrained")
for label, row in enumerate(axes):
    for ax, pixels in zip(row, colors.data[colors.target == label], strict=False):
        ax.imshow(pixels.reshape(5, 5, 3))
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"class {label}")

# %%
# The same network is trained three times. ``GradRegClassifier`` makes the gradient of the
# prediction small where the mask marks. Only the marks differ.
settings = {"lr": 5e-3, "max_epochs": 30, "random_state": 0}
X, y = colors.data, colors.target
classifiers = {
    "labels alone": ERMClassifier(**settings).fit(X, y),
    "the corners must not matter": GradRegClassifier(norm="l2", alpha=10, **settings).fit(
        X, y, mask=colors.mask
    ),
    "the top middle must not matter": GradRegClassifier(norm="l2", alpha=10, **settings).fit(
        X, y, mask=other_mask
    ),
}

# %%
# All three are right in the test set. The pictures show which pixels they use: for each pixel, the
# share of test images in which its gradient is among the largest.
used = {}
figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for ax, (name, clf) in zip(axes, classifiers.items(), strict=True):
    largest = largest_gradient_mask(clf, colors.data_test)
    used[name] = largest.reshape(-1, 5, 5, 3).any(axis=3).mean(axis=0)
    drawn = ax.imshow(used[name], cmap="Blues", vmin=0, vmax=1)
    ax.set_title(name, size="medium")
    ax.set_xlabel(f"accuracy {clf.score(colors.data_test, colors.target_test):.2f}")
    ax.set(xticks=[], yticks=[])
figure.colorbar(drawn, ax=axes, label="share of the images", shrink=0.8)

# Measured: corners 0.62, 0.00 and 0.61; top middle 0.00, 0.92 and 0.00.
assert min(clf.score(colors.data_test, colors.target_test) for clf in classifiers.values()) > 0.95
corners = {name: shares[::4, ::4].mean() for name, shares in used.items()}
top_middle = {name: shares[0, 1:4].mean() for name, shares in used.items()}
assert corners["the corners must not matter"] < 0.1
assert top_middle["the corners must not matter"] > 0.5
assert corners["the top middle must not matter"] > 0.3
assert top_middle["the top middle must not matter"] < 0.1

plt.show()
