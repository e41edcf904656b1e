"""Pictures as people have them become X; what cannot be read is named."""

import errno
import os

import numpy as np
import pandas as pd
import pytest
from _photographs import folder_of_photographs, save
from _pictures import save_noise, truncate
from PIL import Image, ImageOps

from skexplain.datasets import load_images


@pytest.fixture
def classes(tmp_path):
    for name in ("cat/1.png", "cat/deep/2.png", "dog/1.png"):
        save_noise(tmp_path / "pictures" / name, 20, 30, seed=len(name))
    return tmp_path / "pictures"


def test_class_folders(classes):
    bunch = load_images(classes, size=(8, 12))
    assert bunch.data.shape == (3, 3, 8, 12)
    assert bunch.data.dtype == np.uint8
    assert list(bunch.filenames) == ["cat/1.png", "cat/deep/2.png", "dog/1.png"]
    assert list(bunch.target) == [0, 0, 1]
    assert list(bunch.target_names) == ["cat", "dog"]
    assert [geometry.size for geometry in bunch.geometry] == [(20, 30)] * 3
    assert bunch.skipped == {}
    for row, name in enumerate(bunch.filenames):
        with Image.open(classes / name) as image:
            expected = image.resize((12, 8), Image.Resampling.BICUBIC)
            np.testing.assert_array_equal(bunch.data[row], np.asarray(expected).transpose(2, 0, 1))


def test_pictures_of_one_size_need_none(classes):
    bunch = load_images(classes)
    with Image.open(classes / "dog/1.png") as image:
        np.testing.assert_array_equal(bunch.data[2], np.asarray(image).transpose(2, 0, 1))
    save_noise(classes / "dog/2.png", 20, 31, seed=0)
    with pytest.raises(ValueError, match=r"size must be given: cat/1.png is 20 x 30 and dog/2.png"):
        load_images(classes)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tif"])
def test_pictures_are_upright(tmp_path, ending):
    names, sizes = folder_of_photographs(tmp_path, ending)
    for fit in ("resize", "crop", "pad"):
        bunch = load_images(tmp_path, size=31, fit=fit, fill=9)
        assert list(bunch.filenames) == names
        for name, size, pixels, geometry in zip(
            names, sizes, bunch.data, bunch.geometry, strict=True
        ):
            assert geometry.upright_size == size
            with Image.open(tmp_path / name) as image:
                upright = ImageOps.exif_transpose(image)
            expected = {
                "resize": lambda i: i.resize((31, 31), Image.Resampling.BICUBIC),
                "crop": lambda i: ImageOps.fit(i, (31, 31), Image.Resampling.BICUBIC),
                "pad": lambda i: ImageOps.pad(
                    i, (31, 31), Image.Resampling.BICUBIC, color=(9, 9, 9)
                ),
            }[fit](upright)
            difference = pixels.astype(int) - np.asarray(expected).transpose(2, 0, 1)
            assert np.abs(difference).max() <= 1, (fit, name)


def test_files_and_labels(classes):
    files = [classes / "dog/1.png", str(classes / "cat/1.png")]
    bunch = load_images(files, size=4, labels=[2.5, 1])
    assert list(bunch.target) == [2.5, 1]  # a number to predict
    assert bunch.target_names is None
    assert list(bunch.filenames) == [str(file) for file in files]
    assert load_images(files, size=4).target is None
    assert list(load_images(files, size=4, labels=[7, 3]).target_names) == [3, 7]
    with pytest.raises(ValueError, match="one label per file: 2; got 1"):
        load_images(files, size=4, labels=["a"])


def test_a_flat_folder_has_no_labels(tmp_path):
    save_noise(tmp_path / "b.png", 5, 5, seed=0)
    save_noise(tmp_path / "a.png", 5, 5, seed=1)
    bunch = load_images(tmp_path)
    assert (list(bunch.filenames), bunch.target) == (["a.png", "b.png"], None)
    save_noise(tmp_path / "c/d.png", 5, 5, seed=2)
    with pytest.raises(ValueError, match="either one folder per class or .* without folders"):
        load_images(tmp_path)


TABLE = {"dog/1": "sick", "2.png": "well", "cat/1.png": "sick"}


