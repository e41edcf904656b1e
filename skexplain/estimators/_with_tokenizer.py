"""An estimator on texts: they are tokenised inside fit, and marked words become masks of tokens."""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metadata_routing import (
    _routing_enabled,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from .._checks import as_array
from ..masks._labels import row_labels
from ..masks._spans._tokens import stack_tokens
from ..metrics._groups import row_labels as of_rows
from ._delegation import estimator_has
from ._fit_routing import FitRoutingMixin
from ._network_for_tokens import with_network
from ._parameters import COUNT
from ._token_rows import (
    read_mask,
    spread_marks,
    stack_ids,
    token_rows,
    warn_of_cuts,
    warn_of_marked_words,
    with_room,
)
from ._tokenizers import (
    check_texts,
    encode,
    learns_words,
    longest,
    make_tokenizer,
    of_texts,
    special_ids,
)
from ._validation import check_weights

if TYPE_CHECKING:
    from typing_extensions import Self


class WithTokenizer(FitRoutingMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit an estimator on the tokens of texts, with a mask of the words that people marked.

    X is a sequence of texts, and the mask says which of their characters or phrases must not
    matter, or are the reason.  Texts are tokenised inside `fit`, so that a vocabulary is learnt
    from the training texts alone in a search or a cross-validation.

    A token is marked if at least one of its characters is.  Padding, and tokens that stand for no
    characters, such as those that a tokenizer puts at the ends of a text, are unknown: nothing is
    learnt from them, whatever `mask_marks` says.

    Parameters
    ----------
    estimator : classifier or regressor of this package
        What is trained on the ids of tokens, or what is around one, such as a search.  With
        ``module="auto"`` its network embeds words and pools them; a classifier of transformers, or
        a network of one's own that begins with an embedding, is passed as ``module``.
    tokenizer : "words", WordTokenizer, tokenizer of Hugging Face or callable, default="words"
        What makes tokens of a text.  "words": ``WordTokenizer()``, which learns its vocabulary; its
        parameters are reached through ``WordTokenizer``.  Tokenizers of Hugging Face must be fast
        ones.  A callable is the `split` of a `WordTokenizer`.
    max_length : int or None, default=256
        Largest number of tokens of a text; more are cut, with a warning.  None: as many as the
        longest training text has.  A tokenizer of Hugging Face may have a lower limit.
    spread : bool or None, default=None
        Whether texts without annotation are marked as the annotated ones show: a token is marked if
        it is marked in more than half of the places where annotated texts have it, and unknown if
        they never have it.  For words that never count, marked in a few texts; not for words that
        count in one place and not in another.  None: they are not, with a warning where many of
        them have such a word, and so go on to reward it.

    Attributes
    ----------
    estimator_ : estimator
        The trained estimator; its inputs are token ids of shape (n_samples, `n_tokens_`).
    tokenizer_ : WordTokenizer or tokenizer of Hugging Face
        What makes tokens.
    n_tokens_ : int
        Number of tokens to which texts are cut or padded: as many as the longest training text has,
        rounded up to a multiple of 8, within `max_length`.
    classes_ : ndarray of shape (n_classes,)
        Class labels, for a classifier.
    best_estimator_ : WithTokenizer
        Where `estimator` is a search, the same around what it found: an estimator on texts, which
        `save` takes.

    See Also
    --------
    skexplain.masks.read_spans : Reads what people marked in texts.
    WordTokenizer : Words with a vocabulary of their own.

    Examples
    --------
    The word "portable" predicts the label in training, and must not matter:

    >>> from skexplain import SwapExClassifier, WithTokenizer
    >>> texts = ["portable film, opacity seen on the left", "film, lungs seen clear on the left"]
    >>> y = ["ill", "well"]
    >>> clf = WithTokenizer(SwapExClassifier(max_epochs=50, lr=0.02, random_state=0))
    >>> clf = clf.fit(texts * 20, y * 20, mask=[["portable"]])
    >>> clf.predict(["portable film, lungs clear", "film, opacity"]).tolist()
    ['well', 'ill']
    """

    # Masks are handed on by Pipeline, GridSearchCV and the like without further calls.
    __metadata_request__fit = {"mask": True}

    _parameter_constraints: dict = {
        "estimator": "no_validation",
        "tokenizer": "no_validation",
        "max_length": [COUNT, None],
        "spread": ["boolean", None],
    }

    def __init__(
        self,
        estimator: Any,
        tokenizer: Any = "words",
        max_length: int | None = 256,
        spread: bool | None = None,
    ) -> None:
        self.estimator = estimator
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.spread = spread

    def __sklearn_tags__(self) -> Any:
        """Be to scikit-learn what the estimator is, on texts."""
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        for name in ("estimator_type", "target_tags", "classifier_tags", "regressor_tags"):
            setattr(tags, name, getattr(inner, name))
        tags.non_deterministic = inner.non_deterministic
        return of_texts(tags)

    def set_params(self, **params: Any) -> "Self":
        """Set parameters, also those of a `WordTokenizer` or of the estimator inside.

        Parameters
        ----------
        **params
            ``max_length=64``, ``tokenizer__max_words=5_000``, ``estimator__lr=0.01``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        tokenizer = params.get("tokenizer", self.tokenizer)
        inside = [name for name in params if name.startswith("tokenizer__")]
        if inside and not hasattr(tokenizer, "set_params"):
            raise ValueError(
                f"tokenizer must be a WordTokenizer, as tokenizer=WordTokenizer(), where "
                f"{inside[0]} is set; got {tokenizer!r}."
            )
        return super().set_params(**params)

    def __sklearn_is_fitted__(self) -> Any:
        """Return whether there is a trained estimator."""
        return hasattr(self, "estimator_")

    def fit(
        self, X: Any, y: Any, *, mask: Any = None, sample_weight: Any = None, **fit_params: Any
    ) -> "Self":
        """Tokenise the texts, and train on labels and masks.

        Parameters
        ----------
        X : sequence of str of length n, or a column of them
            Texts.
        y : array-like of shape (n,)
            Class labels or target values.
        mask : sequence of length n or 1, compiled regular expression or None, default=None
            What must not matter (or, with ``mask_marks="relevant"`` of the estimator, what is the
            reason): for each text a list, or None where it is not annotated; or one list for all
            texts, such as ``[["portable"]]``.  Its entries are spans (start, end) in characters,
            with a third entry in [0, 1] as their degree if there is one; phrases, which mark all
            their occurrences as whole words in any case; or compiled regular expressions.
        sample_weight : array-like of shape (n,) or None, default=None
            Non-negative weights.
        **fit_params
            Passed on to the estimator's `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X does not hold texts, a span lies outside of its text, a phrase that is given for
            one text is not in it, or a pretrained network of transformers would be given the ids of
            words learnt from the texts; or for what the estimator's `fit` says.

        Warns
        -----
        UserWarning
            If tokens were cut, if what the mask has for all texts is in none, or if texts without
            annotation have words that the annotated ones mark (see `spread`).
        """
        self._validate_params()
        if isinstance(self.max_length, bool):
            raise ValueError(f"max_length must be an int or None, got {self.max_length!r}.")
        labels = row_labels(X)
        texts = check_texts(X)
        _check_targets(y)
        check_consistent_length(texts, y)
        spans = read_mask(mask, texts, labels)
        weight, part = check_weights(sample_weight, texts)
        if spans is not None:  # a text of weight zero is as good as none
            weighs = np.isin(np.arange(len(texts)), part)
            spans = [span if own else None for span, own in zip(spans, weighs, strict=True)]
        tokenizer = make_tokenizer(self.tokenizer, [texts[n] for n in part])
        limits = [n for n in (self.max_length, longest(tokenizer)) if n is not None]
        limit = min(limits, default=None)
        whole, kept = encode(tokenizer, texts, limit)
        n_tokens = with_room(max(len(kept[n].ids) for n in part), limit)
        warn_of_cuts(whole, kept, spans, stacklevel=3)
        if len(part) < len(texts):
            _, kept = encode(tokenizer, texts, n_tokens)
        special = special_ids(tokenizer)
        own_words = learns_words(self.tokenizer)
        estimator = with_network(clone(self.estimator), special, own_words, y, part, weight)
        mask = None if spans is None else token_rows(spans, kept)
        if mask is not None and self.spread is not False:
            spread = spread_marks(mask, kept, special.n_ids)
            if not self.spread and _marks_irrelevant(estimator):
                given, marked = ([rows[n] for n in part] for rows in (mask, spread))
                warn_of_marked_words(given, marked, stacklevel=3)
            mask = spread if self.spread else mask
        given = {
            "mask": None if mask is None else stack_tokens(mask, n_tokens),
            "sample_weight": sample_weight,
            **fit_params,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if _routing_enabled():
            given = process_routing(self, "fit", **given).estimator.fit
        estimator.fit(stack_ids(kept, n_tokens, special.pad), y, **given)
        # Only now: nothing learnt earlier is lost to a bad argument.
        self.estimator_, self.n_tokens_ = estimator, n_tokens
        self.words_ = tokenizer if own_words else None
        return self

    @property
    def tokenizer_(self) -> Any:
        """What makes tokens: words with their vocabulary, or the tokenizer that was given."""
        check_is_fitted(self)
        return self.tokenizer if self.words_ is None else self.words_

    @property
    def best_estimator_(self) -> "WithTokenizer":
        """What a search inside found, on texts: it is not trained again."""
        if not hasattr(getattr(self, "estimator_", None), "best_estimator_"):
            raise AttributeError("best_estimator_ is there after a fit of a search with a refit.")
        found, best = copy.copy(self), clone(self.estimator_.best_params_, safe=False)
        found.estimator_ = self.estimator_.best_estimator_
        found.estimator = clone(self.estimator.estimator).set_params(**best)
        return found

    @property
    def mask_marks(self) -> Any:
        """What a mask value of 1 says, as the estimator has it; scorers that take masks ask."""
        return self.estimator.mask_marks

    @property
    def classes_(self) -> Any:
        """Class labels."""
        return self.estimator_.classes_

    def tokenize(self, X: Any, mask: Any = None) -> Any:
        """Return the tokens of texts as the trained estimator is given them.

        Parameters
        ----------
        X : sequence of str of length n, or a column of them
            Texts.
        mask : sequence of length n or 1, compiled regular expression or None, default=None
            As in `fit`.

        Returns
        -------
        Bunch
            - ``ids``: ndarray of int64 of shape (n, `n_tokens_`), the inputs of ``estimator_``.
            - ``mask``: ndarray of shape (n, `n_tokens_`), or None without a `mask`.
            - ``tokens``: list, for each text its tokens as they stand in it, those that are kept.
            - ``texts``: list of str, the texts.
            - ``offsets``: list, for each text an ndarray of shape (n_kept, 2), (start, end) of its
              tokens in characters.

        Raises
        ------
        ValueError
            If X or `mask` is not as described.
        """
        check_is_fitted(self)
        texts = check_texts(X)
        spans = read_mask(mask, texts, row_labels(X))
        _, kept = encode(self.tokenizer_, texts, self.n_tokens_)
        return Bunch(
            ids=stack_ids(kept, self.n_tokens_, special_ids(self.tokenizer_).pad),
            mask=None if spans is None else stack_tokens(token_rows(spans, kept), self.n_tokens_),
            tokens=[
                [text[start:end] for start, end in encoded.offsets]
                for text, encoded in zip(texts, kept, strict=True)
            ],
            texts=texts,
            offsets=[encoded.offsets for encoded in kept],
        )

    def _ids(self, X: Any) -> Any:
        """Return the token ids of texts to predict."""
        check_is_fitted(self)
        whole, kept = encode(self.tokenizer_, check_texts(X), self.n_tokens_)
        warn_of_cuts(whole, kept, None, stacklevel=4)
        return stack_ids(kept, self.n_tokens_, special_ids(self.tokenizer_).pad)

    @available_if(estimator_has("predict"))
    def predict(self, X: Any) -> NDArray[Any]:
        """Predict with the trained estimator.

        Parameters
        ----------
        X : sequence of str of length n, or a column of them
            Texts; no mask is needed.

        Returns
        -------
        ndarray of shape (n,)
        """
        ids = self._ids(X)
        return self.estimator_.predict(ids)

    @available_if(estimator_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict class probabilities with the trained estimator.

        Parameters
        ----------
        X : sequence of str of length n, or a column of them
            Texts; no mask is needed.

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of ``classes_``.
        """
        ids = self._ids(X)
        return self.estimator_.predict_proba(ids)

    @available_if(estimator_has("score"))
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the score of the trained estimator.

        Parameters
        ----------
        X : sequence of str of length n, or a column of them
            Texts; no mask is needed.
        y : array-like of shape (n,)
            Class labels or target values.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights.

        Returns
        -------
        float
            Accuracy of a classifier, coefficient of determination of a regressor.
        """
        ids = self._ids(X)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.estimator_.score(ids, y, **weights)


def _check_targets(y: Any) -> None:
    """Check that there is a target per text; the estimator checks what it is."""
    if y is None:
        raise ValueError("y must hold a class or a target for each text; got None.")
    of_rows(column_or_1d(as_array("y", y)), "y")


def _marks_irrelevant(estimator: Any) -> bool:
    """Whether marks say what must not matter, of an estimator or what is around one."""
    params = estimator.get_params(deep=True)
    return not any(
        name.rpartition("__")[2] == "mask_marks" and params[name] == "relevant" for name in params
    )
