"""Energy loss: the share of the attribution that lies outside of what is marked as relevant."""

import torch
from torch import Tensor

from ._base import Point, Rows
from ._grad_cam import GradCAMPenalty, _map_at, _shrink, heat_map


class EnergyPenalty(GradCAMPenalty):
    r"""Share of the positive Grad-CAM map that lies outside the relevant places (energy loss).

    Use it for images with boxes around the objects (``mask_marks="relevant"``), also coarse ones
    and few of them: it asks that the attribution lies in the box, and not that all of the box is
    used, as `HINTPenalty` does.  With :math:`\tilde a` the irrelevance, averaged over the area of
    each position of the map, the value of a sample is

    .. math:: \frac{\sum_p \tilde a_p m^+_p}{\sum_p m^+_p}
        = 1 - \frac{\sum_p (1 - \tilde a_p) m^+_p}{\sum_p m^+_p}

    one less the energy of the pointing game (Rao et al. 2023 [1]_), with :math:`m^+` the positive
    part of the Grad-CAM map of the true class.  It is 0 where nothing is positive.

    Parameters
    ----------
    layer : str or None, default=None
        Layer whose output is looked at, as in ``named_modules``, of shape (n_samples, channels,
        ...) with one to three spatial axes, or tokens, as in `GradCAMPenalty`; None: the
        convolution that runs last.
    channel_axis : int, default=1
        Axis of the layer's output that holds the channels: -1 for a layer of tokens of text, as in
        `GradCAMPenalty`.

    Notes
    -----
    Unknown places count in neither sum.

    References
    ----------
    .. [1] S. Rao, M. Böhle, A. Parchami-Araghi, B. Schiele (2023). Studying How to Efficiently and
       Effectively Guide Models with Explanations. ICCV.

    Examples
    --------
    >>> from skexplain import ExplanationClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.penalties import EnergyPenalty
    >>> digits = make_decoy_digits("half", flatten=False, random_state=0)
    >>> clf = ExplanationClassifier(
    ...     penalties=[("energy", EnergyPenalty())], max_epochs=3, random_state=0
    ... )
    >>> clf = clf.fit(digits.data, digits.target, mask=digits.mask)
    >>> clf.history_[-1, "train_energy"] < clf.history_[0, "train_energy"]
    True
    """

    is_share = True

    def at_point(self, point: Point, rows: Rows) -> Tensor:
        """Compute the share at a point with the output of the layer, shape (n_samples,)."""
        score = point.logits.gather(1, rows.y[:, None])
        activations = _map_at(point, self.layer, rows.x, self.channel_axis)
        heat = torch.relu(heat_map(score, activations, rows.x, self.channel_axis))
        outside = _shrink(rows.irrelevance, rows.x, heat.shape[1:]) * heat
        if rows.known is not None:
            heat = _shrink(rows.known.to(heat.dtype), rows.x, heat.shape[1:]) * heat
        # In units of its largest value, so that neither sum vanishes.
        unit = heat.detach().flatten(1).amax(1).clamp_min(torch.finfo(heat.dtype).tiny)
        outside, total = ((part.flatten(1) / unit[:, None]).sum(1) for part in (outside, heat))
        return torch.where(total > 0, outside / total.clamp_min(1e-6), 0.0)
