"""
Find another explanation
========================

There are no masks. A first model is trained. The features that it uses are marked as irrelevant,
and the next model is trained, and so on. Here the first model uses a leak, and the second one does
not.
"""

# %%
# Ten measurements separate malignant tumours from benign ones. An eleventh column is added, which
# leaks the diagnosis in these samples. Where the model will be used, the column is random.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from skexplain import FindAnotherExplanationClassifier, GradRegClassifier
from skexplain.datasets import inject_leak

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X.iloc[:, :10], y, random_state=0)
shuffled = np.random.default_rng(0).permutation(y_test)
train = inject_leak(X_train, y_train, correlation=0.95, random_state=0)
test = inject_leak(X_test, shuffled, correlation=0.95, random_state=0)

# %%
# The search needs no masks. It stops if a model loses too much accuracy, or uses again what is
# marked.
search = FindAnotherExplanationClassifier(
    GradRegClassifier(norm="l2", alpha=1, lr=3e-3, max_epochs=50), n_explanations=3, random_state=0
)
search.fit(train.data, y_train)

# %%
# The picture shows the columns that each model uses. A person who knows the data sees that the
# first model is not right for the right reasons, and selects the second one.
shares = [explanation.mean(axis=0) for explanation in search.explanations_]
accuracies = [search.select(i).score(test.data, y_test) for i in range(len(shares))]

figure, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
drawn = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
ax.set_xticks(range(11), train.data.columns, rotation=40, ha="right")
ax.set_yticks(
    range(len(shares)),
    [
        f"model {i + 1}\n{training:.2f} in training,\n{broken:.2f} with a broken leak"
        for i, (training, broken) in enumerate(zip(search.accuracies_, accuracies, strict=True))
    ],
)
figure.colorbar(drawn, label="share of the samples")
ax.set_title("Columns with the largest input gradients")

search.select(1)  # predicts from now on

# Measured with a broken leak: 0.65 and 0.92.
assert train.data.columns[shares[0].argmax()] == "leak"
assert shares[1][train.data.columns == "leak"] < 0.05
assert accuracies[0] < 0.8 < 0.87 < search.score(test.data, y_test)

plt.show()
