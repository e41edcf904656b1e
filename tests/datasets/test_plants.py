"""Check labels, backgrounds and masks of the plants on a small folder in the layout of the
original.
"""

import pickle

import numpy as np
import pytest
from _pictures import check_contents, check_seeds, pixels_of, save_noise, truncate
from numpy.testing import assert_array_equal

from skexplain.datasets import fetch_plants

SIDE = 12
PARTS = ("", "_valid", "_test")
TRAIN = [f"{day}_Z{sample}_0_0_{i}" for day, sample in ((1, 3), (1, 4), (5, 18)) for i in range(10)]
TEST = ["2_Z1_0_0_0", "3_Z4_0_0_0", "4_Z12_1_0_0"]


def plant_of(name):
    """Each plant is a rectangle of its own height."""
    plant = np.zeros((SIDE, SIDE), dtype=bool)
    plant[2 : 4 + sum(map(ord, name)) % 7, 3:9] = True
    return plant


def write_masks(home, masks):
    path = home / "plants/mask/masks.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **masks)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "plants"
    for number, name in enumerate(TRAIN + TEST):
        save_noise(folder / "rgb_data" / name[0] / f"{name}.JPEG", SIDE, SIDE, number)
    (folder / "rgb_dataset_splits").mkdir()
    (folder / "rgb_dataset_splits/train_0.txt").write_text("\n".join(TRAIN) + "\n")
    (folder / "rgb_dataset_splits/test_0.txt").write_text("\n".join(TEST))
    write_masks(tmp_path, {name: plant_of(name) for name in TRAIN + TEST})
    return tmp_path


def name_in(filename):
    return filename.split("/")[-1].removesuffix(".JPEG")


def test_contents(home):
    plants = fetch_plants(data_home=home, size=SIDE, random_state=0)
    check_contents(plants, SIDE, PARTS, bool)
    assert [len(plants[f"data{part}"]) for part in PARTS] == [27, 3, 3]
    assert sorted(map(name_in, [*plants.filenames, *plants.filenames_valid])) == sorted(TRAIN)
    assert list(map(name_in, plants.filenames_test)) == TEST
    assert plants.target_test.tolist() == [0, 1, 1]
    for part in PARTS:
        healthy = ["_Z3_" in name or "_Z1_" in name for name in plants[f"filenames{part}"]]
        assert_array_equal(plants[f"target{part}"], np.logical_not(healthy))
        assert_array_equal(plants[f"groups{part}"], plants[f"target{part}"])
    assert plants.target_names == ["healthy", "sick"]


def test_pictures_are_twice_as_bright_and_masks_are_the_background(home):
    plants = fetch_plants(data_home=home, size=SIDE, random_state=0)
    for part, data in (
        ("", plants.data),
        ("_valid", plants.data_valid_original),
        ("_test", plants.data_test_original),
    ):
        for row, filename in enumerate(plants[f"filenames{part}"]):
            expected = np.minimum(2 * pixels_of(home / "plants" / filename).astype(int), 255)
            assert_array_equal(data[row], expected)
            assert_array_equal(plants[f"mask{part}"][row], ~plant_of(name_in(filename)))


def test_background_of_validation_and_test_is_the_mean_training_colour(home):
    plants = fetch_plants(data_home=home, size=SIDE, random_state=0)
    colour = plants.data.astype(float).mean(axis=(0, 2, 3))
    assert np.abs(plants.background - colour).max() <= 0.5
    for part in ("valid", "test"):
        for pixels, original, mask in zip(
            plants[f"data_{part}"],
            plants[f"data_{part}_original"],
            plants[f"mask_{part}"],
            strict=True,
        ):
            assert (pixels[:, mask] == plants.background[:, None]).all()
            assert_array_equal(pixels[:, ~mask], original[:, ~mask])


def test_masks_are_resized_as_the_pictures(home):
    plants = fetch_plants(data_home=home, size=2 * SIDE, random_state=0)
    expected = np.kron(~plant_of(TEST[0]), np.ones((2, 2), dtype=bool))
    assert_array_equal(plants.mask_test[0], expected)


def test_seeds(home):
    check_seeds(lambda **seed: fetch_plants(data_home=home, size=4, **seed))


def test_other_folds_have_files_of_their_own(home):
    with pytest.raises(FileNotFoundError, match=r"lacks rgb_dataset_splits/train_3\.txt"):
        fetch_plants(data_home=home, fold=3)


