"""
A pretrained network gets a new head
====================================

Networks of torchvision, timm and transformers come with a head for the classes that they were
trained on. ``replace_head`` puts a new one in its place, and ``backbone_lr`` trains the rest more
slowly. The swap works as it does from scratch.
"""

# %%
# So that nothing is downloaded, the pretrained network is made here: it learns the digits 0 to 4.
# With torchvision it would be ``network = torchvision.models.resnet18(weights="DEFAULT")``.
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.datasets import inject_patches
from skexplain.training import replace_head

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
first = digits < 5
network = ERMClassifier(max_epochs=15, random_state=0).fit(images[first], digits[first]).module_

# %%
# The task is another one: the digits 5 to 9, of which there are 60 images. A square in a corner
# gives the digit away by its grey; it is marked. In the test the grey is that of a random digit.
X, y = images[~first], digits[~first]
order = np.random.default_rng(0).permutation(len(X))
train, test = order[:60], order[60:]
square = {"size": 3, "place": "corner"}
squares = inject_patches(X[train], y[train], random_state=0, **square)
lies = inject_patches(X[test], colors=squares.colors, random_state=1, **square).data

# %%
# A function that takes the number of outputs is handed it, so the new head needs no number here,
# and its weights depend on ``random_state``. ``lr`` is the rate of the head, ``backbone_lr`` of
# all other layers, and 0 freezes them. With ``lr_schedule="cosine"`` both rise and then fall to 0.
accuracy = {}
for name, backbone_lr in {"trained slowly": 3e-4, "frozen": 0}.items():
    for estimator in (ERMClassifier, SwapExClassifier):
        clf = estimator(
            partial(replace_head, network),
            lr=3e-3,
            backbone_lr=backbone_lr,
            lr_schedule="cosine",
            max_epochs=40,
            batch_size=16,
            random_state=0,
        )
        mask = squares.mask if estimator is SwapExClassifier else None
        clf.fit(squares.data, y[train], mask=mask)
        accuracy[name, estimator] = clf.score(lies, y[test])
        print(f"{estimator.__name__}, other layers {name}: {accuracy[name, estimator]:.3f}")

assert clf.module_.features[2].weight.equal(network.features[2].weight)  # the last one was frozen
gain = accuracy["trained slowly", SwapExClassifier] - accuracy["trained slowly", ERMClassifier]
assert gain > 0.03

# %%
# The swap is needed with a pretrained network, too: its features know greys as well as strokes.
figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for shift, estimator in ((-0.2, ERMClassifier), (0.2, SwapExClassifier)):
    heights = [accuracy[name, estimator] for name in ("trained slowly", "frozen")]
    ax.bar(np.arange(2) + shift, heights, 0.4, label=estimator.__name__)
ax.set(xticks=[0, 1], xticklabels=["trained slowly", "frozen"], ylim=(0.4, 1))
ax.set(xlabel="layers before the head", ylabel="accuracy, square lies")
ax.legend()

plt.show()
