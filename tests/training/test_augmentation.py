"""Check that images, masks and what is known of them move together, and only in training steps."""

import pickle
from functools import partial

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from _estimators import weights
from hypothesis import given, settings
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.nn import functional

from skexplain import (
    AvgExClassifier,
    ConceptGradRegClassifier,
    CounterexampleClassifier,
    ERMClassifier,
    ERMRegressor,
    ExplanationClassifier,
    FindAnotherExplanationClassifier,
    GradCAMRegClassifier,
    GradRegClassifier,
    GroupDROClassifier,
    HINTClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
    load,
    save,
)
from skexplain.penalties import (
    AverageCasePenalty,
    InputGradientPenalty,
    Rows,
    WorstCasePenalty,
)
from skexplain.training import measure_inputs
from skexplain.training._augmentation import Augmentation
from skexplain.training._light import LightAugmentation
from skexplain.training._random import Streams

# Few samples with any marks: these may well tell the class.
pytestmark = [
    pytest.mark.filterwarnings("ignore::skexplain.exceptions.RemainingShortcutWarning"),
    pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning"),
]

CPU = torch.device("cpu")
N, SIDE = 24, 8
NAN = np.nan


class Network(nn.Sequential):
    """A small network with a layer for each penalty."""

    def __init__(self, n_channels=3):
        super().__init__(
            nn.Conv2d(n_channels, 3, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(3 * SIDE * SIDE, 2),
        )


class GreyNetwork(Network):
    """One that takes images without a channel axis."""

    def __init__(self):
        super().__init__(1)

    def forward(self, x):
        return super().forward(x[:, None])


def flip(images, masks, generator):
    return images.flip(-1), masks.flip(-1)


def shift(images, masks, generator, right=3, down=0):
    """Zeros come from outside."""
    padding = (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0))
    moved = [functional.pad(part, padding) for part in (images, masks)]
    left, top = max(-right, 0), max(-down, 0)
    height, width = images.shape[2:]
    return [part[..., top : top + height, left : left + width] for part in moved]


def draw(images, masks, generator):
    """Draw a flip for each sample, and a brightness from torch's and numpy's global states."""
    flips = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    images, masks = (torch.where(flips, part.flip(-1), part) for part in (images, masks))
    return images + torch.rand(()) + np.random.rand(), masks  # noqa: NPY002


def grown(images, masks, generator):
    """Return images of another size."""
    return functional.pad(images, (1, 1)), functional.pad(masks, (1, 1))


AUGMENTATIONS = {"light": "light", "callable": draw}
every_augmentation = pytest.mark.parametrize("augment", AUGMENTATIONS.values(), ids=AUGMENTATIONS)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (N, 3, SIDE, SIDE)).astype(np.uint8)
    return X, np.arange(N) % 2, rng.random((N, SIDE, SIDE)) > 0.5


def fitted(estimator, X, y, mask=None, **params):
    params = {"max_epochs": 2, "batch_size": 10, "random_state": 0, **params}
    return estimator.set_params(**params).fit(X, y, mask=mask)


def same_weights(one, other):
    return torch.equal(weights(one), weights(other))


class Recorder:
    """Moves nothing, and notes what it is given."""

    def __init__(self):
        self.images, self.masks = [], []

    def __call__(self, images, masks, generator):
        self.images.append(images.clone())
        self.masks.append(masks.clone())
        return images, masks


# -- what equals what ------------------------------------------------------------------------------


@every_augmentation
@pytest.mark.parametrize("estimator", [SwapExClassifier, GradRegClassifier])
def test_without_penalties_it_is_the_label_loss_with_the_same_augmentation(
    estimator, augment, data
):
    X, y, mask = data
    plain = fitted(ERMClassifier(Network), X, y, augment=augment)
    assert not same_weights(plain, fitted(ERMClassifier(Network), X, y))
    for marks in (np.full(mask.shape, NAN), np.zeros(mask.shape), None):
        other = fitted(estimator(Network), X, y, marks, augment=augment)
        assert same_weights(plain, other)
    assert same_weights(plain, fitted(estimator(Network, alpha=0), X, y, mask, augment=augment))


