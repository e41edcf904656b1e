"""Settings that the paper leaves open, as a factorial design: levels, effects and gains."""

from itertools import product

import numpy as np

from skexplain.studies.tools import by_seed, estimate, group

#: Settings and their levels, the base first.
LEVELS = {
    "pixels": (1.0, 255.0),  # value of a white one
    "drawing": ("filled", "outline"),
    "stopping": ("last epoch", "early"),
    "lr": (0.001, 0.01, 0.1),
    "batch_size": (64, 10),
    "mapping_init": ("default", "identity"),
    "mapping_lr": (0.001, 0.01, 0.1),
}
BASE = {name: levels[0] for name, levels in LEVELS.items()}
#: Learning rate of label-only in the paper.
PAPER_LR = 0.01
# All combinations of these; the others one at a time.
_CROSSED = ("pixels", "drawing", "stopping", "lr")

#: Methods with what their masks are.
LABEL_ONLY, TWO_STAGE, OFF = ("label-only", "-"), ("two-stage", "given"), ("two-stage", "off")

# Settings that a method knows nothing of: there its fit at the base stands for all levels.
_IDLE = {
    LABEL_ONLY: ("mapping_init", "mapping_lr"),
    OFF: ("mapping_lr",),
    ("two-stage", "shuffled"): tuple(LEVELS),  # run at the base alone
}

#: Columns of tables: a method, or what it gains over another in the same setting.
OUTCOMES = {
    "label-only": (LABEL_ONLY, None),
    "two-stage": (TWO_STAGE, None),
    "off": (OFF, None),
    "two-stage over label-only": (TWO_STAGE, LABEL_ONLY),
    "two-stage over off": (TWO_STAGE, OFF),
}


def all_settings():
    """List the settings of the design."""
    levels = product(*(LEVELS[name] for name in _CROSSED))
    crossed = [{**BASE, **dict(zip(_CROSSED, chosen, strict=True))} for chosen in levels]
    single = [name for name in LEVELS if name not in _CROSSED]
    return crossed + [{**BASE, name: level} for name in single for level in LEVELS[name][1:]]


def has_rates_of_paper(factors):
    """Return whether a cell has learning rates that the paper's comparison has.

    Parameters
    ----------
    factors : dict
        With method and the settings.
    """
    rates = (BASE["lr"], PAPER_LR)
    allowed = rates if factors["method"] == LABEL_ONLY[0] else rates[:1]
    return factors["lr"] in allowed and factors["mapping_lr"] in rates


def is_needed(factors):
    """Tell whether a cell says what no other does.

    Parameters
    ----------
    factors : dict
        With method, masks and the settings.
    """
    idle = _IDLE.get((factors["method"], factors["masks"]), ())
    return all(factors[name] == BASE[name] for name in idle)


def tell(setting):
    """Name a setting by where it is not the base."""
    return _words({n: level for n, level in setting.items() if level != BASE[n]}) or "base"


def tell_base():
    """Name the levels of the base."""
    return _words(BASE)


def _words(levels):
    return ", ".join(f"{name.replace('_', ' ')} {level}" for name, level in levels.items())


class Accuracies:
    """Accuracies of a design on one test set, by method, setting and seed.

    Parameters
    ----------
    rows : list of dict
        With method, masks, seed, accuracy and the settings.
    """

    def __init__(self, rows):
        self._cells = {
            ((method, masks), tuple(levels)): by_seed(own, "accuracy")
            for (method, masks, *levels), own in group(rows, ["method", "masks", *LEVELS]).items()
        }

    @property
    def settings(self):
        """Those in which two-stage was run."""
        of_two_stage = [levels for arm, levels in self._cells if arm == TWO_STAGE]
        return [dict(zip(LEVELS, levels, strict=True)) for levels in of_two_stage]

    def find(self, arm, setting):
        """Return accuracies by seed; empty if there are none."""
        levels = {**setting, **{name: BASE[name] for name in _IDLE.get(arm, ())}}
        return self._cells.get((arm, tuple(levels.values())), {})

    def outcome(self, name, setting):
        """Return accuracies or differences by seed of one of `OUTCOMES`."""
        arm, reference = OUTCOMES[name]
        values = self.find(arm, setting)
        return values if reference is None else _subtract(values, self.find(reference, setting))

    def gain_over_paper(self, setting):
        """Return what two-stage gains, by seed, over label-only of the paper's learning rate."""
        label_only = self.find(LABEL_ONLY, {**setting, "lr": PAPER_LR})
        return _subtract(self.find(TWO_STAGE, setting), label_only)

    def effect(self, outcome, name, level):
        """Estimate what a level changes in place of the base.

        Parameters
        ----------
        outcome : str
            One of `OUTCOMES`.
        name : str
            One of `LEVELS`.
        level : float or str

        Returns
        -------
        Estimate
            Over seeds, of the mean over all pairs of settings that differ in this one alone; at the
            base's learning rate, unless that is what differs.
        """
        changes = {}
        for setting in self.settings:
            if setting[name] == level and (name == "lr" or setting["lr"] == BASE["lr"]):
                there = self.outcome(outcome, setting)
                at_base = self.outcome(outcome, {**setting, name: BASE[name]})
                for seed, change in _subtract(there, at_base).items():
                    changes.setdefault(seed, []).append(change)
        return estimate(map(np.mean, changes.values()))


def _subtract(values, others):
    return {seed: values[seed] - others[seed] for seed in values if seed in others}
