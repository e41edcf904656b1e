"""
Marks of the studio in Python
=============================

``skexplain studio`` opens a page on which people mark what must not matter. What they marked lies
in a folder of plain files, and ``Project`` reads and writes it: to prepare the pictures that a
person is shown, and to train on the marks with any estimator.
"""

# %%
# Digits with a grey square in a corner, whose shade gives the class away. In the test it is random.
# The studio opens folders of pictures, and arrays, as here; ``skexplain studio digits.npz`` would
# do the same.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skexplain import ERMClassifier, MaskPropagator, SwapExClassifier
from skexplain.datasets import inject_patches
from skexplain.inspection import audit
from skexplain.studio import Conflict, Project

images, digits = load_digits(return_X_y=True)
images, digits = images.reshape(-1, 8, 8)[:1200], digits[:1200]
squares = inject_patches(images[:700], digits[:700], size=3, place="corner", random_state=0)
lies = inject_patches(
    images[700:], colors=squares.colors, size=3, place="corner", random_state=1
).data

folder = tempfile.TemporaryDirectory()
source = Path(folder.name, "digits.npz")
np.savez(source, X=squares.data, y=digits[:700])
project = Project.create(Path(folder.name, "digits-studio"), source, held_out=0.3)
print(f"{len(project)} pictures, {project.held_out.sum()} of them held out")

# %%
# A person draws boxes on the page; here a loop does. Each change names the revision that it
# replaces, so that a second window with an older one overwrites nothing.
for number in range(150):
    project.set_mask(number, squares.mask[number], revision=0)
try:
    project.set_mask(0, np.zeros((8, 8)), revision=0)
except Conflict as conflict:
    print(conflict)

# %%
# The other masks are guessed, and ``fill`` stores them where there is none. The page lists them as
# guesses, to be checked.
X, marks = np.asarray(project.X), project.masks()
propagator = MaskPropagator(random_state=0).fit(X, marks)
filled = np.asarray(propagator.fill(X, marks)).reshape(-1, 8, 8) > 0.5
n_filled = project.fill(dict(enumerate(filled)), by="propagated")
print(f"{n_filled} masks were guessed; overlap with masks left out: {propagator.iou_:.2f}")
print(project.state_of(149), project.state_of(150), sep="\n")

# %%
# The project is opened again, as somebody else would. Its masks are what ``fit`` takes.
project = Project(project.folder)
train, X = ~project.held_out, np.asarray(project.X)
marks = project.masks()
mask = [marks[number] for number in np.flatnonzero(train)]
first = ERMClassifier(random_state=0).fit(X[train], project.y[train])
second = SwapExClassifier(random_state=0).fit(X[train], project.y[train], mask=mask)

truth = digits[700:].astype(str)
models = {"first": first, "second": second}
accuracy = {name: clf.score(lies[:, None], truth) for name, clf in models.items()}
print(accuracy)
assert accuracy["second"] > accuracy["first"] + 0.05

held_out = np.flatnonzero(project.held_out)
print(audit(second, X[held_out], project.y[held_out], [marks[number] for number in held_out]))

# %%
# In a notebook the editor of the page is a widget: ``MaskEditor(project.X, mask=project.masks())``
# shows it, and its ``mask`` goes into ``fit`` (``pip install "skexplain[notebook]"``).
figure, axes = plt.subplots(1, 5, figsize=(9, 2.2), layout="constrained")
for ax, number in zip(axes, (0, 1, 150, 151, 152), strict=True):
    ax.imshow(X[number, 0], cmap="gray")
    ax.contour(marks[number], levels=[0.5], colors="tab:orange")
    state = project.state_of(number)
    ax.set(title=f"{state['label']}, {state['by']}", xticks=[], yticks=[])

folder.cleanup()
plt.show()