SWAP_AND_GRAD = [("swap", AverageCasePenalty()), ("grad", InputGradientPenalty())]
FORMS = {
    "avg": AvgExClassifier(Network, epsilon=0.5),
    "counterexample": CounterexampleClassifier(Network),
    "several": ExplanationClassifier(Network, penalties=SWAP_AND_GRAD, alpha=0.1),
    "grad_cam": GradCAMRegClassifier(Network),
    "grad_reg": GradRegClassifier(Network),
    "group_dro": GroupDROClassifier(Network),
    "hint": HINTClassifier(Network),
    "ibp": IBPExClassifier(Network, epsilon=0.1, epsilon_ramp=0, alpha_ramp=0),
    "influence": InfluenceRegClassifier(Network),
    "pgd": PGDExClassifier(Network, n_steps=2, grad_alpha=0.1),
    "swap": SwapExClassifier(Network),
    "swap, mixed": SwapExClassifier(Network, alpha=0.5),
    "two_stage": TwoStageExplanationClassifier(Network),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_flip_of_images_and_masks_before_is_the_flip_inside(name, data):
    X, y, mask = data
    mask[::3] = False  # a third of the samples have nothing irrelevant
    inside = fitted(FORMS[name], X, y, mask, augment=flip)
    by_hand = fitted(
        FORMS[name].set_params(augment=None), X[..., ::-1].copy(), y, mask[..., ::-1].copy()
    )
    assert same_weights(inside, by_hand)


SHAPES = {
    "one for all": lambda mask: mask[:1],
    "per channel": lambda mask: np.repeat(mask[:, None], 3, axis=1),
    "some unknown": lambda mask: np.where(mask[::-1], NAN, mask),
    "some without": lambda mask: [None if i % 3 else row for i, row in enumerate(mask)],
    "soft": lambda mask: 0.3 * mask,
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("estimator", [SwapExClassifier, HINTClassifier])
def test_masks_of_every_shape_move_alike(estimator, name, data):
    X, y, mask = data
    mask = SHAPES[name](mask)
    flipped = [None if row is None else row[..., ::-1].copy() for row in mask]
    flipped = flipped if isinstance(mask, list) else np.array(flipped)
    inside = fitted(estimator(Network), X, y, mask, augment=flip)
    by_hand = fitted(estimator(Network), X[..., ::-1].copy(), y, flipped)
    # With unknown marks HINT takes means over known ones, the others over all.
    torch.testing.assert_close(weights(inside), weights(by_hand), rtol=0, atol=1e-6)


def test_images_without_a_channel_axis(data):
    X, y, mask = data
    grey = X[:, 0] / 255
    inside = fitted(SwapExClassifier(GreyNetwork), grey, y, mask, augment=flip)
    flipped = grey[..., ::-1].copy(), y, mask[..., ::-1].copy()
    assert same_weights(inside, fitted(SwapExClassifier(GreyNetwork), *flipped))
    fitted(SwapExClassifier(GreyNetwork), grey, y, mask, augment="light")


def test_masks_of_units_stay(data):
    X, y, _ = data
    concepts = ConceptGradRegClassifier(Network, layer="0", alpha=0.1)
    units = np.array([[1, 0, 0]])
    inside = fitted(concepts, X, y, units, augment=flip)
    by_hand = fitted(concepts.set_params(augment=None), X[..., ::-1].copy(), y, units)
    assert same_weights(inside, by_hand)


def test_regressors_and_other_settings(data):
    X, y, mask = data
    common = {"augment": "light", "max_epochs": 1}
    fitted(ERMRegressor(), X, y.astype(float), **common)
    fitted(SwapExClassifier(Network), X, y, mask, mixed_precision=True, **common)
    whole = fitted(GradRegClassifier(Network), X, y, mask, deterministic=True, **common)
    parts = fitted(GradRegClassifier(Network), X, y, mask, penalty_chunk_size=3, **common)
    torch.testing.assert_close(weights(whole), weights(parts), rtol=1e-4, atol=1e-6)
    base = GradRegClassifier(Network, **common)
    FindAnotherExplanationClassifier(base, n_explanations=2, min_accuracy=0).fit(X, y)


# -- where it happens ------------------------------------------------------------------------------


def test_what_is_held_out_or_predicted_is_not_changed(data):
    X, y, mask = data
    X, y, mask = (np.tile(part, (5,) + (1,) * (part.ndim - 1)) for part in (X, y, mask))
    X[:, 0, 0, 0] = np.arange(len(X))
    recorder = Recorder()
    clf = fitted(
        GradRegClassifier(Network, alpha=0.1), X, y, mask, augment=recorder, early_stopping=True
    )
    seen = torch.cat(recorder.images)[:, 0, 0, 0].unique().long().numpy()
    held_out = np.setdiff1d(np.arange(len(X)), seen)
    assert len(held_out) == len(X) // 10
    logits = clf.module_(torch.from_numpy(X[held_out]).float())
    loss = functional.cross_entropy(logits, torch.from_numpy(y[held_out])).item()
    best = min(clf.history_, key=lambda epoch: epoch["valid_loss"])
    assert best["valid_label_loss"] == pytest.approx(loss, rel=1e-5)
    n_calls = len(recorder.images)
    clf.predict(X)
    clf.score(X, y)
    assert len(recorder.images) == n_calls


@pytest.mark.parametrize(
    ("estimator", "share", "images_per_step"),
    [
        (GradRegClassifier(Network), 1, N),  # the batch is penalised
        (GradRegClassifier(Network), 2, N + N // 2),  # penalised samples are drawn
        (SwapExClassifier(Network, alpha=0.5), 1, 2 * N),  # with donors
        (SwapExClassifier(Network, alpha=0.5), 2, N + N),
        # Penalised samples stand in the batch.
        (SwapExClassifier(Network), 1, 2 * N),
        (SwapExClassifier(Network), 2, N + N // 2),
    ],
)
def test_what_is_labelled_and_penalised_is_moved_once(estimator, share, images_per_step, data):
    X, y, _ = data
    mask = np.full((N, SIDE, SIDE), NAN)
    mask[::share] = np.arange(SIDE) < 5  # too much for an exchange of parts
    recorder = Recorder()
    fitted(estimator, X, y, mask, augment=recorder, max_epochs=1, batch_size=-1)
    assert sum(map(len, recorder.images)) == images_per_step


def test_the_batch_is_moved_the_same_with_and_without_penalties(data):
    X, y, mask = data
    mask = np.where(np.arange(N)[:, None, None] % 2, NAN, mask)
    seen = []
    for estimator in (ERMClassifier(Network), GradRegClassifier(Network)):
        recorder = Recorder()

        def record(images, masks, generator, recorder=recorder):
            return recorder(*draw(images, masks, generator), generator)

        fitted(estimator, X, y, mask, augment=record, batch_size=-1)
        seen.append([images for images in recorder.images if len(images) == N])
    assert all(map(torch.equal, *seen))
    assert len(seen[0]) == 2


def test_input_statistics_are_those_of_the_images_as_they_are(data):
    X, y, mask = data
    clf = fitted(SwapExClassifier(Network), X, y, mask, augment="light")
    plain = fitted(SwapExClassifier(Network), X, y, mask)
    for name, value in vars(plain.input_statistics_).items():
        np.testing.assert_array_equal(getattr(clf.input_statistics_, name), value)


# -- draws -----------------------------------------------------------------------------------------


@every_augmentation
def test_equal_seeds_are_equal_and_the_global_states_stay(augment, data):
    X, y, mask = data
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    first, second = (
        fitted(SwapExClassifier(Network), X, y, mask, augment=augment) for _ in range(2)
    )
    assert same_weights(first, second)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    other = fitted(SwapExClassifier(Network), X, y, mask, augment=augment, random_state=1)
    assert not same_weights(first, other)


@every_augmentation
def test_epochs_one_by_one_equal_one_fit(augment, data):
    X, y, mask = data
    whole = fitted(SwapExClassifier(Network), X, y, mask, augment=augment)
    parts = SwapExClassifier(Network, augment=augment, batch_size=10, random_state=0)
    parts.partial_fit(X, y, classes=[0, 1], mask=mask).partial_fit(X, y, mask=mask)
    assert same_weights(whole, parts)
    warm = fitted(SwapExClassifier(Network), X, y, mask, augment=augment, max_epochs=1)
    assert same_weights(whole, warm.set_params(warm_start=True).fit(X, y, mask=mask))


def test_dropout_draws_as_without_an_augmentation(data):
    """A callable that draws from torch's global state shifts nothing else."""
    X, y, mask = data

    def only_draw(images, masks, generator):
        torch.rand(5)
        torch.rand(3, generator=generator)
        return images, masks

    network = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(3 * SIDE * SIDE, 2))
    with_draws = fitted(SwapExClassifier(network), X, y, mask, augment=only_draw)
    assert same_weights(with_draws, fitted(SwapExClassifier(network), X, y, mask))


def test_seeds_of_penalties_are_what_they_were_before_there_was_an_augmentation():
    assert Streams(3).seed("swap", 2) == 2775983351
    assert Streams(3).seed("layers", 2) == 2469384467


def test_files_and_callbacks_change_nothing(data, tmp_path):
    """Samples that are read ahead in another thread are moved in the one that trains."""
    X, y, mask = data
    np.save(tmp_path / "X.npy", X)
    X_file = np.load(tmp_path / "X.npy", mmap_mode="r")
    from_memory = fitted(SwapExClassifier(Network), X, y, mask, augment=draw)
    assert same_weights(
        from_memory, fitted(SwapExClassifier(Network), X_file, y, mask, augment=draw)
    )


# -- what comes from outside -----------------------------------------------------------------------


def rows_of(x, irrelevance, known=None):
    of_data = (1, x.shape[1], 1, 1)
    return Rows(
        x=x,
        y=torch.zeros(len(x), dtype=torch.int64),
        irrelevance=irrelevance,
        known=known,
        unit=torch.ones(of_data),
        mean=torch.zeros(of_data),
        lower=torch.full(of_data, -9.0),
        upper=torch.full(of_data, 9.0),
        label_loss=lambda logits, y: functional.cross_entropy(logits, y, reduction="none"),
    )


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1000),
    right=st.integers(-5, 5),
    down=st.integers(-5, 5),
    light=st.booleans(),
    shared=st.booleans(),
)
def test_nothing_from_outside_is_penalised(seed, right, down, light, shared):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(5, 2, SIDE, SIDE, generator=generator)
    irrelevance = (torch.rand(5, 1, SIDE, SIDE, generator=generator) < 0.8).float()
    known = torch.rand(5, 1, SIDE, SIDE, generator=generator) < 0.9
    rows = rows_of(x, torch.where(known, irrelevance, 0), known)
    if shared:
        rows = rows_of(x, torch.ones(1, 1, SIDE, SIDE))
    augment = "light" if light else partial(shift, right=right, down=down)
    augmentation = Augmentation(augment, measure_inputs(x.numpy()), CPU)
    moved = augmentation.move(rows, generator)
    frame = augmentation.move_images(x, [], torch.Generator().manual_seed(seed))[2]
    outside = ~moved.known
    assert (moved.irrelevance.expand_as(outside)[outside] == 0).all()
    if not light:  # in the frame as by hand, in numpy
        wide = np.full((3 * SIDE, 3 * SIDE), NAN)
        for i, x_moved in enumerate(moved.x.numpy()):
            marks = rows.irrelevance[0 if shared else i, 0].numpy()
            there = 1 if shared else rows.known[i, 0].numpy()
            for values, result in (
                (marks, moved.irrelevance[i, 0]),
                (np.where(there, 1.0, 0), moved.known[i, 0].float()),
                (x[i, 0].numpy(), x_moved[0]),
            ):
                wide[...] = 0
                wide[SIDE : 2 * SIDE, SIDE : 2 * SIDE] = values
                top, left = SIDE - down, SIDE - right
                expected = wide[top : top + SIDE, left : left + SIDE]
                np.testing.assert_array_equal(result, expected.astype(np.float32))
    # Neither perturbations nor gradients see what is outside.
    module = nn.Sequential(nn.Flatten(), nn.Linear(2 * SIDE * SIDE, 2))
    of_pixels = outside.expand_as(x)
    for penalty in (
        AverageCasePenalty("gaussian"),
        AverageCasePenalty("constant"),
        AverageCasePenalty("swap", exchange=False),
        WorstCasePenalty(epsilon=1.0, n_steps=2),
    ):
        perturbed = penalty.move(module, moved, moved.take(torch.arange(4, -1, -1)), generator)
        torch.testing.assert_close(perturbed[of_pixels], moved.x[of_pixels], rtol=0, atol=0)
    value = InputGradientPenalty(output="log_prob_sum", norm="l2")(module, moved)
    logits_of = moved.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(logits_of).log_softmax(1).sum(), logits_of)
    expected = (moved.irrelevance * ~outside * gradient).square().flatten(1).sum(1)
    torch.testing.assert_close(value, expected)
    assert frame.shape == outside.shape


