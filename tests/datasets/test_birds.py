"""Check that fetch_birds crops to the bird, marks all but the beak and unpacks no file that leads
out of its folder, on a small copy of the layout of CUB-200-2011.
"""

import shutil
import tarfile

import numpy as np
import pytest
from _pictures import (
    check_contents,
    check_seeds,
    pixels_of,
    replace_in,
    save,
    save_noise,
    sha256,
    truncate,
)
from numpy.testing import assert_array_equal

from skexplain.datasets import fetch_birds
from skexplain.masks import interpret_mask

SIDE = 16
CLASSES = {1: "001.Black_footed_Albatross", 14: "014.Indigo_Bunting", 54: "054.Blue_Grosbeak"}
TABLES = ["images.txt", "image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt"]
TABLES += ["classes.txt", "parts/parts.txt", "parts/part_locs.txt"]
# Images 1 to 24 belong to the classes in turn, so 2, 5, 8, ... are buntings, 3, 6, ... grosbeaks;
# every fourth is a test image.  The box of each is the 16x16 pixels from (5, 3) of 40x30.
N_IMAGES, WIDTH, HEIGHT, LEFT, TOP = 24, 40, 30, 5, 3
BUNTING, HIDDEN, EDGE = 2, 3, 5
BEAKS = {
    BUNTING: (LEFT + 8, TOP + 4, 1),  # in the crop at (8, 4)
    HIDDEN: (0, 0, 0),
    EDGE: (LEFT + 15.5, TOP - 2, 1),  # at the right, above the box
}


def name_of(image):
    class_number = sorted(CLASSES)[(image - 1) % 3]
    return f"{CLASSES[class_number]}/Bird_{image:04d}.jpg"


