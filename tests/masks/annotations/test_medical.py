"""DICOM segmentations and NIfTI label images of single pictures."""

import gzip
import sys

import numpy as np
import pytest
from sklearn.utils import Bunch

from skexplain.masks import ImageGeometry, read_annotations

SEG = "1.2.840.10008.5.1.4.1.1.66.4"


def like(names, size):
    geometry = ImageGeometry.fitted(size, size, "resize")
    return Bunch(filenames=names, geometry=[geometry] * len(names))


def random_masks(n, size):
    return np.random.default_rng(0).random((n, *size)) < 0.4


# -- DICOM -----------------------------------------------------------------------------------------


def write_seg(path, frames, sources, segments=None, kind="BINARY", **tags):
    """Write a segmentation by the standard, PS3.3 A.51."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = SEG
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = generate_uid()
    file.Modality, file.SegmentationType = "SEG", kind
    file.NumberOfFrames, file.Rows, file.Columns = frames.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.PixelRepresentation = 0
    file.BitsAllocated = file.BitsStored = 1 if kind == "BINARY" else 8
    file.HighBit = file.BitsStored - 1
    if kind == "FRACTIONAL":
        file.MaximumFractionalValue = 200
    segments = segments or [1] * len(frames)
    file.SegmentSequence = []
    for number in sorted(set(segments)):
        segment = Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, f"lesion {number}"
        file.SegmentSequence.append(segment)
    file.PerFrameFunctionalGroupsSequence = []
    for source, number in zip(sources, segments, strict=True):
        group, identification = Dataset(), Dataset()
        identification.ReferencedSegmentNumber = number
        group.SegmentIdentificationSequence = [identification]
        if source is not None:
            image, derivation = Dataset(), Dataset()
            image.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            image.ReferencedSOPInstanceUID = source
            if tags.get("frame_number"):
                image.ReferencedFrameNumber = tags["frame_number"]
            derivation.SourceImageSequence = [image]
            group.DerivationImageSequence = [derivation]
        file.PerFrameFunctionalGroupsSequence.append(group)
    data = pydicom.pixels.pack_bits(frames.astype(np.uint8)) if kind == "BINARY" else None
    file.PixelData = data if data is not None else frames.astype(np.uint8).tobytes()
    file.save_as(path, enforce_file_format=True)


def test_frames_find_the_pictures_that_they_refer_to(tmp_path):
    masks = random_masks(3, (5, 7))  # 35 bits: frames begin within a byte
    write_seg(tmp_path / "a.dcm", masks, ["1.2.3", "1.2.4", "1.2.3"], [1, 1, 2])
    bunch = like(["1.2.4", "1.2.5", "1.2.3"], (5, 7))
    mask = read_annotations(tmp_path / "a.dcm", like=bunch)
    np.testing.assert_array_equal(mask[0], masks[1])
    assert np.isnan(mask[1]).all()
    np.testing.assert_array_equal(mask[2], masks[0] | masks[2])
    one = read_annotations(tmp_path / "a.dcm", like=bunch, labels="lesion 2", missing="empty")
    np.testing.assert_array_equal(one[2], masks[2])
    assert not one[0].any()


def test_fractions_are_degrees(tmp_path):
    values = np.array([[[0, 50], [200, 100]]])
    write_seg(tmp_path / "a.dcm", values, ["1.2"], kind="FRACTIONAL")
    mask = read_annotations(tmp_path / "a.dcm", like=like(["1.2"], (2, 2)))
    np.testing.assert_allclose(mask, [[[0, 0.25], [1, 0.5]]])


def test_a_single_frame_without_a_reference_is_found_by_its_name(tmp_path):
    masks = random_masks(1, (4, 4))
    write_seg(tmp_path / "photo.dcm", masks, [None])
    mask = read_annotations(tmp_path / "photo.dcm", like=like(["x/photo.png"], (4, 4)))
    np.testing.assert_array_equal(mask, masks)


def test_volumes(tmp_path):
    bunch = like(["a"], (4, 4))
    write_seg(tmp_path / "a.dcm", random_masks(2, (4, 4)), [None, None])
    with pytest.raises(ValueError, match="segmentation of a volume"):
        read_annotations(tmp_path / "a.dcm", like=bunch)
    write_seg(tmp_path / "a.dcm", random_masks(1, (4, 4)), ["1.2"], frame_number=3)
    with pytest.raises(ValueError, match="refers to a frame of a volume"):
        read_annotations(tmp_path / "a.dcm", like=bunch)


def test_broken_segmentations(tmp_path):
    write_seg(tmp_path / "a.dcm", random_masks(1, (40, 40)), [None])
    data = (tmp_path / "a.dcm").read_bytes()
    bunch = like(["a"], (40, 40))
    for cut in (140, 300, len(data) // 2, len(data) - 20):
        (tmp_path / "a.dcm").write_bytes(data[:cut])
        with pytest.raises(ValueError, match="a.dcm"):
            read_annotations(tmp_path / "a.dcm", like=bunch)


def test_a_folder_of_pictures_and_segmentations(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    masks = random_masks(1, (4, 4))
    write_seg(tmp_path / "seg.dcm", masks, ["1.2"])
    picture = pydicom.dcmread(tmp_path / "seg.dcm")
    picture.Modality = "CT"
    picture.save_as(tmp_path / "picture.dcm")
    mask = read_annotations(tmp_path, like=like(["1.2"], (4, 4)))
    np.testing.assert_array_equal(mask, masks)
    with pytest.raises(ValueError, match="picture.dcm must be of one of"):
        read_annotations(tmp_path / "picture.dcm", like=like(["1.2"], (4, 4)))


# -- NIfTI -----------------------------------------------------------------------------------------


def write_nifti(path, labels):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(labels, np.diag([-1, -1, 1, 1])), path)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("depth", [(), (1,)])
def test_label_images(tmp_path, ending, depth):
    labels = np.random.default_rng(0).integers(0, 3, size=(5, 7)).astype(np.uint8)
    write_nifti(tmp_path / f"photo{ending}", labels.T.reshape(7, 5, *depth))  # x first
    bunch = like(["photo.jpg"], (5, 7))
    mask = read_annotations(tmp_path, like=bunch)
    np.testing.assert_array_equal(mask[0], labels > 0)
    mask = read_annotations(tmp_path, like=bunch, labels=2)
    np.testing.assert_array_equal(mask[0], labels == 2)


def test_what_is_no_label_image(tmp_path):
    bunch = like(["a"], (5, 5))
    write_nifti(tmp_path / "a.nii", np.zeros((5, 5, 2), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"is a volume of shape \(5, 5, 2\)"):
        read_annotations(tmp_path / "a.nii", like=bunch)
    write_nifti(tmp_path / "a.nii", np.full((5, 5), 0.5, dtype=np.float32))
    with pytest.raises(ValueError, match="no label image: it has fractions"):
        read_annotations(tmp_path / "a.nii", like=bunch)
    (tmp_path / "a.nii").write_bytes(b"no nifti")
    with pytest.raises(ValueError, match="is not a NIfTI file"):
        read_annotations(tmp_path / "a.nii", like=bunch)


def test_a_nifti_bomb(tmp_path):
    write_nifti(tmp_path / "a.nii", np.zeros((4, 4), dtype=np.uint8))
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[42:46] = np.array([30000, 30000], dtype="<i2").tobytes()  # its sizes
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(ValueError, match="must have at most"):
        read_annotations(tmp_path / "a.nii.gz", like=like(["a"], (4, 4)))


@pytest.mark.parametrize(("name", "module"), [("a.dcm", "pydicom"), ("a.nii", "nibabel")])
def test_without_the_extra(tmp_path, monkeypatch, name, module):
    (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {module}; .*skexplain\[formats\]"):
        read_annotations(tmp_path / name, like=like(["a"], (4, 4)))


def test_pictures_of_dicom_files_are_found_by_their_identifiers(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from skexplain.datasets import load_images

    masks = random_masks(2, (6, 9))
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_seg(tmp_path / "file.dcm", masks[:1], [None])
    uids = []
    for number in range(2):
        picture = pydicom.dcmread(tmp_path / "file.dcm")
        picture.Modality, picture.NumberOfFrames = "XC", 1
        picture.BitsAllocated = picture.BitsStored = 8
        picture.HighBit = 7
        picture.PixelData = masks[number].astype(np.uint8).tobytes()
        picture.SOPInstanceUID = pydicom.uid.generate_uid()
        uids.append(picture.SOPInstanceUID)
        picture.save_as(folder / f"IM{number}.dcm")
    bunch = load_images(folder, mode="L")
    assert list(bunch.instance_uids) == uids
    write_seg(tmp_path / "seg.dcm", masks[::-1], uids[::-1])
    np.testing.assert_array_equal(read_annotations(tmp_path / "seg.dcm", like=bunch), masks)
    np.testing.assert_array_equal(bunch.data[:, 0] > 0, masks)