def test_a_linear_network_keeps_the_weights_of_what_is_always_outside(data):
    """All pixels are irrelevant; those at the left edge have left the frame in each step."""
    X, y, _ = data
    X = np.abs(np.random.default_rng(0).normal(size=X.shape)).astype(np.float32)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2))
    nn.init.uniform_(module[1].weight, -0.1, 0.1, generator=torch.Generator().manual_seed(0))
    clf = fitted(
        GradRegClassifier(module, norm="l2", alpha=1e4, input_unit="input"),
        *(X, y, np.ones((1, SIDE, SIDE))),
        augment=shift,
        max_epochs=40,
        lr=0.01,
    )
    before, after = (m[1].weight.detach().view(2, 3, SIDE, SIDE) for m in (module, clf.module_))
    # The shift has filled three columns with zeros: no gradient of the label loss, either.
    torch.testing.assert_close(after[..., :3], before[..., :3], rtol=0, atol=0)
    difference = (after[:1] - after[1:])[..., 3:]
    assert difference.abs().max() < 0.05
    assert (before[:1] - before[1:])[..., 3:].abs().max() > 0.15


# -- "light" ---------------------------------------------------------------------------------------


def light(**changes):
    ends = (torch.full((1, 3, 1, 1), end) for end in (0.25, 0.0, 1.0))
    return LightAugmentation(*ends, **changes)