def write_table(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    folder = home / "birds" / "CUB_200_2011"
    images = range(1, N_IMAGES + 1)
    for image in images:
        save_noise(folder / "images" / name_of(image), HEIGHT, WIDTH, seed=image)
    write_table(folder / "images.txt", [f"{i} {name_of(i)}" for i in images])
    labels = [f"{i} {sorted(CLASSES)[(i - 1) % 3]}" for i in images]
    write_table(folder / "image_class_labels.txt", labels)
    write_table(folder / "train_test_split.txt", [f"{i} {int(i % 4 != 0)}" for i in images])
    write_table(folder / "bounding_boxes.txt", [f"{i} {LEFT}.0 {TOP}.0 16.0 16.0" for i in images])
    write_table(folder / "classes.txt", [f"{k} {name}" for k, name in CLASSES.items()])
    write_table(folder / "parts/parts.txt", ["1 back", "2 beak", "7 left eye"])
    places = []
    for i in images:
        x, y, visible = BEAKS.get(i, (LEFT + 4, TOP + 4, 1))
        places += [f"{i} 1 0.0 0.0 0", f"{i} 2 {x} {y} {visible}", f"{i} 7 9.0 9.0 1"]
    write_table(folder / "parts/part_locs.txt", places)
    return home


@pytest.fixture
def home(original, tmp_path):
    """A copy that may be broken."""
    return shutil.copytree(original, tmp_path / "home")


@pytest.fixture(scope="module")
def birds(original):
    return fetch_birds(data_home=original, size=SIDE, random_state=0)


def row_of(birds, image):
    return birds.filenames.tolist().index(f"images/{name_of(image)}")


def test_contents(birds):
    check_contents(birds, SIDE, ("", "_test"), np.float32)
    expected = {
        part: [i for i in range(1, N_IMAGES + 1) if i % 3 != 1 and (i % 4 == 0) == (part != "")]
        for part in ("", "_test")
    }
    for part, images in expected.items():
        assert sorted(birds[f"filenames{part}"]) == sorted(f"images/{name_of(i)}" for i in images)
        is_grosbeak = ["Grosbeak" in name for name in birds[f"filenames{part}"]]
        assert_array_equal(birds[f"target{part}"], is_grosbeak)
        assert_array_equal(birds[f"groups{part}"], is_grosbeak)
    assert birds.target_names == ["Indigo Bunting", "Blue Grosbeak"]
    assert not birds.spurious_mask.any()


def test_crop_is_the_box(birds, original):
    for part in ("", "_test"):
        for pixels, name in zip(birds[f"data{part}"], birds[f"filenames{part}"], strict=True):
            photograph = pixels_of(original / "birds/CUB_200_2011" / name)
            assert_array_equal(pixels, photograph[:, TOP : TOP + 16, LEFT : LEFT + 16])


def test_mask_is_all_but_a_square_around_the_beak(birds):
    # A quarter of 16 pixels is 4; around (8, 4) these are columns 6 to 9 and rows 2 to 5.
    expected = np.ones((SIDE, SIDE))
    expected[2:6, 6:10] = 0
    assert_array_equal(birds.mask[row_of(birds, BUNTING)], expected)


def test_square_at_an_edge_stays_whole(birds):
    expected = np.ones((SIDE, SIDE))
    expected[0:4, 12:16] = 0
    assert_array_equal(birds.mask[row_of(birds, EDGE)], expected)


def test_mask_goes_with_the_size(original):
    birds = fetch_birds(data_home=original, size=32, beak_size=0.5, random_state=0)
    expected = np.ones((32, 32))
    expected[0:16, 8:24] = 0  # 16 pixels around (16, 8)
    assert_array_equal(birds.mask[row_of(birds, BUNTING)], expected)


def test_rows_without_a_visible_beak_are_not_annotated(birds):
    masks = interpret_mask(birds.mask, birds.data.shape)
    assert_array_equal(np.flatnonzero(~masks.annotated), [row_of(birds, HIDDEN)])
    assert masks.has_irrelevant.sum() == len(birds.data) - 1


def test_box_beyond_the_picture_is_cut(home):
    folder = home / "birds/CUB_200_2011"
    replace_in(folder / "bounding_boxes.txt", "\n2 5.0 3.0 16.0 16.0", "\n2 24.0 -9.0 99.0 25.0")
    replace_in(folder / "parts/part_locs.txt", "2 2 13 7 1", "2 2 32 8 1")
    birds = fetch_birds(data_home=home, size=SIDE, random_state=0)
    row = row_of(birds, BUNTING)
    assert_array_equal(birds.data[row], pixels_of(folder / "images" / name_of(2))[:, 0:16, 24:40])
    assert (birds.mask[row, 6:10, 6:10] == 0).all()


def test_train_size_takes_both_species_alike(original, birds):
    draws = set()
    for seed in range(5):
        some = fetch_birds(data_home=original, size=8, train_size=4, random_state=seed)
        assert np.bincount(some.target).tolist() == [2, 2]
        assert set(some.filenames) < set(birds.filenames)
        assert_array_equal(some.filenames_test, birds.filenames_test)
        draws.add(tuple(some.filenames))
    assert len(draws) > 1


def test_spurious_squares_tell_the_label_in_training_only(original):
    arguments = {"data_home": original, "size": 32, "train_size": 8, "random_state": 0}
    arguments["beak_size"] = 0.5  # in each row a square would touch it in 4 of 10 draws
    clean = fetch_birds(**arguments)
    birds = fetch_birds(spurious=True, **arguments)
    assert_array_equal(birds.filenames, clean.filenames)
    assert_array_equal(birds.mask, clean.mask)
    assert_array_equal(birds.data_test, clean.data_test)
    assert birds.spurious_mask.dtype == bool
    for row, label in enumerate(birds.target):
        rows, columns = np.nonzero(birds.spurious_mask[row])
        assert len(rows) == 16
        assert np.ptp(rows) == np.ptp(columns) == 3  # a square of an eighth of 32 pixels
        colours = birds.data[row][:, birds.spurious_mask[row]].T
        assert {tuple(colour) for colour in colours.tolist()} == {[(0, 255, 0), (255, 0, 0)][label]}
        assert not (birds.spurious_mask[row] & (birds.mask[row] == 0)).any()
        elsewhere = ~birds.spurious_mask[row]
        assert_array_equal(birds.data[row][:, elsewhere], clean.data[row][:, elsewhere])
    assert len({mask.tobytes() for mask in birds.spurious_mask}) > 1


def test_seeds(original):
    check_seeds(lambda **seed: fetch_birds(data_home=original, size=8, spurious=True, **seed))


@pytest.fixture
def packed(original, tmp_path):
    """A home with the archive alone, in which some names lead out of the folder."""
    home = tmp_path / "packed"
    (home / "birds").mkdir(parents=True)
    evil = tmp_path / "evil.jpg"
    save(evil, np.zeros((4, 4)))
    with tarfile.open(home / "birds/CUB_200_2011.tgz", "w:gz") as tar:
        tar.add(original / "birds/CUB_200_2011", "CUB_200_2011")
        tar.add(evil, "../evil_1.jpg")
        tar.add(evil, "CUB_200_2011/images/014.Indigo_Bunting/../../../evil_2.jpg")
        tar.add(evil, "../CUB_200_2011/images/014.Indigo_Bunting/evil_3.jpg")
        tar.add(evil, f"{tmp_path}/evil_4.jpg")
        # Names that begin like one that is wanted.
        tar.add(evil, "CUB_200_2011/images/014.Indigo_Bunting/a.jpg/../../../../../evil_5.jpg")
        tar.add(evil, "CUB_200_2011/images/014.Indigo_Bunting/evil_6.jpg.exe")
    evil.unlink()
    return home


def test_archive_is_unpacked_where_it_should_be(packed, birds):
    unpacked = fetch_birds(data_home=packed, size=SIDE, download_if_missing=False, random_state=0)
    assert sha256(unpacked) == sha256(birds)
    assert sorted(path.name for path in (packed / "birds").iterdir()) == [
        "CUB_200_2011",
        "CUB_200_2011.tgz",
    ]
    assert not list(packed.parent.rglob("evil*"))
    assert not list(packed.rglob("*Albatross*"))


@pytest.mark.parametrize("kept", [0.5, 0.01])
def test_truncated_archive_leaves_nothing_behind(packed, kept):
    archive = packed / "birds/CUB_200_2011.tgz"
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=r"CUB_200_2011\.tgz must be a complete tar archive"):
        fetch_birds(data_home=packed, download_if_missing=False)
    assert list((packed / "birds").iterdir()) == [archive]