def test_without_files_the_error_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        fetch_plants(data_home=tmp_path)
    message = str(caught.value)
    for part in (
        f"{tmp_path}/plants as\n",
        " rgb_data/<day>/<id>.JPEG",
        "numpy.savez_compressed",
        "Check:",
    ):
        assert part in message


def test_conversion_in_the_instructions_works(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    masks = {name: plant_of(name) for name in TRAIN + TEST}
    (tmp_path / "preprocessed_masks.pyu").write_bytes(pickle.dumps(masks))
    with pytest.raises(FileNotFoundError) as caught:
        fetch_plants(data_home=tmp_path / "nothing")
    code = str(caught.value).split("yourself:\n")[1].split("Check:")[0]
    exec("\n".join(line[4:] for line in code.splitlines()))
    expected = fetch_plants(data_home=home, size=4, random_state=0)
    (tmp_path / "masks.npz").replace(home / "plants/mask/masks.npz")
    converted = fetch_plants(data_home=home, size=4, random_state=0)
    assert_array_equal(converted.mask, expected.mask)


class _Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def test_pickles_are_never_read(home):
    path = home / "plants/mask/masks.npz"
    path.write_bytes(pickle.dumps({name: _Bomb() for name in TRAIN}))
    with pytest.raises(ValueError, match=r"masks\.npz must be a file that numpy\.savez wrote"):
        fetch_plants(data_home=home)
    bombs = np.array([_Bomb()], dtype=object)
    write_masks(home, dict.fromkeys(TRAIN + TEST, bombs))
    with pytest.raises(
        ValueError, match=r"masks\.npz: the mask of .*_Z.* must be a complete array"
    ):
        fetch_plants(data_home=home)


def test_single_array_and_truncated_masks_are_refused(home):
    path = home / "plants/mask/masks.npz"
    truncate(path)
    with pytest.raises(ValueError, match=r"masks\.npz must be a file that numpy\.savez wrote"):
        fetch_plants(data_home=home)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r"masks\.npz must be .*; got a single array"):
        fetch_plants(data_home=home)


def test_missing_mask_is_named(home):
    write_masks(home, {name: plant_of(name) for name in TRAIN})
    with pytest.raises(ValueError, match=r"masks\.npz has no mask of 2_Z1_0_0_0"):
        fetch_plants(data_home=home)


def test_mask_of_another_shape_is_named(home):
    masks = {name: plant_of(name) for name in TRAIN + TEST}
    write_masks(home, {**masks, TEST[1]: np.ones((3, 4))})
    expected = (
        r"masks\.npz: the mask of rgb_data/3/3_Z4_0_0_0\.JPEG must have its shape, \(12, 12\)"
    )
    with pytest.raises(ValueError, match=expected + r"; got \(3, 4\)"):
        fetch_plants(data_home=home)


@pytest.mark.parametrize("name", ["6_Z4_0_0_0", "1_Z19_0_0_0", "1_Z0_0_0_0", "1_X4_0_0_0", "../x"])
def test_unknown_id_is_named(home, name):
    (home / "plants/rgb_dataset_splits/test_0.txt").write_text(f"{TEST[0]}\n\n{name}\n")
    with pytest.raises(ValueError, match=rf"test_0\.txt, line 3: an id must be .*; got '{name}'"):
        fetch_plants(data_home=home)


def test_empty_split_is_named(home):
    (home / "plants/rgb_dataset_splits/train_0.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"train_0\.txt must hold one id per line; it holds none"):
        fetch_plants(data_home=home)


def test_missing_and_truncated_pictures_are_named(home):
    path = home / "plants/rgb_data/3/3_Z4_0_0_0.JPEG"
    truncate(path)
    with pytest.raises(ValueError, match=r"3_Z4_0_0_0\.JPEG must be a complete picture"):
        fetch_plants(data_home=home)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"3_Z4_0_0_0\.JPEG is missing"):
        fetch_plants(data_home=home)


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("size", 0, "size must be a positive integer, got 0"),
        ("fold", 5, "fold must be an integer, 0 to 4, got 5"),
        ("random_state", "x", "random_state must be"),
    ],
)
def test_bad_arguments_are_named(home, argument, value, expected):
    with pytest.raises(ValueError, match=expected):
        fetch_plants(data_home=home, **{argument: value})
