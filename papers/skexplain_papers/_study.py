"""Templates of the studies: with published figures, and networks by name."""

from skexplain import studies

from ._published import published_figures
from ._trial import with_objects


class _Published:
    """What the studies of the papers have in common."""

    @property
    def published(self):
        """The published figures that belong to the study."""
        return [figure for figure in published_figures() if figure.study == self.name]


class Study(_Published, studies.Study):
    """Template of a study."""


class TrialStudy(_Published, studies.TrialStudy):
    """Template of a study of methods that are held against their controls.

    Attributes
    ----------
    n_seeds_of_controls : int or None
        Seeds of masks that serve as controls, where these are fewer; None: as many.
    """

    n_seeds_of_controls = None

    def cells(self, scale):
        """List the cells; masks that serve as controls may have fewer repetitions."""
        n_seeds = self.n_seeds_of_controls
        return [
            cell
            for cell in super().cells(scale)
            if n_seeds is None
            or cell.factors["seed"] < n_seeds
            or cell.factors["masks"] not in ("shuffled", "everywhere")
        ]

    def run(self, factors, settings):
        """Fit and score."""
        return super().run(factors, with_objects(settings))
