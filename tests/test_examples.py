"""Check that every example runs as it stands, each in a process of its own."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
GALLERY = [
    "plot_01_decoy_digits.py",
    "plot_02_audit_a_model.py",
    "plot_03_boxes_from_a_coco_file.py",
    "plot_04_two_stage_fox_vs_cat.py",
    "plot_05_toy_colors.py",
    "plot_06_worst_case_and_gradient.py",
    "plot_07_certified_robustness.py",
    "plot_08_swap_against_noise.py",
    "plot_09_find_another_explanation.py",
    "plot_10_ten_masks.py",
    "plot_11_leaking_column.py",
    "plot_12_words_that_must_not_count.py",
    "plot_13_residual_network.py",
    "plot_14_grid_search.py",
    "plot_15_imbalance_study.py",
    "plot_16_which_samples_to_annotate.py",
    "plot_17_mend_a_boosted_table.py",
    "plot_18_annotation_tools.py",
    "plot_19_augmentation.py",
    "plot_20_pretrained_network.py",
    "plot_21_correct_an_audited_network.py",
    "plot_22_words_that_people_marked.py",
    "plot_23_a_word_in_a_transformer.py",
    "plot_24_leaves_and_their_backgrounds.py",
    "plot_25_marks_of_the_studio_in_python.py",
]


def run(name, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())  # an example leaves nothing behind
    return done.stdout


def test_the_gallery_is_complete():
    assert sorted(path.name for path in EXAMPLES.glob("plot_*.py")) == GALLERY


@pytest.mark.parametrize("name", GALLERY)
def test_an_example_checks_its_claim_and_shows_it(name):
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    tree = ast.parse(text)
    title, underline, *_ = ast.get_docstring(tree).splitlines()
    assert underline == "=" * len(title)
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    assert "plt.subplots(" in text
    assert "plt.show()" in text
    assert "fetch_" not in text  # no download


@pytest.mark.slow  # measured: 10 to 20 s
def test_a_search_on_two_workers(tmp_path):
    pytest.importorskip("distributed")
    assert "2 workers chose alpha=1.0: 0.9" in run("search_on_a_cluster.py", tmp_path)


@pytest.mark.slow  # measured: 3 to 25 s each
@pytest.mark.parametrize("name", GALLERY)
def test_the_gallery(name, tmp_path):
    pytest.importorskip("matplotlib")
    run(name, tmp_path)
