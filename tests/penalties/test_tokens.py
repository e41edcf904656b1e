"""Penalties on tokens: what they are at the output of the embedding, against sums by hand."""

import numpy as np
import pytest
import torch
from _texts import MASK, N_IDS, PAD, make_case
from hypothesis import given, settings
from hypothesis import strategies as st

from skexplain.penalties import (
    AverageCasePenalty,
    CertifiedPenalty,
    DecompositionPenalty,
    HINTPenalty,
    InfluencePenalty,
    InputGradientPenalty,
    MaskedFeaturePenalty,
    Rows,
    WorstCasePenalty,
)
from skexplain.penalties._tokens import Tokens, at_embedding
from skexplain.propagation import decompose, propagate_interval


def hard(rows):
    return Rows(**{**vars(rows), "irrelevance": (rows.irrelevance > 0).double()})


def spread_of(module):
    weight = np.delete(module.embedding.weight.detach().numpy(), PAD, axis=0)
    return np.sqrt(weight.var(axis=0).mean())


def run_from(module, ids, embedded):
    """Run the network by hand from the output of its embedding."""
    real = (ids != PAD).unsqueeze(-1)
    h = torch.tanh(module.mix(embedded)) * real
    return module.head(h.sum(1) / real.sum(1))


def gradient_by_hand(module, rows):
    embedded = module.embedding(rows.x.long()).detach().requires_grad_()
    score = run_from(module, rows.x, embedded).log_softmax(1).sum()
    return torch.autograd.grad(score, embedded)[0]


seeds = given(st.integers(0, 200))
few = settings(max_examples=10)


@few
@seeds
def test_samples_behind_their_embedding_run_as_their_ids(seed):
    module, rows = make_case(seed)
    embedded = at_embedding(rows)
    assert torch.equal(module(embedded.x), module(rows.x))
    moved = embedded.x.clone()
    moved[..., 1:] += torch.randn_like(moved[..., 1:])
    assert torch.equal(module(moved), run_from(module, rows.x, moved[..., 1:].contiguous()))
    assert torch.equal(module(rows.x), module(rows.x.long()))  # nothing is left behind


@few
@seeds
def test_the_gradient_is_that_at_the_embedding_in_its_spread(seed):
    module, rows = make_case(seed)
    gradient = spread_of(module) * gradient_by_hand(module, rows).numpy()
    expected = ((rows.irrelevance.numpy()[..., None] * gradient) ** 2).sum((1, 2))
    value = InputGradientPenalty(norm="l2")(module, rows)
    np.testing.assert_allclose(value.detach(), expected, rtol=1e-9)
    as_is = Rows(**{**vars(rows), "tokens": Tokens(module.embedding, PAD, MASK, in_spreads=False)})
    plain = InputGradientPenalty(norm="l2")(module, as_is)
    np.testing.assert_allclose(plain.detach() * spread_of(module) ** 2, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "penalty",
    [
        InputGradientPenalty(norm="l2"),
        AverageCasePenalty("gaussian"),
        WorstCasePenalty(random_start=False, clip=None),
        HINTPenalty("input_gradient"),
        CertifiedPenalty(epsilon=0.1, clip=None),
        DecompositionPenalty(measure="l1"),
    ],
    ids=lambda penalty: type(penalty).__name__,
)
def test_a_penalty_trains_the_embedding_too(penalty):
    module, rows = make_case(3)
    spread = torch.tensor(spread_of(module))
    # The spread and the draws are constants of a step.
    rows.tokens._measured[module.embedding.weight._version] = rows.tokens.units()

    def value():
        return penalty(module, rows, None, torch.Generator().manual_seed(0)).sum()

    gradient = torch.autograd.grad(value(), module.embedding.weight)[0]
    place = (int(rows.x[0, 1]), 2)
    assert gradient[place] != 0
    weight, measured = module.embedding.weight, rows.tokens.units()
    sides = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            weight[place] += step
        rows.tokens._measured.clear()
        rows.tokens._measured[weight._version] = measured
        sides.append(value().item())
        with torch.no_grad():
            weight[place] -= step
    assert spread > 0
    slope = (sides[0] - sides[1]) / 2e-6
    assert gradient[place].item() == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_noise_meets_marked_tokens_alone_in_units_of_the_spread():
    module, rows = make_case(0, n=400)
    rows = hard(rows)
    moved = (
        AverageCasePenalty("gaussian", epsilon=0.5)(module, rows),
        AverageCasePenalty("gaussian", epsilon=0.5).move(
            module, rows, None, torch.Generator().manual_seed(0)
        ),
    )
    step = (moved[1] - at_embedding(rows).x).detach()
    assert torch.equal(moved[1][..., 0], rows.x)
    assert not step[rows.irrelevance == 0].any()
    of_marked = step[rows.irrelevance == 1][:, 1:]
    assert of_marked.std().item() == pytest.approx(0.5 * spread_of(module), rel=0.03)


