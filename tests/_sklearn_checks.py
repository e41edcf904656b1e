"""scikit-learn's checks, divided into those that train something and those that do not."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

# Repeated samples come in other mini-batches than weighted ones; in full batches it passes.
WEIGHTS_CHECK = "check_sample_weight_equivalence_on_dense_data"

# Some 30 long steps are enough for the checks of accuracy; what all others are about shows within
# two epochs.
LONG_STEPS = {"max_epochs": 4, "batch_size": 32, "lr": 0.03}
_OF_ACCURACY = (
    "check_classifiers_train",
    "check_regressors_train",
    "check_class_weight_classifiers",
)


def is_of_accuracy(check):
    """Whether a check needs an estimator that has learned something."""
    return check.func.__name__.startswith(_OF_ACCURACY)


# Checks of constructors and of data for which fit raises an error: they train nothing, so a mask
# makes no difference to them.
TRAIN_NOTHING = {
    "check_all_zero_sample_weights_error",
    "check_array_api_input",
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_regression_target",
    "check_complex_data",
    "check_decision_proba_consistency",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimator_tags_renamed",
    "check_estimators_empty_data_messages",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_non_transformer_estimators_n_iter",
    "check_parameters_default_constructible",
    "check_requires_y_none",
    "check_set_params",
    "check_supervised_y_no_nan",
    "check_valid_tag_types",
}


def training_checks(estimators):
    """Each check of some estimators that trains, once.

    scikit-learn repeats some of them for read-only and float32 data, which no mask changes.
    """
    return _checks(estimators, lambda name: name not in {*TRAIN_NOTHING, WEIGHTS_CHECK})


def checks_without_training(estimators):
    """Each check of some estimators that trains nothing, once, and passes for all of them."""
    return _checks(estimators, TRAIN_NOTHING.__contains__)


def _checks(estimators, is_taken):
    by_name = {
        f"{type(estimator).__name__}-{check.func.__name__}": (estimator, check)
        for estimator in estimators
        for _, check in estimator_checks_generator(estimator)
        if is_taken(check.func.__name__)
    }
    return [pytest.param(*pair, id=name) for name, pair in by_name.items()]