SAME_COLOURS = {"contrast": 0.0, "brightness": 0.0, "balance": 0.0}


def test_light_moves_marks_with_their_pixels():
    """Images that are their own marks stay so, but for what is between two pixels."""
    generator = torch.Generator().manual_seed(0)
    marks = torch.zeros(40, 1, 32, 32)
    for i in range(40):
        marks[i, :, i % 20 : i % 20 + 12, (7 * i) % 20 : (7 * i) % 20 + 12] = 1
    frame = torch.ones_like(marks)
    images, masks = light(**SAME_COLOURS)(
        marks.expand(-1, 3, -1, -1), torch.cat([marks, frame], dim=1), generator
    )
    moved, inside = masks[:, :1], masks[:, 1:] == 1
    # The nearest of four pixels has a quarter of the weight at least.
    differs = ((images - moved).abs() > 0.75 + 1e-4) & inside
    assert not differs.any()
    assert (images.movedim(1, -1)[~inside[:, 0]] == 0.25).all()
    assert 0 < (~inside).float().mean() < 0.12
    assert (moved.sum((1, 2, 3)) > 60).all()
    assert masks.unique().tolist() == [0, 1]


def test_light_flips_half_of_the_images():
    x = torch.arange(32.0).expand(400, 3, 32, 32) / 31
    moved, _ = light()(x, torch.ones(400, 1, 32, 32), torch.Generator().manual_seed(0))
    falls = moved[:, :, 16, 24] < moved[:, :, 16, 8]
    assert torch.equal(falls, falls[:, :1].expand(-1, 3))
    assert 160 < falls[:, 0].sum() < 240


