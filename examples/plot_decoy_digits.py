"""
Digits with a decoy
===================

A grey half-image gives the label away in training, and lies in the test. A plain network learns
the shade. A network that is told which pixels must not matter learns the digit.
"""

# %%
# The data: real 8x8 digits, squeezed into one half; the other half is filled with a shade that
# tells the label. The mask marks that half, image by image.
import matplotlib.pyplot as plt
import numpy as np

from skexplain import ERMClassifier, GradRegClassifier, PGDExClassifier
from skexplain.datasets import make_decoy_digits
from skexplain.metrics import group_accuracies

digits = make_decoy_digits("half", flatten=True, random_state=0)

figure, axes = plt.subplots(2, 6, figsize=(8, 3.2), layout="constrained")
for label, column in enumerate(axes.T):
    row = np.flatnonzero(digits.target == label)[0]
    image, mask = digits.data[row].reshape(8, 8), digits.mask[row].reshape(8, 8)
    column[0].imshow(image, cmap="gray", vmin=0, vmax=255)
    column[0].set_title(f"a {label}")
    column[1].imshow(mask, cmap="Blues", vmin=0, vmax=1)
    for ax in column:
        ax.set_axis_off()
figure.suptitle("Training images, and masks of what must not matter")

# %%
# Three classifiers with the same network, on the same rows.
classifiers = {
    "labels alone": ERMClassifier(max_epochs=50, random_state=0),
    "gradient penalty": GradRegClassifier(max_epochs=50, random_state=0),
    "worst perturbation": PGDExClassifier(max_epochs=50, random_state=0),
}
accuracies = {}
for name, clf in classifiers.items():
    clf.fit(digits.data, digits.target, mask=digits.mask)
    predicted = clf.predict(digits.data_test)
    accuracies[name] = group_accuracies(digits.target_test, predicted, digits.groups_test)
    print(f"{name}: mean {np.mean(list(accuracies[name].values())):.2f}")

# %%
# Accuracy by digit in the test, where the shade tells nothing.
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
colours = ["0.6", "#E69F00", "#0072B2"]  # legible without colour vision
for i, (name, by_digit) in enumerate(accuracies.items()):
    places = np.arange(10) + 0.27 * (i - 1)
    ax.bar(places, by_digit.values(), width=0.25, label=name, color=colours[i])
ax.set(xticks=range(10), xlabel="digit", ylabel="accuracy", ylim=(0, 1))
ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# What the text above claims.
means = {name: np.mean(list(by_digit.values())) for name, by_digit in accuracies.items()}
assert means["labels alone"] < 0.5 < 0.7 < means["gradient penalty"] < means["worst perturbation"]

plt.show()
