"""The verdict of an audit, and the sentence that gives the reason."""

from sklearn.utils import Bunch

from ._audit_tasks import Words

# What counts as leaning: a loss of accuracy or R2, or a share of predictions that change (or how
# many standard deviations they move), that is beyond doubt larger than this.
TOLERATED_LOSS, TOLERATED_FLIPS = 0.05, 0.10
_ORDER = ("leans", "unclear", "does not lean")
# What was done to the samples, as a sentence begins.
_DONE = {
    "swap": "Given the marked part of another sample",
    "swap_among_all": "Given the marked part of another sample, or deprived of its own",
    "erasure": "With what is marked erased",
}


def decide(
    measures: dict[str, Bunch], predictive: bool, words: Words, *, erasure_counts: bool
) -> tuple[str, str, str]:
    """Find the verdict, the measure that decided, and the reason.

    Parameters
    ----------
    measures : dict of str to Bunch
        What was measured, by name: "swap", "swap_among_all", "erasure"; the first is there.
    predictive : bool
        Whether the marked part alone predicts the label in these data.
    words : Words
        Those of the task.
    erasure_counts : bool
        Whether erasure is needed: where the swap cannot give a shortcut to the other classes.

    Returns
    -------
    verdict, decided_by, reason : str
    """
    answers = {}
    if "erasure" in measures and erasure_counts:
        answers["erasure"] = _judge_erasure(measures["erasure"], words)
    # Among all samples are those with a mask, where marked parts can come and go between classes.
    wide = "swap_among_all"
    name = wide if wide in measures and measures[wide].crossing >= 0.5 else "swap"
    answers[name] = _judge_swap(_DONE[name], measures[name], predictive, words)
    verdict = next(each for each in _ORDER if each in {answer for answer, _ in answers.values()})
    # Among those that say so the one that loses most.
    said = [name for name, (answer, _) in answers.items() if answer == verdict]
    decided_by = max(said, key=lambda name: (measures[name].lost, measures[name].flips))
    return verdict, decided_by, answers[decided_by][1]


def _judge_swap(done: str, m: Bunch, predictive: bool, words: Words) -> tuple[str, str]:
    low, high = m.lost_interval
    pull = "toward" if predictive else "toward_predicted"
    # Where accuracy cannot decide, predictions have to follow the other sample beyond doubt.
    led = m[f"{pull}_interval"][0] > (0 if predictive else TOLERATED_FLIPS)
    misled = m[f"{pull}_interval"][1] > 0
    leads = (
        f"the {words.target} of that sample" if predictive else "what it predicts for that sample"
    )
    follow = words.follow.format(_percent(m[pull]), leads)
    change, fall = _describe(m, words)
    if predictive and low > TOLERATED_LOSS and led:
        return "leans", f"{done}, {fall}, {change}, and {follow}."
    if not predictive and m.flips_interval[0] > TOLERATED_FLIPS and led:
        return "leans", (
            f"{done}, {change}, and {follow}. In these data the marked part does not predict the "
            f"{words.target}, so that {words.score} cannot show it ({fall})."
        )
    disturbs = low > TOLERATED_LOSS or m.flips_interval[0] > TOLERATED_FLIPS
    if predictive and low <= TOLERATED_LOSS and (high < TOLERATED_LOSS or not misled):
        if disturbs or (high >= TOLERATED_LOSS and m.flips > 0):
            return "does not lean", (
                f"{done}, {change}, but not to {leads} ({fall}): what is marked disturbs the "
                f"model, which does not take it as evidence for a {words.target}."
            )
        return "does not lean", f"{done}, {fall}, and {change}: within what is tolerated."
    if not predictive and high < TOLERATED_LOSS and m.flips_interval[1] < TOLERATED_FLIPS:
        return "does not lean", f"{done}, {fall}, and {change}: within what is tolerated."
    if disturbs and not led:
        return "unclear", (
            f"{done}, {fall} and {change}, but not clearly to {leads}: what is marked disturbs the "
            f"model, as values do that it has never seen; that it takes them as evidence for a "
            f"{words.target} is not shown."
        )
    return "unclear", f"{done}, {fall} and {change}: too few samples ({m.n_rows}) for an answer."


def _judge_erasure(m: Bunch, words: Words) -> tuple[str, str]:
    low, high = m.lost_interval
    change, fall = _describe(m, words)
    text = f"{_DONE['erasure']}, {fall}, and {change}"
    if low > TOLERATED_LOSS:
        return "leans", f"{text}: they were owed to it."
    if high < TOLERATED_LOSS:
        return "does not lean", f"{text}: within what is tolerated."
    return "unclear", f"{text}: too few samples ({m.n_rows}) for an answer."


def _describe(m: Bunch, words: Words) -> tuple[str, str]:
    """Return what predictions do, and what becomes of the score."""
    change = words.changes.format(_percent(m.flips) if words.percent else f"{m.flips:.2f}")
    return change, f"{words.score} goes from {m.before:.2f} to {m.after:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