@pytest.mark.parametrize(
    "make",
    [
        lambda table, folder: table,
        lambda table, folder: pd.Series(table),
        lambda table, folder: pd.DataFrame({"image": list(table), "label": list(table.values())}),
        lambda table, folder: _as_csv(table, folder),
    ],
    ids=["dict", "Series", "DataFrame", "csv"],
)
def test_tables_say_which_pictures_and_in_which_order(classes, tmp_path, make):
    bunch = load_images(classes, size=4, labels=make(TABLE, tmp_path))
    assert list(bunch.filenames) == ["dog/1.png", "cat/deep/2.png", "cat/1.png"]
    assert list(bunch.target_names[bunch.target]) == ["sick", "well", "sick"]


def _as_csv(table, folder):
    path = folder / "labels.csv"
    pd.Series(table, name="label").to_csv(path, index_label="name")
    return path


def test_names_that_find_no_picture_or_two(classes):
    with pytest.raises(ValueError, match=r"name 2 pictures, of which 1 are not in .*: x.png"):
        load_images(classes, size=4, labels={"2": 0, "x.png": 1})
    with pytest.raises(ValueError, match="1 are there more than once: 1.png"):
        load_images(classes, size=4, labels={"1.png": 0})
    with pytest.raises(ValueError, match="in two ways: cat/deep/2.png"):
        load_images(classes, size=4, labels={"2": 0, "2.png": 1})
    with pytest.raises(ValueError, match=r"1 are not in .*: \.\./secret"):
        load_images(classes, size=4, labels={"../secret": 0})
    with pytest.warns(UserWarning, match="2 files in the folder were left out.*cat/1.png, dog"):
        bunch = load_images(classes, size=4, labels={"2": 0})
    assert set(bunch.skipped) == {"cat/1.png", "dog/1.png"}


def damage(folder):
    """Add a truncated, an empty, a disguised and an animated file."""
    save_noise(folder / "cat/cut.jpg", 60, 60, seed=3)
    truncate(folder / "cat/cut.jpg")
    (folder / "cat/empty.png").touch()
    (folder / "dog/text.png").write_text("no picture")
    frames = [Image.new("L", (5, 5), value) for value in (0, 255)]
    frames[0].save(folder / "dog/moves.gif", save_all=True, append_images=frames[1:])
    return ["cat/cut.jpg", "cat/empty.png", "dog/moves.gif", "dog/text.png"]


@pytest.mark.parametrize("mapped", [False, True])
def test_broken_files_are_named_all_at_once(classes, tmp_path, mapped):
    bad = damage(classes)
    memmap = tmp_path / "X.npy" if mapped else None
    with pytest.raises(ValueError, match="4 of 7 files are no complete pictures") as error:
        load_images(classes, size=8, memmap=memmap)
    assert all(name in str(error.value) for name in bad)
    assert not list(tmp_path.glob("*npy*"))  # nothing half written
    with pytest.warns(UserWarning, match="4 of 7 files") as warned:
        bunch = load_images(classes, size=8, errors="warn", memmap=memmap)
    assert all(name in str(warned[0].message) for name in bad)
    assert list(bunch.skipped) == bad
    assert list(bunch.filenames) == ["cat/1.png", "cat/deep/2.png", "dog/1.png"]
    assert bunch.data.shape == (3, 3, 8, 8)
    assert list(bunch.target) == [0, 0, 1]
    assert len(bunch.geometry) == 3
    for name in bad:
        (classes / name).unlink()
    np.testing.assert_array_equal(bunch.data, load_images(classes, size=8).data)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipes_are_not_waited_for(classes):
    os.mkfifo(classes / "dog/pipe.png")
    os.mkfifo(classes / "dog/pipe")
    with pytest.raises(ValueError, match=r"1 of 4 .*dog/pipe.png \(is no regular file\)"):
        load_images(classes, size=8)


def test_huge_pictures_are_named(classes, monkeypatch):
    monkeypatch.setattr("skexplain.datasets._picture_pixels._MAX_PIXELS", 599)
    with pytest.raises(ValueError, match=r"cat/1.png \(has 20 x 30 pixels, more than 599\)"):
        load_images(classes, size=8)