def test_light_keeps_to_the_range_of_the_data():
    x = torch.rand(50, 3, 16, 16)
    strong = light(contrast=0.9, brightness=0.5, balance=0.5)
    moved, _ = strong(x, torch.ones(50, 1, 16, 16), torch.Generator().manual_seed(0))
    assert moved.min() == 0
    assert moved.max() == 1


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(N, 5), (N, 2, 3, 4, 4)])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize("augment", ["light", flip])
def test_what_is_no_image_is_an_error(augment, dtype, shape):
    X = np.random.default_rng(0).integers(9, size=shape).astype(dtype)
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    with pytest.raises(ValueError, match=r"augment must be None unless X holds images.*shape"):
        ERMClassifier(module, augment=augment).fit(X, np.arange(N) % 2)


WRONG = {
    "shape of images": (grown, ValueError, "augment must return images of the shape"),
    "shape of masks": (lambda i, m, g: (i, m[:, :1]), ValueError, "augment must return masks of"),
    "images alone": (lambda i, m, g: i, TypeError, "augment must return two tensors"),
    "arrays": (lambda i, m, g: (i.numpy(), m), TypeError, "augment must return images as a tensor"),
    "NaN": (lambda i, m, g: (i * NAN, m), ValueError, "augment must return finite images"),
    "NaN in masks": (lambda i, m, g: (i, m * NAN), ValueError, "augment must return finite masks"),
    "another unit": (lambda i, m, g: (i / 255, m), ValueError, "augment must return images in the"),
    "signature": (lambda images: images, TypeError, r"augment must be called as augment\(images, "),
    "word": ("strong", ValueError, "The 'augment' parameter of SwapExClassifier must be"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_callable_must_not_do(name, data):
    X, y, mask = data
    augment, kind, message = WRONG[name]
    clf = SwapExClassifier(Network, augment=augment, max_epochs=1)
    with pytest.raises(kind, match=message):
        clf.fit(X, y, mask=mask)
    assert not hasattr(clf, "module_")


def test_a_name_of_its_streams_is_no_name_of_a_penalty(data):
    X, y, mask = data
    clf = ExplanationClassifier(Network, penalties=[("augment", InputGradientPenalty())])
    with pytest.raises(ValueError, match="penalties"):
        clf.fit(X, y, mask=mask)


# -- searches and files ----------------------------------------------------------------------------


def test_a_search_over_augmentations(data):
    X, y, mask = data
    clf = SwapExClassifier(Network, max_epochs=1, random_state=0)
    search = GridSearchCV(clf, {"augment": [None, "light", flip]}, cv=2)
    search.fit(X, y, mask=mask)
    assert search.best_params_["augment"] in (None, "light", flip)


def test_pickles_and_model_files(data, tmp_path):
    X, y, mask = data
    for augment, handed in (("light", {}), (flip, {"augment": flip})):
        clf = fitted(SwapExClassifier(), X, y, mask, augment=augment)
        restored = pickle.loads(pickle.dumps(clf))
        save(clf, tmp_path / "model.safetensors")
        loaded = load(tmp_path / "model.safetensors", **handed)
        clf.partial_fit(X, y, mask=mask)
        for other in (restored, loaded):
            assert other.augment == augment
            assert same_weights(clf, other.partial_fit(X, y, mask=mask))
    with pytest.raises(TypeError, match="load needs .*augment"):
        load(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors", augment=None).augment is None


# -- kornia ----------------------------------------------------------------------------------------


def test_kornia_moves_masks_with_images(data):
    K = pytest.importorskip("kornia.augmentation")
    X, y, mask = data
    affine = K.RandomAffine(30, (0.2, 0.2), resample="nearest", p=1.0)
    augment = K.AugmentationSequential(affine, K.RandomHorizontalFlip())
    generator = torch.Generator().manual_seed(0)
    marks = torch.from_numpy(mask[:, None]).float()
    x = (7 + 100 * marks).expand(-1, 3, -1, -1).contiguous()
    augmentation = Augmentation(augment, measure_inputs(X), CPU)
    moved, (moved_marks,), inside = augmentation.move_images(x, [marks], generator)
    expected = torch.where(inside, 7 + 100 * moved_marks, moved.new_zeros(()))
    torch.testing.assert_close(moved, expected.expand_as(moved), rtol=0, atol=1e-3)
    assert 0.05 < (~inside).float().mean() < 0.6
    assert augment[0]._params == {}  # a copy has drawn


@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0])
def test_what_kornia_fills_in_is_outside(fill, data):
    K = pytest.importorskip("kornia.augmentation")
    X = data[0][:, :1].astype(np.float32) / 255
    affine = K.RandomAffine(0, (0.5, 0.5), p=1.0, padding_mode="fill", fill_value=fill)
    augmentation = Augmentation(K.AugmentationSequential(affine), measure_inputs(X), CPU)
    everything = [torch.ones(N, 1, SIDE, SIDE)]
    x, (marks,), inside = augmentation.move_images(
        torch.from_numpy(X), everything, torch.Generator().manual_seed(0)
    )
    assert (~inside).any()
    assert (marks[~inside] == 0).all()
    assert (marks[inside] == 1).all()


def test_kornia_in_estimators_and_searches(data):
    K = pytest.importorskip("kornia.augmentation")
    X, y, mask = data
    augment = K.AugmentationSequential(
        K.RandomHorizontalFlip(), K.RandomAffine(10), K.ColorJiggle(0.1, 0.1, 0.1, 0.1)
    )
    first, second = (
        fitted(GradRegClassifier(Network), X, y, mask, augment=augment) for _ in range(2)
    )
    assert same_weights(first, second)
    none = np.full(mask.shape, NAN)
    plain = fitted(ERMClassifier(Network), X, y, augment=augment)
    assert same_weights(plain, fitted(GradRegClassifier(Network), X, y, none, augment=augment))
    assert same_weights(first, pickle.loads(pickle.dumps(first)))
    clf = SwapExClassifier(Network, max_epochs=1)
    GridSearchCV(clf, {"augment": [None, augment]}, cv=2).fit(X, y, mask=mask)
    # Values from 0 to 1 are what colours of kornia take: brightness is not cut at 1.
    assert first.history_[-1]["train_loss"] < 10


def test_what_kornia_must_not_do(data):
    K = pytest.importorskip("kornia.augmentation")
    X, y, mask = data
    sequential = K.AugmentationSequential
    for augment, kind, message in (
        (K.RandomHorizontalFlip(), TypeError, "augment must be a kornia.*AugmentationSequential"),
        (K.ImageSequential(K.RandomHorizontalFlip()), TypeError, "augment must be a kornia"),
        (sequential(K.RandomMixUpV2()), ValueError, "augment must leave each sample its label"),
        (
            sequential(K.RandomAffine(9, padding_mode="reflection")),
            *(ValueError, "augment must fill with a constant.*RandomAffine.*reflection"),
        ),
        (
            sequential(K.RandomCrop((SIDE, SIDE), padding=2, padding_mode="reflect")),
            *(ValueError, "augment must fill with a constant.*RandomCrop.*reflect"),
        ),
        (
            sequential(K.RandomFisheye(*[torch.tensor([-0.1, 0.1])] * 3, p=1.0)),
            ValueError,
            "kornia",
        ),
        (sequential(K.CenterCrop(4)), ValueError, "augment must return images of the shape"),
    ):
        with pytest.raises(kind, match=message):
            SwapExClassifier(Network, augment=augment).fit(X, y, mask=mask)
