"""Check classes, features and aligned soft masks of Salient ImageNet on a copy of its layout."""

import numpy as np
import pytest
from _pictures import (
    check_contents,
    check_seeds,
    pixels_of,
    replace_in,
    save,
    save_noise,
    truncate,
)
from numpy.testing import assert_allclose, assert_array_equal

from skexplain.datasets import fetch_salient_imagenet
from skexplain.masks import interpret_mask

PARTS = ("", "_valid", "_test")
WORDNET_IDS = ["n02174001", "n02033041", "n02114548", "n02268443", "n02480855", "n02514041"]
FEATURES = [(1581,), (925, 1468), (1401,), (1797,), (665,), (778,)]
CORE = 7  # a column that is not spurious
# Of 64x64 pixels the middle 56 are seen; resized to 28 that halves them.
SIDE, SIZE = 64, 28
N_PER_CLASS = 4


def map_of(label, feature, number):
    """A constant activation, different for each class, feature and picture."""
    return 10 * label + 5 * (feature == 1468) + 30 * number + 20


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "salient_imagenet"
    for label, (wordnet_id, features) in enumerate(zip(WORDNET_IDS, FEATURES, strict=True)):
        masks = folder / "salient_imagenet_dataset" / wordnet_id
        names = [f"{wordnet_id}_{number}" for number in range(N_PER_CLASS + 1)]
        for number, name in enumerate(names):
            path = folder / "ILSVRC2012/train" / wordnet_id / f"{name}.JPEG"
            save_noise(path, SIDE, SIDE, (label, number))
        # The last picture has a map of the core feature only; columns differ in length.
        columns = [CORE, *features]
        lines = [",".join(map(str, columns))]
        for number, name in enumerate(names[:-1]):
            row = [names[number + 1]]
            for feature in features:
                is_given = feature != 1468 or number < 2
                row.append(name if is_given else "")
                if is_given:
                    level = map_of(label, feature, number)
                    save(masks / f"feature_{feature}" / f"{name}.JPEG", np.full((224, 224), level))
            lines.append(",".join(row))
        (masks / "image_names_map.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def mask_file(home, label, number):
    name = f"{WORDNET_IDS[label]}_{number}.JPEG"
    folder = home / "salient_imagenet/salient_imagenet_dataset" / WORDNET_IDS[label]
    return folder / f"feature_{FEATURES[label][0]}" / name


def row_of(bunch, label, number):
    """Return the part and the row in which a picture stands."""
    name = f"ILSVRC2012/train/{WORDNET_IDS[label]}/{WORDNET_IDS[label]}_{number}.JPEG"
    for part in PARTS:
        names = bunch[f"filenames{part}"].tolist()
        if name in names:
            return part, names.index(name)
    raise AssertionError(name)


def test_contents(home):
    animals = fetch_salient_imagenet(data_home=home, size=SIZE, random_state=0)
    check_contents(animals, SIZE, PARTS, np.float32)
    # The pictures with a map of nothing but a core feature are left out.
    assert [len(animals[f"data{part}"]) for part in PARTS] == [14, 3, 7]
    for part in PARTS:
        labels = [WORDNET_IDS.index(name.split("/")[2]) for name in animals[f"filenames{part}"]]
        assert_array_equal(animals[f"target{part}"], labels)
        assert_array_equal(animals[f"groups{part}"], labels)
        masks = interpret_mask(animals[f"mask{part}"], animals[f"data{part}"].shape)
        assert masks.has_irrelevant.all()
    assert animals.target_names[3] == "dragonfly"


def test_mask_is_the_largest_of_the_spurious_maps(home):
    animals = fetch_salient_imagenet(data_home=home, size=SIZE, random_state=0)
    for label, features in enumerate(FEATURES):
        for number in range(N_PER_CLASS):
            given = [feature for feature in features if feature != 1468 or number < 2]
            level = max(map_of(label, feature, number) for feature in given)
            part, row = row_of(animals, label, number)
            assert_allclose(animals[f"mask{part}"][row], level / 255, atol=1.01 / 255)  # JPEG


def test_picture_is_its_middle(home):
    path = home / "salient_imagenet/ILSVRC2012/train/n02174001/n02174001_0.JPEG"
    pixels = np.zeros((96, SIDE, 3))
    pixels[20:76, 4:60] = 200  # 224/256 of the shorter side, in the middle of 96 rows
    save(path, pixels)
    animals = fetch_salient_imagenet(data_home=home, size=SIZE, random_state=0)
    part, row = row_of(animals, 0, 0)
    inside = animals[f"data{part}"][row]
    assert_allclose(inside[:, 1:-1, 1:-1], 200, atol=2)  # JPEG
    assert inside.min() > 140  # measured 154: at the rim a resized pixel sees beyond the cut


@pytest.mark.parametrize("frame", ["seen", "picture"])
def test_picture_and_mask_are_aligned(home, frame):
    path = home / "salient_imagenet/ILSVRC2012/train/n02174001/n02174001_0.JPEG"
    height, width, left, top = 64, 96, 50, 20
    pixels = np.zeros((height, width, 3))
    pixels[top : top + 16, left : left + 16] = 255
    save(path, pixels)
    if frame == "picture":
        save(mask_file(home, 0, 0), pixels[:, :, 0])
    else:
        # The network saw columns 20 to 75 and rows 4 to 59, four pixels for each.
        seen = np.kron(pixels[4:60, 20:76, 0], np.ones((4, 4)))
        save(mask_file(home, 0, 0), seen)
    animals = fetch_salient_imagenet(data_home=home, size=SIZE, random_state=0)
    part, row = row_of(animals, 0, 0)
    shown = animals[f"data{part}"][row].mean(axis=0) / 255
    # Measured .004 and 0; a picture squeezed to the square, as published, is 1 away.
    assert np.abs(shown - animals[f"mask{part}"][row]).max() < 0.1
    rows, columns = np.nonzero(shown > 0.5)
    assert (rows.min(), rows.max()) == ((top - 4) // 2, (top - 4) // 2 + 7)
    assert (columns.min(), columns.max()) == ((left - 20) // 2, (left - 20) // 2 + 7)


def test_pixels_are_those_of_the_file(home):
    path = home / "salient_imagenet/ILSVRC2012/train/n02174001/n02174001_0.JPEG"
    animals = fetch_salient_imagenet(data_home=home, size=56, random_state=0)
    part, row = row_of(animals, 0, 0)
    assert_array_equal(animals[f"data{part}"][row], pixels_of(path)[:, 4:60, 4:60])


def test_seeds(home):
    check_seeds(lambda **seed: fetch_salient_imagenet(data_home=home, size=8, **seed))


def test_without_files_the_error_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        fetch_salient_imagenet(data_home=tmp_path)
    message = str(caught.value)
    expected = ["image-net.org", f"{tmp_path}/salient_imagenet as\n", "n02514041"]
    for part in [*expected, "github.com/singlasahil14/salient_imagenet", "Check: 445"]:
        assert part in message


def test_missing_class_and_table_are_named(home):
    table = mask_file(home, 1, 0).parents[1] / "image_names_map.csv"
    table.unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks .*n02033041/image_names_map\.csv"):
        fetch_salient_imagenet(data_home=home)


@pytest.mark.parametrize(("old", "new"), [("925", "926"), ("7,925,1468", "")])
def test_missing_column_is_named(home, old, new):
    table = mask_file(home, 1, 0).parents[1] / "image_names_map.csv"
    replace_in(table, old, new)
    with pytest.raises(ValueError, match=r"n02033041/image_names_map\.csv must have a col.* 925"):
        fetch_salient_imagenet(data_home=home)


def test_unknown_name_in_the_table_is_named(home):
    table = mask_file(home, 0, 0).parents[1] / "image_names_map.csv"
    replace_in(table, "n02174001_1,n02174001_0", "n02174001_1,n02174001_99")
    with pytest.raises(FileNotFoundError, match=r"n02174001_99\.JPEG is missing"):
        fetch_salient_imagenet(data_home=home)


def test_missing_and_truncated_maps_are_named(home):
    path = mask_file(home, 2, 1)
    truncate(path)
    with pytest.raises(ValueError, match=r"feature_1401/n02114548_1\.JPEG must be a complete"):
        fetch_salient_imagenet(data_home=home)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"feature_1401/n02114548_1\.JPEG is missing"):
        fetch_salient_imagenet(data_home=home)


def test_map_of_another_size_is_named(home):
    save(mask_file(home, 2, 1), np.zeros((30, 40)))
    expected = (
        r"feature_1401/n02114548_1\.JPEG must have 224x224 pixels, or the size of its picture"
    )
    with pytest.raises(ValueError, match=expected + r" .*n02114548_1\.JPEG, 64x64; got 40x30"):
        fetch_salient_imagenet(data_home=home)


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("size", 0, "size must be a positive integer, got 0"),
        ("random_state", "x", "random_state must be"),
    ],
)
def test_bad_arguments_are_named(home, argument, value, expected):
    with pytest.raises(ValueError, match=expected):
        fetch_salient_imagenet(data_home=home, **{argument: value})