def test_other_files_are_named_and_those_of_the_system_are_not(classes):
    (classes / "notes.txt").write_text("x")
    (classes / "Thumbs.db").write_text("x")
    (classes / ".hidden.png").write_text("x")
    with pytest.warns(UserWarning, match="1 files in the folder were left out.*: notes.txt"):
        bunch = load_images(classes, size=8)
    assert list(bunch.skipped) == ["notes.txt"]


def test_nothing_to_load(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="holds no pictures; it holds notes.txt"):
        load_images(tmp_path)
    with pytest.raises(FileNotFoundError, match="existing folder"):
        load_images(tmp_path / "absent")
    with pytest.raises(ValueError, match="at least one file"):
        load_images([])
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match="1 of 1 files are no complete pictures"):
        load_images([tmp_path / "a.png"], errors="warn")


def test_a_memory_map_holds_what_an_array_holds(classes, tmp_path, monkeypatch):
    monkeypatch.setattr("skexplain.datasets._load_images._CHUNK", 2)
    path = tmp_path / "X.npy"
    mapped = load_images(classes, size=8, memmap=path).data
    assert isinstance(mapped, np.memmap)
    assert os.listdir(tmp_path) in (["X.npy", "pictures"], ["pictures", "X.npy"])
    np.testing.assert_array_equal(mapped, load_images(classes, size=8).data)
    np.testing.assert_array_equal(mapped, np.load(path))
    with pytest.raises(ValueError, match="name of an .npy file"):
        load_images(classes, size=8, memmap=tmp_path / "X.bin")


def one(tmp_path, image, **options):
    """Load a single picture of pillow's."""
    image.save(tmp_path / "one.png", **options)
    return load_images([tmp_path / "one.png"])


def test_kinds_of_pixels(tmp_path):
    grey = np.array([[0, 1, 128, 255]], dtype=np.uint8)
    rgb = np.stack([grey, grey // 2, 255 - grey], axis=-1)

    def loaded(image, **options):
        return one(tmp_path, image, **options).data[0]

    np.testing.assert_array_equal(loaded(Image.fromarray(grey)), np.stack([grey] * 3))
    np.testing.assert_array_equal(loaded(Image.fromarray(rgb)), rgb.transpose(2, 0, 1))
    wide = grey.astype(np.uint16) * 257
    np.testing.assert_array_equal(loaded(Image.fromarray(wide)), np.stack([grey] * 3))
    bits = loaded(Image.fromarray(grey > 100))
    np.testing.assert_array_equal(bits, np.stack([(grey > 100) * 255] * 3))
    palette = Image.fromarray(np.array([[0, 1, 1]], dtype=np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    np.testing.assert_array_equal(loaded(palette)[:, 0, :2].T, [[10, 20, 30], [40, 50, 60]])
    np.testing.assert_array_equal(loaded(palette, transparency=0)[:, 0, 0], [0, 0, 0])


def test_what_lies_behind_transparent_pixels(tmp_path):
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 0, 0]]], dtype=np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    data = load_images([tmp_path / "a.png"], fill=255).data[0, :, 0]
    np.testing.assert_array_equal(data.T, [[200, 100, 0], [255, 255, 255]])


def test_grey(tmp_path):
    save(tmp_path / "a.png", np.full((4, 5, 3), 77, dtype=np.uint8), 6)
    bunch = load_images(tmp_path, size=(8, 10), mode="L", fit="pad", fill=3)
    assert bunch.data.shape == (1, 1, 8, 10)
    assert (bunch.data == 77).all()


@pytest.mark.parametrize("value", ["F", "fractions"])
def test_values_whose_range_nothing_tells(tmp_path, value):
    Image.fromarray(np.array([[0.5]], dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="a.tif .has fractional values"):
        load_images(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be"),
        ({"size": (1, 2, 3)}, "size must be a side, or"),
        ({"fit": "stretch"}, "fit must be one of"),
        ({"mode": "CMYK"}, "mode must be one of"),
        ({"fill": 256}, "fill must be an integer, 0 to 255"),
        ({"errors": "ignore"}, "errors must be one of"),
    ],
)
def test_arguments_are_checked(classes, options, message):
    with pytest.raises(ValueError, match=message):
        load_images(classes, **options)


@pytest.mark.parametrize("labels", [[1, 2], "absent.csv", 3])
def test_labels_of_a_folder_are_a_table(classes, labels):
    with pytest.raises((TypeError, FileNotFoundError)):
        load_images(classes, size=4, labels=labels)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_as_programs_write_them(classes, tmp_path, separator):
    table = tmp_path / "labels.csv"
    lines = ["name,label", "dog/1,no", "cat/1,yes"]
    table.write_text("\n".join(lines).replace(",", separator), encoding="utf-8-sig")
    with pytest.warns(UserWarning, match="left out"):
        bunch = load_images(classes, size=4, labels=table)
    assert bunch.target_names[bunch.target].tolist() == ["no", "yes"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,label\ncat/1,gr\xfcn\n", "labels.csv must be text in UTF-8"),
        (b"name label\ncat/1 yes\n", "must have two columns.*its lines are 'name label'"),
        (b"", "must have two columns.*its lines are none"),
    ],
)
def test_tables_that_cannot_be_read(classes, tmp_path, content, message):
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_images(classes, size=4, labels=tmp_path / "labels.csv")