def test_other_archive_is_refused(tmp_path):
    save(tmp_path / "a.png", np.zeros((4, 4)))
    (tmp_path / "birds").mkdir()
    with tarfile.open(tmp_path / "birds/CUB_200_2011.tgz", "w:gz") as tar:
        tar.add(tmp_path / "a.png", "other/a.png")
    with pytest.raises(ValueError, match="must hold the folder CUB_200_2011"):
        fetch_birds(data_home=tmp_path, download_if_missing=False)


def test_without_download_the_error_says_what_to_get(tmp_path):
    expected = r"CUB_200_2011\.tgz is missing.*https://data\.caltech\.edu/.*97eceeb196236b17998738"
    with pytest.raises(FileNotFoundError, match=expected):
        fetch_birds(data_home=tmp_path, download_if_missing=False)


@pytest.mark.parametrize("name", TABLES)
def test_missing_table_is_named(home, name):
    (home / "birds/CUB_200_2011" / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"(?s)CUB_200_2011 lacks {name}.*11788"):
        fetch_birds(data_home=home)


@pytest.mark.parametrize(
    ("name", "line", "changed", "expected"),
    [
        ("images.txt", f"\n2 {name_of(2)}", "", "has no line for image 2"),
        ("images.txt", f"\n2 {name_of(2)}", "\n2", "must have 1 fields for image 2"),
        ("train_test_split.txt", "\n2 1", "", "has no line for image 2"),
        ("train_test_split.txt", "\n2 1", "\n2 yes", "must have numbers for image 2"),
        ("bounding_boxes.txt", "\n2 5.0", "\n77 5.0", "has no line for image 2"),
        ("bounding_boxes.txt", "\n2 5.0", "\n2 nan", "must have numbers for image 2"),
        ("bounding_boxes.txt", "\n2 5.0", "\n2 5.0 5.0", "must have 4 fields for image 2"),
        ("bounding_boxes.txt", "\n2 5.0", "\n2 40.0", "must have a box in the picture for .*0002"),
        ("classes.txt", "Blue_Grosbeak", "Grosbeak", "must name the class Blue_Grosbeak"),
        ("parts/parts.txt", "beak", "bill", "must name the part beak"),
        ("parts/part_locs.txt", "\n2 2 ", "\n2 3 ", "has no line for image 2"),
        ("parts/part_locs.txt", "\n2 2 13", "\n2 2 ?", "must have numbers for image 2"),
    ],
)
def test_broken_line_is_named(home, name, line, changed, expected):
    replace_in(home / "birds/CUB_200_2011" / name, line, changed)
    with pytest.raises(ValueError, match=f"{name} {expected}"):
        fetch_birds(data_home=home)


def test_missing_and_truncated_pictures_are_named(home):
    path = home / "birds/CUB_200_2011/images" / name_of(2)
    truncate(path)
    with pytest.raises(ValueError, match=r"Bird_0002\.jpg must be a complete picture"):
        fetch_birds(data_home=home)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"Bird_0002\.jpg is missing"):
        fetch_birds(data_home=home)


@pytest.mark.parametrize(
    ("argument", "value", "error", "expected"),
    [
        ("size", 7, ValueError, "size must be an integer of at least 8, got 7"),
        ("beak_size", 0, ValueError, "beak_size == 0"),
        ("beak_size", 0.6, ValueError, "beak_size == 0.6"),
        ("beak_size", "small", TypeError, "beak_size must be an instance"),
        ("train_size", 13, ValueError, "train_size must be an integer, 1 to 12, got 13"),
        ("spurious", "yes", TypeError, "spurious must be a bool; got 'yes'"),
        ("random_state", "x", ValueError, "random_state must be"),
    ],
)
def test_bad_arguments_are_named(original, argument, value, error, expected):
    with pytest.raises(error, match=expected):
        fetch_birds(data_home=original, **{argument: value})
