"""The numbers of an audit, as a report shows them."""

# Name, label and meaning of each number, in the order in which they are shown.
NUMBERS = {
    "n_rows": ("samples", "in X"),
    "n_annotated": (
        "annotated samples",
        "samples with a mask; what follows the accuracy is of these",
    ),
    "irrelevant_share": (
        "irrelevant share",
        "share of the features of a sample that is irrelevant",
    ),
    "accuracy": ("accuracy", "of all samples as they are"),
    "r2": ("R2", "coefficient of determination, of all samples as they are"),
    "r2_annotated": ("R2, annotated", "of the annotated samples as they are"),
    "r2_of_marks": (
        "R2 of the marked part",
        "of a random forest that sees nothing but what is marked",
    ),
    "accuracy_annotated": ("accuracy, annotated", "of the annotated samples as they are"),
    "accuracy_of_marks": (
        "accuracy of the marked part",
        "of a random forest that sees nothing but what is marked",
    ),
    "chance": ("chance", "share of the most frequent class"),
    "accuracy_after_swap": (
        "accuracy after a swap",
        "each annotated sample with the marked part of another, or without its own",
    ),
    "r2_after_swap": (
        "R2 after a swap",
        "each annotated sample with the marked part of another, or without its own",
    ),
    "lost_by_swap": ("lost by the swap", "of the samples that change; 0 is right"),
    "lost_by_swap_se": ("… its standard error", "samples paired"),
    "flips_by_swap": ("flips by the swap", "share of predictions that change; 0 is right"),
    "shift_by_swap": (
        "shift by the swap",
        "standard deviations by which predictions move; 0 is right",
    ),
    "toward_donor_by_swap": (
        "toward the other's label",
        "how much more often than by chance a prediction goes to the class of the sample that "
        "gives; of a regressor, by what share it follows that target; 0 is right",
    ),
    "accuracy_after_swap_among_all": (
        "accuracy after a swap among all",
        "samples without a mask count as samples that mark nothing",
    ),
    "r2_after_swap_among_all": (
        "R2 after a swap among all",
        "samples without a mask count as samples that mark nothing",
    ),
    "lost_by_swap_among_all": ("lost by it", "of the samples that change; 0 is right"),
    "lost_by_swap_among_all_se": ("… its standard error", "samples paired"),
    "flips_by_swap_among_all": ("flips by it", "share of predictions that change; 0 is right"),
    "shift_by_swap_among_all": ("shift by it", "predictions move; 0 is right"),
    "toward_donor_by_swap_among_all": (
        "toward the other's label",
        "as above",
    ),
    "accuracy_after_erasure": (
        "accuracy after erasure",
        "irrelevant features set to the mean of the others (a table: of the column)",
    ),
    "r2_after_erasure": (
        "R2 after erasure",
        "irrelevant features set to the mean of the others (a table: of the column)",
    ),
    "lost_by_erasure": ("lost by erasure", "of the samples that change; 0 is right"),
    "lost_by_erasure_se": ("… its standard error", "samples paired"),
    "flips_by_erasure": ("flips by erasure", "share of predictions that change; 0 is right"),
    "shift_by_erasure": ("shift by erasure", "predictions move; 0 is right"),
    "accuracy_noise_on_irrelevant": (
        "accuracy, noise on irrelevant features",
        "Gaussian noise of one standard deviation",
    ),
    "accuracy_noise_on_core": ("accuracy, noise on all others", "the same on the other features"),
    "r2_noise_on_irrelevant": (
        "R2, noise on irrelevant features",
        "Gaussian noise of one standard deviation",
    ),
    "r2_noise_on_core": ("R2, noise on all others", "the same on the other features"),
    "relative_core_sensitivity": (
        "relative core sensitivity",
        "from both; 1: the core alone decides, -1: the irrelevant features do",
    ),
    "irrelevant_saliency_mass": (
        "saliency on irrelevant features",
        "share of the input gradient; spread evenly it is the irrelevant share",
    ),
    "wrong_reason_share": (
        "wrong reasons",
        "share of the irrelevant features that the input gradient lights up",
    ),
    "certified_accuracy": ("certified accuracy", "right, whatever irrelevant features change to"),
    "mean_group_accuracy": ("mean over groups", "accuracy, groups weighted alike"),
    "worst_group_accuracy": ("worst group", "accuracy of the worst group"),
    "mean_group_r2": ("mean over groups", "R2, groups weighted alike"),
    "worst_group_r2": ("worst group", "R2 of the worst group"),
}