@few
@seeds
def test_ascent_stays_in_the_box_and_leaves_the_rest(seed):
    module, rows = make_case(seed)
    moved = WorstCasePenalty(epsilon=1.5, clip=None).move(module, rows).detach()
    step = (moved - at_embedding(rows).x).detach()
    radius = 1.5 * spread_of(module) * rows.irrelevance[..., None]
    assert (step.abs() <= radius + 1e-12).all()
    assert torch.equal(moved[..., 0], rows.x)
    assert not step[rows.irrelevance == 0].any()
    assert (rows.label_loss(module(moved), rows.y) >= rows.label_loss(module(rows.x), rows.y)).all()


@few
@seeds
def test_an_infinite_box_bounds_every_token_of_the_vocabulary(seed):
    module, rows = make_case(seed, share=0.3)
    rows = hard(rows)
    bound = CertifiedPenalty(epsilon=np.inf, exchange=False)(module, rows).detach()
    for _ in range(30):
        drawn = torch.randint(1, N_IDS, rows.x.shape).double()
        x = torch.where(rows.irrelevance == 1, drawn, rows.x)
        assert (rows.label_loss(module(x), rows.y) <= bound + 1e-9).all()
    box = at_embedding(rows).x.detach()
    exact = propagate_interval(module, box, torch.zeros_like(box))
    torch.testing.assert_close(exact.center, module(rows.x))


@few
@seeds
def test_contributions_add_up_to_the_logits(seed):
    module, rows = make_case(seed)
    embedded = at_embedding(rows)
    part = embedded.irrelevance * embedded.x
    logits = decompose(module, part, embedded.x - part)
    torch.testing.assert_close(logits.total, module(rows.x))
    value = DecompositionPenalty(measure="l1")(module, rows)
    torch.testing.assert_close(value, logits.part.abs().mean(1))


@few
@seeds
def test_hint_matches_the_length_of_the_gradient_at_each_real_token(seed):
    module, rows = make_case(seed)
    length = spread_of(module) * np.linalg.norm(gradient_by_hand(module, rows).numpy(), axis=2)
    real = (rows.x != PAD).numpy()
    error = (length - (1 - rows.irrelevance.numpy())) ** 2
    expected = np.where(real, error, 0).sum(1) / real.sum(1)
    value = HINTPenalty("input_gradient")(module, rows)
    np.testing.assert_allclose(value.detach(), expected, rtol=1e-9)


def test_influence_is_a_product_of_two_gradients_at_the_embedding():
    module, rows = make_case(1)
    parameters = [module.embedding.weight, *module.mix.parameters(), *module.head.parameters()]
    embedded = module.embedding(rows.x.long())
    loss = rows.label_loss(run_from(module, rows.x, embedded), rows.y).sum()
    first = sum(g.sum() for g in torch.autograd.grad(loss, parameters, create_graph=True))
    influence = torch.autograd.grad(first, embedded, retain_graph=True)[0]
    product = spread_of(module) ** 2 * influence * gradient_by_hand(module, rows)
    expected = (rows.irrelevance[..., None] * product).square().sum((1, 2))
    torch.testing.assert_close(InfluencePenalty()(module, rows), expected)


def test_blanks_and_refills_put_whole_tokens():
    module, rows = make_case(2, n=200)
    rows = hard(rows)
    marked = rows.irrelevance == 1
    blank = AverageCasePenalty("blank").move(module, rows)
    assert torch.equal(blank, torch.where(marked, MASK, rows.x.long()).double())
    assert torch.equal(MaskedFeaturePenalty().mask_rows(rows), blank)
    for name in ("refill", "constant"):
        moved = AverageCasePenalty(name).move(module, rows)
        assert torch.equal(moved[~marked], rows.x[~marked])
        assert set(moved[marked].tolist()) == set(range(1, N_IDS))  # any but padding
        if name == "constant":
            assert all(len(set(row[m].tolist())) <= 1 for row, m in zip(moved, marked, strict=True))
