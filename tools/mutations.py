"""Change one line of the package at a time, and check that a test notices.

    python tools/mutations.py            # all; about ten minutes
    python tools/mutations.py 3 17       # some, by number

Each mutant is a behaviour that matters, with the one test that must fail for it.  The package is
copied to a temporary folder, which is put first on the path; the checkout stays as it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# File, old text, new text, and the test that must fail.
MUTANTS = [
    # -- what a mask means
    (
        "masks/_meaning.py",
        "return (1 - values).to(torch.float32), known",
        "return values.to(torch.float32), known",
        "masks/test_meaning.py::test_relevant_is_one_minus_irrelevant",
    ),
    (
        "masks/_meaning.py",
        "return (1 - values).to(torch.float32), known",
        "return 1 - values.to(torch.float32), known",
        "masks/test_meaning.py::test_relevance_close_to_one_keeps_its_digits",
    ),
    (
        "masks/_meaning.py",
        "values = torch.where(known, values, float(self.marks_relevant))",
        "values = torch.where(known, values, float(not self.marks_relevant))",
        "masks/test_meaning.py::test_every_legal_mask_has_its_plain_meaning",
    ),
    (
        "masks/_meaning.py",
        "known[rows] = ~unknown.all(axis=1)",
        "known[rows] = ~unknown.any(axis=1)",
        "masks/test_meaning.py::test_annotated_and_irrelevant_are_two_things",
    ),
    (
        "masks/_labels.py",
        "return np.array([place[name] for name in names])",
        "return None",
        "masks/test_labels.py::test_names_that_X_has_are_aligned",
    ),
    (
        "masks/_labels.py",
        "or labels.equals(index):",
        "or len(labels) == len(index):",
        "masks/test_labels.py::test_rows_in_another_order_are_refused",
    ),
    (
        "masks/_units.py",
        "return bool((points >= -_TOLERANCE).all() and (points <= 1 + _TOLERANCE).all())",
        "return False",
        "masks/test_build.py::test_a_whole_set_within_a_pixel_is_refused",
    ),
    (
        "masks/_units.py",
        "(1 + _OVERHANG) * np.max(sizes, axis=0)",
        "(9 + _OVERHANG) * np.max(sizes, axis=0)",
        "masks/test_build.py::test_percent_of_a_small_image_are_noticed",
    ),
    (
        "masks/_figures.py",
        "np.array([[cos, sin], [-sin, cos]])",
        "np.array([[cos, -sin], [sin, cos]])",
        "masks/test_build.py::test_a_quarter_turn_is_seen",
    ),
    (
        "masks/_files.py",
        "if file is not None and owners.setdefault(file, str(name)) != str(name):",
        "if file is None and owners.setdefault(file, str(name)) != str(name):",
        "masks/test_files.py",
    ),
    # -- penalties
    (
        "penalties/_input_gradient.py",
        "irrelevant = rows.irrelevance * rows.unit * gradient",
        "irrelevant = rows.irrelevance * gradient",
        "penalties/test_input_gradient.py::test_equals_the_closed_form_of_softmax_regression",
    ),
    (
        "penalties/_input_gradient.py",
        'irrelevant.abs() if self.norm == "l1" else irrelevant.square()',
        'irrelevant.abs() if self.norm != "l1" else irrelevant.square()',
        "penalties/test_input_gradient.py::test_equals_the_closed_form_of_softmax_regression",
    ),
    (
        "penalties/_input_gradient.py",
        'irrelevant if self.sign == "positive" else -irrelevant',
        'irrelevant if self.sign != "positive" else -irrelevant',
        "penalties/test_input_gradient.py",
    ),
    (
        "penalties/_average_case.py",
        "return rows.x + self.epsilon * rows.irrelevance * rows.unit * noise",
        "return rows.x + self.epsilon * rows.irrelevance * noise",
        "penalties/test_average_case.py::test_noise_is_in_units_and_degrees",
    ),
    (
        "penalties/_fill.py",
        "return rows.x.lerp(values, rows.irrelevance)",
        "return values.lerp(rows.x, rows.irrelevance)",
        "penalties/test_average_case.py::test_swap_by_hand",
    ),
    (
        "masks/_fill.py",
        "return fill.lerp(x, a)",
        "return x",
        "penalties/test_average_case.py::test_a_donor_never_gives_its_reasons",
    ),
    (
        "penalties/_worst_case.py",
        "x = (x + step * self._ascent_direction(module, x, rows)).clamp(low, high)",
        "x = x + step * self._ascent_direction(module, x, rows)",
        "penalties/test_worst_case.py::test_every_iterate_stays_in_the_box",
    ),
    (
        "penalties/_worst_case.py",
        "return gradient.sign()",
        "return -gradient.sign()",
        "penalties/test_worst_case.py::test_linear_model_loses_the_dual_norm_of_its_margin",
    ),
    (
        "penalties/_masked_features.py",
        "divergence = (target.exp() * (target - mapped)).sum(1)",
        "divergence = (mapped.exp() * (mapped - target)).sum(1)",
        "penalties/test_masked_features.py::test_equals_the_divergence_by_hand",
    ),
    # -- training
    (
        "training/_objective.py",
        "alone = [replace(term, alpha=1.0) for term",
        "alone = [replace(term, alpha=term.alpha) for term",
        "training/test_engine.py::test_alpha_weighs_neither_of_the_two_steps",
    ),
    (
        "training/_objective.py",
        "values[term.name] = _share(term, chunk, penalised) * values[term.name]",
        "pass",
        "training/test_speed_options.py",
    ),
    (
        "training/_objective.py",
        "return rows.label_weight if term.penalty.is_label_loss",
        "return rows.sample_weight if term.penalty.is_label_loss",
        "training/test_engine.py::test_class_weight_acts_on_label_losses_and_not_on_gradients",
    ),
    (
        "training/_objective.py",
        "            with differentiable_recurrence(self.module):\n                yield",
        "            yield",
        "faults/test_networks_of_users.py"
        "::test_recurrent_layers_run_without_cudnn_where_they_are_differentiated",
    ),
    (
        "training/_objective.py",
        "        self.module.eval()\n        try:",
        "        try:",
        "training/test_engine.py::test_batch_norm_statistics_are_those_of_the_label_passes_alone",
    ),
    (
        "training/_steps.py",
        "generator = streams.generator(purpose, epoch)",
        'generator = streams.generator("order", epoch)',
        "training/test_engine.py::test_donors_are_as_many_penalised_rows_in_an_order_of_their_own",
    ),
    (
        "training/_reductions.py",
        "(self.log_q + step).log_softmax(0)",
        "(self.log_q - step).log_softmax(0)",
        "training/test_reductions.py::test_one_step_by_hand",
    ),
    (
        "training/_reductions.py",
        "self.settings.adjustment / sizes.sqrt()",
        "self.settings.adjustment * sizes.sqrt()",
        "training/test_reductions.py::test_adjustment_raises_small_groups",
    ),
    (
        "training/_prepare.py",
        "        module.register_forward_pre_hook(copy_inputs)",
        "        pass",
        "faults/test_networks_of_users.py::test_writing_into_the_input_changes_nothing",
    ),
    # -- estimators
    (
        "estimators/_validation.py",
        "return np.ldexp(weight, -int(np.frexp(weight.max())[1]))",
        "return weight",
        "faults/test_numbers.py::test_any_scale_of_weights_trains",
    ),
    (
        "estimators/_validation.py",
        "        vars(estimator).clear()\n        vars(estimator).update(before)\n",
        "",
        "faults/test_interrupts.py::test_a_refit_that_never_ends_an_epoch_keeps_the_old_model",
    ),
    (
        "estimators/_base.py",
        "(finite := outputs.isfinite().all(1)).all():",
        "(finite := outputs.isfinite().all(1)).any():",
        "faults/test_numbers.py::test_probabilities_that_are_not_a_number_are_no_class",
    ),
    (
        "_surroundings.py",
        "        for device in filter(_casts, _DEVICES):",
        "        for device in ():",
        "faults/test_surroundings.py::test_fit_and_predict_are_the_same",
    ),
    (
        "_surroundings.py",
        "            with torch.random.fork_rng(devices=devices):\n                yield",
        "            yield",
        "training/test_data.py::test_random_states_outside_stay_as_they_were",
    ),
    # -- metrics and inspection
    (
        "metrics/_exchange.py",
        "union = torch.maximum(a, donor_a)",
        "union = torch.minimum(a, donor_a)",
        "metrics/test_perturb.py::test_marked_parts_come_and_go_by_hand",
    ),
    (
        "metrics/_reliance.py",
        "return perturber.sources(rows, draw)[0] != rows",
        "return perturber.sources(rows, draw)[0] == perturber.sources(rows, draw)[0]",
        "metrics/test_reliance.py::test_flips_are_counted_among_rows_that_change",
    ),
    (
        "inspection/_attacks.py",
        "    check_gradient(estimator, checked)\n",
        "",
        "inspection/test_saliency.py::test_no_gradient_at_tokens_is_an_error",
    ),
    # -- files
    (
        "datasets/_birds_archive.py",
        "_WANTED.fullmatch(member.name)",
        "_WANTED.match(member.name)",
        "datasets/test_birds.py::test_archive_is_unpacked_where_it_should_be",
    ),
    (
        "persistence/_container.py",
        "        unfinished.unlink(missing_ok=True)",
        "        pass",
        "faults/test_growth.py::test_a_file_that_cannot_take_its_place_is_not_left_behind",
    ),
    (
        "studies/_store.py",
        '                line = b"\\n" + line',
        "                pass",
        "studies/test_store.py::test_a_full_disk_leaves_what_was_stored",
    ),
    (
        "_checks.py",
        "    if not isinstance(value, str | os.PathLike):",
        "    if isinstance(value, float):",
        "test_bad_input_table.py::test_a_number_is_no_path",
    ),
    # -- what arrays hold, and threads
    (
        "_checks.py",
        "    if n_masked:",
        "    if n_masked > 1:",
        "estimators/test_kinds_of_arrays.py::test_prediction_checks_as_fit_does",
    ),
    (
        "_checks.py",
        'if kind in ("m", "M", "V"):',
        'if kind in ("m", "V"):',
        "estimators/test_kinds_of_arrays.py::test_dates_are_no_targets_of_a_regressor",
    ),
    (
        "correction/_corrected.py",
        "copy.deepcopy(network.module).eval()",
        "network.module",
        "faults/test_threads.py::test_corrections_in_threads_are_corrections_alone",
    ),
    (
        "correction/_corrected.py",
        "(network.module if module is None else module).eval()",
        "(network.module if module is None else module).train()",
        "faults/test_threads.py::test_a_corrected_network_serves_six_threads",
    ),
    (
        "correction/_methods.py",
        "skip_init(nn.Linear, old.in_features, n_outputs, **kind)",
        "nn.Linear(old.in_features, n_outputs, **kind)",
        "faults/test_threads.py::test_corrections_in_threads_are_corrections_alone",
    ),
    (
        "masks/_annotations/_write.py",
        'letter in "%?#&+"',
        'letter in "%?#+"',
        "masks/annotations/test_write.py::"
        "test_names_of_files_may_hold_what_addresses_give_a_meaning",
    ),
]


def run(number: int, folder: Path) -> str:
    """Make a mutant in a folder and return what its test says of it."""
    file, old, new, node = MUTANTS[number]
    package = folder / "skexplain"
    shutil.copytree(ROOT / "skexplain", package)
    source = (package / file).read_text(encoding="utf-8")
    if source.count(old) != 1:
        return "STALE"
    (package / file).write_text(source.replace(old, new), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", f"tests/{node}"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if f"from {package}" not in done.stdout:
        return "NOT USED"
    return {0: "SURVIVED", 1: "caught"}.get(done.returncode, "NO TEST")


def main() -> int:
    """Run the mutants and print a table; return 1 where one is not caught."""
    chosen = [int(argument) for argument in sys.argv[1:]] or list(range(len(MUTANTS)))
    n_caught = 0
    for number in chosen:
        with tempfile.TemporaryDirectory() as folder:
            said = run(number, Path(folder))
        n_caught += said == "caught"
        file, _, new, node = MUTANTS[number]
        shown = " ".join(new.split()) or "(left out)"
        print(f"{number:2d}  {said:9s} {file}: {shown[:60]}  [{node}]", flush=True)
    print(f"{n_caught} of {len(chosen)} caught")
    return int(n_caught < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
