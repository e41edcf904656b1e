"""How a network reads tokens: which embedding is given the ids, and what it is given besides."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

# Ids are float32 on the way to the network, which has no longer integers.
_MAX_IDS = 1 << 24


@dataclass(frozen=True)
class TokenSettings:
    """Whether X is to be read as tokens, and how.

    Attributes
    ----------
    embedding_layer : str or None, default=None
        Name of the embedding; None: it is found, where `search` says so.
    pad_id, mask_id : int or None, default=None
        Ids of padding and of the token that says nothing; None: the network says, or there is none.
    search : bool, default=False
        Whether X holds integers in two axes, which may be tokens.
    """

    embedding_layer: str | None = None
    pad_id: int | None = None
    mask_id: int | None = None
    search: bool = False


class TokenReader:
    """What stands before a network of tokens and behind its embedding.

    The network is given ids of shape (n_samples, tokens), as integers where it needs them, with an
    attention mask where it asks for one.  Given samples behind their embedding, of shape
    (n_samples, tokens, 1 + units), it is given their ids, and the embedding returns the rest.

    Parameters
    ----------
    pad_id : int or None
        The id of padding.
    as_integers : bool
        Whether the network needs integers.
    attends : bool
        Whether it takes an attention mask.
    """

    def __init__(self, pad_id: int | None, as_integers: bool, attends: bool) -> None:
        self.pad_id = pad_id
        self.as_integers = as_integers
        self.attends = attends
        self.embedded: Any = None

    def read(self, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict]:
        """Turn what the network is called with into what it reads."""
        x, *others = args
        if x.ndim == 3:
            # As a lookup lays it out, so that what follows is equal to the bit.
            self.embedded = x[..., 1:].contiguous()
            x = getattr(x, "middle", x)[..., 0].round()
        if self.as_integers:
            x = x.long()
        if self.attends:
            kwargs = {"attention_mask": (x != self.pad_id).long(), **kwargs}
        return (x, *others), kwargs

    def look_up(self, embedding: nn.Module, args: tuple, output: Any) -> Any:
        """Return the embeddings that were given, or None: those that were looked up."""
        given = self.embedded
        if given is not None and args[0].shape == given.shape[:-1]:
            self.embedded = None
            return given
        return None

    def forget(self, *unused: Any) -> None:
        """Drop what an error has left."""
        self.embedded = None


def adapt_tokens(module: nn.Module, x: torch.Tensor, settings: TokenSettings) -> TokenSettings:
    """Find the embedding that is given X, and let the network read samples from there, too.

    X is a token matrix where the network gives exactly X, all its entries and nothing else, to an
    embedding.  Where numbers of X also reach the outputs on another way, as those of a table of
    integers do, it is none.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode; changed in place where X is a token matrix.
    x : float32 Tensor of shape (n_samples, tokens)
        A few samples.
    settings : TokenSettings

    Returns
    -------
    TokenSettings
        With the name of the embedding, or None: X is no token matrix; and what is known of padding.

    Raises
    ------
    ValueError
        If `embedding_layer` is no embedding that is given X, or X holds ids that it does not have.
    """
    name = settings.embedding_layer
    layers = {n: layer for n, layer in module.named_modules() if isinstance(layer, nn.Embedding)}
    if name is None and not (settings.search and layers):
        return TokenSettings()
    if name is not None and name not in layers:
        raise ValueError(
            f"embedding_layer must name a torch.nn.Embedding, one of {list(layers)}; got {name!r}."
        )
    reading = _Reading(module, x, layers)
    as_integers = reading.failed
    if as_integers:
        reading = _Reading(module, x.long(), layers)
    found = next((n for n in reading.given_all if name in (None, n)), None)
    if found is None or (name is None and reading.reads_numbers):
        if name is not None:
            raise ValueError(
                f"embedding_layer must be given the ids of X as they are, shape "
                f"{tuple(x.shape)}; {name!r} is given something else."
            )
        return TokenSettings()
    embedding = layers[found]
    check_ids(x, embedding.num_embeddings)
    pad_id = _first(settings.pad_id, embedding.padding_idx, _of_config(module, "pad_token_id"))
    for parameter, number in {"pad_id": pad_id, "mask_id": settings.mask_id}.items():
        if number is not None and not 0 <= number < embedding.num_embeddings:
            raise ValueError(
                f"{parameter} must be an id of embedding_layer {found!r}, which has "
                f"{embedding.num_embeddings}; got {number}."
            )
    attends = pad_id is not None and is_text_model(module)
    reader = TokenReader(pad_id, as_integers, attends)
    module.register_forward_pre_hook(reader.read, with_kwargs=True)
    module.register_forward_hook(reader.forget, always_call=True)
    embedding.register_forward_hook(reader.look_up)
    return TokenSettings(found, pad_id, settings.mask_id)


def check_ids(X: Any, n_ids: int) -> None:
    """Check that X holds ids that an embedding has.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, tokens)
    n_ids : int
        How many it has.

    Raises
    ------
    ValueError
        If X holds others, or numbers that are not whole.
    """
    least, largest = X.min().item(), X.max().item()
    if least < 0 or largest >= n_ids or n_ids > _MAX_IDS:
        raise ValueError(
            f"X must hold ids of tokens from 0 to {min(n_ids, _MAX_IDS) - 1}, as the embedding of "
            f"the network has {n_ids}; got ids from {least:g} to {largest:g}."
        )
    if str(X.dtype).split(".")[-1].startswith(("float", "bfloat")) and not bool((X % 1 == 0).all()):
        raise ValueError("X must hold ids of tokens, which are whole numbers; got fractions.")


class _Reading:
    """What embeddings are given when the network runs a few samples, and what it does besides."""

    def __init__(self, module: nn.Module, x: torch.Tensor, layers: dict[str, Any]) -> None:
        self.given_all: list[str] = []
        self.failed = self.reads_numbers = False
        ids, numbers = x.long(), x.clone()
        if x.is_floating_point():
            numbers.requires_grad_()

        def note(name: str, _: Any, args: tuple) -> None:
            given = args[0] if args else None
            if isinstance(given, torch.Tensor) and torch.equal(given.long(), ids):
                self.given_all.append(name)

        handles = [
            layer.register_forward_pre_hook(partial(note, name)) for name, layer in layers.items()
        ]
        try:
            with torch.enable_grad():
                outputs = module(numbers.clone())  # which it may write into
            self.reads_numbers = _depends_on(outputs, numbers)
        except (RuntimeError, ValueError, TypeError, IndexError):
            self.failed = True
        finally:
            for handle in handles:
                handle.remove()


def _depends_on(outputs: Any, x: torch.Tensor) -> bool:
    """Return whether a gradient of the outputs reaches the numbers of X."""
    if not (isinstance(outputs, torch.Tensor) and outputs.requires_grad and x.requires_grad):
        return False
    return torch.autograd.grad(outputs.sum(), x, allow_unused=True)[0] is not None


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _of_config(module: nn.Module, name: str) -> int | None:
    """Return what the configuration of a network of transformers says, None without one."""
    value = getattr(getattr(module, "config", None), name, None)
    return value if isinstance(value, int) else None


def is_text_model(module: nn.Module) -> bool:
    """Return whether a forward is that of transformers: ``(input_ids, attention_mask, ...)``."""
    forward: Callable[..., Any] = module.forward
    names = list(inspect.signature(forward).parameters)
    return names[:1] == ["input_ids"] and "attention_mask" in names
