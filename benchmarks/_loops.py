"""Every method as a torch loop by hand, the way one writes it for a single network.

Each entry of `LOOPS` trains a network with the passes that the estimator of the same name makes, on
batches of the same size.  Inputs are taken to be standardised and in `RANGE`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from _data import BATCH_SIZE, N_CLASSES, RANGE
from torch import nn
from torch.nn import functional

EPSILON, N_STEPS = 2.0, 5
_LAST_CONVOLUTION = 3


@dataclass(frozen=True)
class Loop:
    """A training loop.

    Attributes
    ----------
    step_loss : callable
        ``step_loss(model, X, y, a, index)``: the loss of the rows at `index`, where `a` is the
        irrelevance.
    epochs, batch_size : int
    tuned : bool
        As someone writes it who has tuned it: fused Adam, weights of convolutions laid out
        channels-last.
    """

    step_loss: Callable
    epochs: int
    batch_size: int = BATCH_SIZE
    tuned: bool = False

    def run(self, model, X, y, a):
        """Train the network in place."""
        model = self.arrange(model)
        optimizer = self.optimizer(model.parameters())
        for index in self.batches(X):
            optimizer.zero_grad()
            self.step_loss(model, X, y, a, index).backward()
            optimizer.step()

    def arrange(self, model):
        """Lay out the weights."""
        return model.to(memory_format=torch.channels_last) if self.tuned else model

    def optimizer(self, parameters):
        """Build Adam."""
        return torch.optim.Adam(parameters, lr=1e-3, fused=self.tuned or None)

    def batches(self, X):
        """Yield the shuffled rows of each step."""
        for _ in range(self.epochs):
            yield from torch.randperm(len(X), device=X.device).split(self.batch_size)


def erm(model, X, y, a, index):
    return functional.cross_entropy(model(X[index]), y[index])


# -- the label loss at moved rows ------------------------------------------------------------------


def with_moved_rows(move):
    """Add the label loss at moved rows: ``move(model, X, y, a, index)``."""

    def step_loss(model, X, y, a, index):
        moved = move(model, X, y, a, index)
        return erm(model, X, y, a, index) + functional.cross_entropy(model(moved), y[index])

    return step_loss


def swap(model, X, y, a, index):
    """Irrelevant features of other rows; where these are relevant there, their row's mean."""
    donors = torch.randint(len(X), index.shape, device=X.device)
    given, irrelevance = X[donors], a[donors]
    axes = tuple(range(1, X.ndim))
    mean = (irrelevance * given).sum(axes, keepdim=True) / irrelevance.sum(axes, keepdim=True)
    return X[index].lerp(mean.lerp(given, irrelevance), a[index])


def gaussian(model, X, y, a, index):
    x = X[index]
    return x + a[index] * torch.randn_like(x)


def refill(model, X, y, a, index):
    x = X[index]
    low, high = RANGE
    return x.lerp(low + torch.rand_like(x) * (high - low), a[index])


def box(x, a):
    """Where irrelevant features may move."""
    low, high = (x - EPSILON * a).clamp(min=RANGE[0]), (x + EPSILON * a).clamp(max=RANGE[1])
    return torch.where(a > 0, low, x), torch.where(a > 0, high, x)