def test_a_memory_map_in_a_folder_that_is_not_there(classes, tmp_path):
    with pytest.raises(FileNotFoundError, match="memmap must be a file in an existing folder"):
        load_images(classes, size=4, memmap=tmp_path / "absent" / "X.npy")


def test_labels_that_are_missing(classes):
    files = [classes / "dog/1.png", classes / "cat/1.png"]
    with pytest.raises(ValueError, match="labels must be finite"):
        load_images(files, size=4, labels=[1.0, np.nan])
    with pytest.raises(ValueError, match="labels must be text or numbers"):
        load_images(files, size=4, labels=["a", None])


def test_a_progress_bar(classes, capsys):
    load_images(classes, size=4, verbose=True)
    assert "3/3" in capsys.readouterr().err


def dicom(path, pixels, **tags):
    """Write a DICOM picture."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    file.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    file.SOPClassUID, file.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", generate_uid()
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.PixelRepresentation = 0
    file.BitsAllocated = file.BitsStored = pixels.dtype.itemsize * 8
    file.HighBit = file.BitsStored - 1
    for name, value in tags.items():
        setattr(file, name, value)
    file.PixelData = pixels.tobytes()
    file.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, [0, 51, 255, 255]),
        ({"PhotometricInterpretation": "MONOCHROME1"}, [255, 204, 0, 0]),
        ({"WindowCenter": 300.5, "WindowWidth": 201}, [0, 0, 255, 255]),
        ({"RescaleSlope": 2, "RescaleIntercept": -1}, [0, 51, 255, 255]),
    ],
)
def test_dicom(tmp_path, tags, expected):
    dicom(tmp_path / "a.dcm", np.array([[0, 200, 1000, 1000]], dtype=np.uint16), **tags)
    bunch = load_images(tmp_path, mode="L")
    np.testing.assert_array_equal(bunch.data[0, 0, 0], expected)
    # Their names may have no ending.
    os.rename(tmp_path / "a.dcm", tmp_path / "IM0001")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    for source in ([tmp_path / "IM0001"], tmp_path):
        np.testing.assert_array_equal(load_images(source, mode="L").data, bunch.data)


def test_dicom_of_8_bits_stays_what_it_is(tmp_path):
    pixels = np.array([[10, 20, 30, 40]], dtype=np.uint8)
    dicom(tmp_path / "a.dcm", pixels)
    np.testing.assert_array_equal(load_images(tmp_path, mode="L").data[0, 0], pixels)


def test_dicom_without_pydicom(tmp_path, monkeypatch):
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM")
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(ImportError, match=r"a.dcm is a DICOM file.*skexplain\[formats\]"):
        load_images(tmp_path)


def test_a_full_disk_is_an_error(classes, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match=r"No space left on device: .*X\.npy\.part"):
        load_images(classes, size=8, memmap=tmp_path / "X.npy")
    assert not list(tmp_path.glob("X.npy*"))
