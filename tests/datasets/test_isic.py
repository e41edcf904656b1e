"""Check groups, patches and the split of ISIC on a small folder in the layout of the original."""

import re

import numpy as np
import pytest
from _pictures import check_contents, check_seeds, pixels_of, save, save_noise, truncate
from numpy.testing import assert_array_equal

from skexplain.datasets import fetch_isic
from skexplain.masks import interpret_mask

SIDE = 12
PARTS = ("", "_valid", "_test")
FOLDERS = ["no_cancer", "patch_no_cancer_again", "cancer"]
N_PICTURES = 40  # 20 and 12 benign, 8 malignant


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "isic"
    for group, (name, number) in enumerate(zip(FOLDERS, (20, 12, 8), strict=True)):
        for i in range(number):
            save_noise(folder / "processed" / name / f"ISIC_{i}.png", SIDE, SIDE, (group, i))
    for i in range(12):
        patch = np.zeros((SIDE, SIDE, 3))
        patch[:, :, 1] = 255  # green says nothing
        patch[i, 2:5, 0] = [100, 101, 255]
        save(folder / "segmentation" / f"ISIC_{i}.png", patch)
    return tmp_path


def test_contents(home):
    isic = fetch_isic(data_home=home, size=SIDE, random_state=0)
    check_contents(isic, SIDE, PARTS, bool)
    assert [len(isic[f"data{part}"]) for part in PARTS] == [30, 4, 6]
    for part in PARTS:
        folders = [name.split("/")[1] for name in isic[f"filenames{part}"]]
        groups = [FOLDERS.index(folder) for folder in folders]
        assert_array_equal(isic[f"groups{part}"], groups)
        assert_array_equal(isic[f"target{part}"], np.equal(groups, 2))
        for pixels, name in zip(isic[f"data{part}"], isic[f"filenames{part}"], strict=True):
            assert_array_equal(pixels, pixels_of(home / "isic" / name))
    assert isic.target_names == ["benign", "malignant"]
    assert len(isic.group_names) == 3


def test_mask_is_where_the_red_channel_is_above_100(home):
    isic = fetch_isic(data_home=home, size=SIDE, random_state=0)
    for name, mask, group in zip(isic.filenames, isic.mask, isic.groups, strict=True):
        expected = np.zeros((SIDE, SIDE), dtype=bool)
        if group == 1:
            expected[int(re.search(r"ISIC_(\d+)", name)[1]), 3:5] = True
        assert_array_equal(mask, expected)


def test_pictures_without_a_patch_are_annotated_with_nothing_irrelevant(home):
    isic = fetch_isic(data_home=home, size=SIDE, random_state=0)
    masks = interpret_mask(isic.mask, isic.data.shape)
    assert masks.annotated.all()
    assert_array_equal(masks.has_irrelevant, isic.groups == 1)


def test_resized_masks_stay_yes_or_no(home):
    isic = fetch_isic(data_home=home, size=2 * SIDE, random_state=0)
    row = np.flatnonzero(isic.groups == 1)[0]
    number = int(re.search(r"ISIC_(\d+)", isic.filenames[row])[1])
    expected = np.zeros((2 * SIDE, 2 * SIDE), dtype=bool)
    expected[2 * number : 2 * number + 2, 6:10] = True
    assert_array_equal(isic.mask[row], expected)


def test_max_rows_keeps_the_groups_in_proportion(home):
    isic = fetch_isic(data_home=home, size=4, max_rows=20, random_state=0)
    groups = np.concatenate([isic[f"groups{part}"] for part in PARTS])
    assert np.bincount(groups).tolist() == [10, 6, 4]


def test_max_rows_beyond_all_reads_all(home):
    isic = fetch_isic(data_home=home, size=4, max_rows=999, random_state=0)
    assert sum(len(isic[f"data{part}"]) for part in PARTS) == N_PICTURES


def test_seeds(home):
    check_seeds(lambda **seed: fetch_isic(data_home=home, size=4, max_rows=20, **seed))


def test_environment_variable_names_the_folder(home, monkeypatch):
    monkeypatch.setenv("SKEXPLAIN_DATA", str(home))
    assert len(fetch_isic(size=4, random_state=0).data) == 30


def test_without_files_the_error_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        fetch_isic(data_home=tmp_path)
    message = str(caught.value)
    for part in (
        "https://www.isic-archive.com",
        f"{tmp_path}/isic as\n",
        " segmentation/",
        "ls ",
        "9210",
    ):
        assert part in message


def test_other_files_and_empty_folders(home):
    (home / "isic/processed/cancer/.DS_Store").write_bytes(b"x")
    (home / "isic/processed/cancer/notes.txt").write_bytes(b"x")
    assert len(fetch_isic(data_home=home, size=4, random_state=0).data) == 30
    for path in (home / "isic/processed/cancer").glob("*.png"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"(?s)processed/cancer holds no pictures.*archive"):
        fetch_isic(data_home=home, size=4)


def test_missing_segmentation_is_named(home):
    (home / "isic/segmentation/ISIC_3.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"isic lacks segmentation/ISIC_3\.png"):
        fetch_isic(data_home=home, size=4)


def test_segmentation_of_another_size_is_named(home):
    save_noise(home / "isic/segmentation/ISIC_3.png", 5, 6, seed=0)
    expected = r"segmentation/ISIC_3\.png must have the size of its picture .*ISIC_3\.png, 12x12"
    with pytest.raises(ValueError, match=expected + " pixels; got 6x5"):
        fetch_isic(data_home=home, size=4)


@pytest.mark.parametrize("name", ["processed/cancer/ISIC_1.png", "segmentation/ISIC_1.png"])
def test_truncated_picture_is_named(home, name):
    truncate(home / "isic" / name)
    with pytest.raises(ValueError, match=f"{name} must be a complete picture"):
        fetch_isic(data_home=home, size=4)


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("size", 0, "size must be a positive integer, got 0"),
        ("size", 2.5, "size must be a positive integer"),
        ("max_rows", 0, "max_rows must be a positive integer, got 0"),
        ("random_state", "x", "random_state must be"),
    ],
)
def test_bad_arguments_are_named(home, argument, value, expected):
    with pytest.raises(ValueError, match=expected):
        fetch_isic(data_home=home, **{argument: value})