def attack(model, X, y, a, index):
    """Projected gradient ascent of the label loss."""
    low, high = box(X[index], a[index])
    step = 2.5 / N_STEPS * (high - low) / 2
    moved = low + torch.rand_like(low) * (high - low)
    for _ in range(N_STEPS):
        moved = moved.detach().requires_grad_()
        loss = functional.cross_entropy(model(moved), y[index], reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = (moved + step * gradient.sign()).clamp(low, high)
    return moved.detach()


# -- gradients -------------------------------------------------------------------------------------


def input_gradient(logits, x):
    (gradient,) = torch.autograd.grad(logits.log_softmax(1).sum(), x, create_graph=True)
    return gradient


def gradient_size(gradient, a):
    return (a * gradient).square().flatten(1).sum(1).mean()


def grad_reg(model, X, y, a, index, alpha=1.0):
    x = X[index].requires_grad_()
    logits = model(x)
    penalty = gradient_size(input_gradient(logits, x), a[index])
    return functional.cross_entropy(logits, y[index]) + alpha * penalty


def attack_and_grad_reg(model, X, y, a, index, alpha=0.1):
    moved = attack(model, X, y, a, index).requires_grad_()
    logits = model(moved)
    penalty = gradient_size(input_gradient(logits, moved), a[index])
    at_moved = functional.cross_entropy(logits, y[index])
    return erm(model, X, y, a, index) + at_moved + alpha * penalty


def hint(model, X, y, a, index):
    x = X[index].requires_grad_()
    logits = model(x)
    distance = functional.mse_loss(input_gradient(logits, x), 1 - a[index])
    return functional.cross_entropy(logits, y[index]) + distance


def grad_cam(model, X, y, a, index):
    features = model[: _LAST_CONVOLUTION + 1](X[index])
    logits = model[_LAST_CONVOLUTION + 1 :](features)
    (gradient,) = torch.autograd.grad(logits.amax(1).sum(), features, create_graph=True)
    heat = (gradient.mean((2, 3), keepdim=True) * features).sum(1)
    low, high = heat.amin((1, 2), keepdim=True), heat.amax((1, 2), keepdim=True)
    heat = (heat - low) / (high - low + 1e-6)
    irrelevance = functional.interpolate(a[index], size=heat.shape[1:], mode="area")[:, 0]
    return functional.cross_entropy(logits, y[index]) + gradient_size(heat, irrelevance)


def influence(model, X, y, a, index):
    x = X[index].requires_grad_()
    logits = model(x)
    losses = functional.cross_entropy(logits, y[index], reduction="none")
    by_weights = torch.autograd.grad(losses.sum(), list(model.parameters()), create_graph=True)
    summed = sum(gradient.sum() for gradient in by_weights)
    (moved,) = torch.autograd.grad(summed, x, create_graph=True)
    return losses.mean() + gradient_size(moved * input_gradient(logits, x), a[index])


# -- propagation -----------------------------------------------------------------------------------


def affine(layer, x, weight, bias=None):
    """Run a linear layer or convolution with other weights."""
    if isinstance(layer, nn.Linear):
        return functional.linear(x, weight, bias)
    return functional.conv2d(x, weight, bias, padding=layer.padding)


def ibp(model, X, y, a, index):
    """Cross entropy at bounds on the differences to the true logit."""
    low, high = box(X[index], a[index])
    center, radius = (low + high) / 2, (high - low) / 2
    *layers, head = model
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            center, radius = layer(center), affine(layer, radius, layer.weight.abs())
        elif isinstance(layer, nn.Flatten):
            center, radius = layer(center), layer(radius)
        else:  # ReLU and max-pooling are monotone
            low, high = layer(center - radius), layer(center + radius)
            center, radius = (low + high) / 2, (high - low) / 2
    logits = head(center)
    differences = (head.weight - head.weight[y[index], None]).abs()
    bound = logits + torch.einsum("nkd,nd->nk", differences, radius)
    return erm(model, X, y, a, index) + functional.cross_entropy(bound, y[index])


def cdep(model, X, y, a, index):
    """Contextual decomposition into what irrelevant features contribute, and the rest."""
    x = X[index]
    part = a[index] * x
    rest = x - part
    for layer in model:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            part, rest = affine(layer, part, layer.weight), affine(layer, rest, layer.weight)
            bias = layer.bias if part.ndim == 2 else layer.bias[:, None, None]
            share = part.abs() / (part.abs() + rest.abs() + 1e-19)
            part, rest = part + bias * share, rest + bias * (1 - share)
        elif isinstance(layer, nn.Flatten):
            part, rest = layer(part), layer(rest)
        elif isinstance(layer, nn.MaxPool2d):
            part, rest = pool_where_largest(part, rest, layer)
        else:  # ReLU
            total = layer(part + rest)
            part = layer(part)
            rest = total - part
    return erm(model, X, y, a, index) + (part - rest).sigmoid().mean()


def pool_where_largest(part, rest, layer):
    _, winners = functional.max_pool2d(part + rest, layer.kernel_size, return_indices=True)
    places = winners.flatten(2)
    return [values.flatten(2).gather(2, places).view(winners.shape) for values in (part, rest)]


# -- loops of another form -------------------------------------------------------------------------


class GroupDROLoop(Loop):
    """Sagawa et al.'s online algorithm, the groups being the classes."""

    def run(self, model, X, y, a, step_size=0.01):
        """Train the network in place."""
        log_q = torch.full((N_CLASSES,), 1 / N_CLASSES, dtype=torch.float64, device=X.device).log()
        weight = len(y) / torch.bincount(y, minlength=N_CLASSES)

        def step_loss(model, X, y, a, index):
            losses = functional.cross_entropy(model(X[index]), y[index], reduction="none")
            sums = losses.new_zeros(N_CLASSES).index_add(0, y[index], losses)
            group_losses = sums / len(index) * weight
            log_q.copy_((log_q + step_size * group_losses.detach()).log_softmax(0))
            return (log_q.exp().float() * group_losses).sum()

        Loop(step_loss, self.epochs, self.batch_size, self.tuned).run(model, X, y, a)


class TwoStageLoop(Loop):
    """Tao & Shokri's Algorithm 1: all weights on the label, then the mapping on the reasons."""

    def run(self, model, X, y, a, mapping=None):
        """Train the network in place."""
        extractor, head = self.arrange(model)[:-1], model[-1]
        mapping = mapping or nn.Linear(head.in_features, head.in_features).to(X.device)
        first = self.optimizer([*model.parameters(), *mapping.parameters()])
        second = self.optimizer(mapping.parameters())
        for index in self.batches(X):
            x = X[index]
            first.zero_grad()
            functional.cross_entropy(head(mapping(extractor(x))), y[index]).backward()
            first.step()
            with torch.no_grad():
                target = extractor(x * (1 - a[index])).log_softmax(1)
                features = extractor(x)
            second.zero_grad()
            mapped = mapping(features).log_softmax(1)
            (target.exp() * (target - mapped)).sum(1).mean().backward()
            second.step()


#: Method: kind of loop and loss of a step.
LOOPS = {
    "ERM": (Loop, erm),
    "swap": (Loop, with_moved_rows(swap)),
    "Avg-Ex": (Loop, with_moved_rows(gaussian)),
    "counterexamples": (Loop, with_moved_rows(refill)),
    "Grad-Reg": (Loop, grad_reg),
    "PGD-Ex, 5 steps": (Loop, with_moved_rows(attack)),
    "PGD-Ex, 5 steps, + Grad-Reg": (Loop, attack_and_grad_reg),
    "IBP-Ex": (Loop, ibp),
    "CDEP": (Loop, cdep),
    "HINT, input gradient": (Loop, hint),
    "Grad-CAM": (Loop, grad_cam),
    "influence": (Loop, influence),
    "two-stage": (TwoStageLoop, None),
    "group DRO": (GroupDROLoop, None),
}


def make_loop(method, epochs, **how):
    """Return the loop by hand of a method."""
    kind, step_loss = LOOPS[method]
    return kind(step_loss, epochs, **how)
