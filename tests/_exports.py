"""Exports of annotation tools, written by hand: a figure on each of some pictures."""

import base64
import csv
import io
import json
import zlib
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from skexplain.masks import encode_rle

LABEL = "ruler & co"


class Figure:
    """A box, a turned box, or a turned ellipse, on a picture of a size."""

    def __init__(self, size, kind):
        height, width = size
        self.size, self.kind = size, kind
        self.box = tuple(
            round(share * side)
            for share, side in ((0.25, width), (0.15, height), (0.7, width), (0.5, height))
        )
        self.degrees = 0 if kind == "box" else 25

    @property
    def centre(self):
        left, top, right, bottom = self.box
        return np.array([left + right, top + bottom]) / 2

    @property
    def radii(self):
        left, top, right, bottom = self.box
        return np.array([right - left, bottom - top]) / 2

    def mask(self):
        """Return the pixels whose centres lie in the figure, from its equation."""
        y, x = np.mgrid[: self.size[0], : self.size[1]] + 0.5
        offset = np.stack([x, y], axis=-1) - self.centre
        angle = np.deg2rad(self.degrees)
        # Turned back, against the clock as an image is seen.
        along = offset[..., 0] * np.cos(angle) + offset[..., 1] * np.sin(angle)
        across = -offset[..., 0] * np.sin(angle) + offset[..., 1] * np.cos(angle)
        shares = np.stack([along, across], axis=-1) / self.radii
        if self.kind == "ellipse":
            return (shares**2).sum(axis=-1) <= 1
        return (np.abs(shares) <= 1).all(axis=-1)

    def part(self):
        """Return the pixels of the figure alone, and where they begin, left and top."""
        mask = self.mask()
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return part, columns[0].item(), rows[0].item()

    def corners(self):
        """Return the corners of the box, turned, from the upper left one clockwise."""
        angle = np.deg2rad(self.degrees)
        cos, sin = np.cos(angle), np.sin(angle)
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * self.radii
        return signs @ np.array([[cos, sin], [-sin, cos]]) + self.centre


def png(mask, mode="L"):
    """Return a mask as the bytes of a PNG file."""
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    if mode == "RGBA":
        white = Image.new("L", image.size, 255)
        image = Image.merge("RGBA", (white, white, white, image))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def text64(data):
    return base64.b64encode(data).decode("ascii")


def uploaded(name):
    """Return the address that Label Studio gives to an upload."""
    bare = name.rpartition("/")[2].replace(" ", "_").replace("(", "").replace(")", "")
    return f"/data/upload/3/0123abcd-{bare}"


# -- Label Studio ----------------------------------------------------------------------------------


def label_studio_result(figure, how):
    height, width = figure.size
    percent = np.array([100 / width, 100 / height])
    left, top, right, bottom = figure.box
    size = np.array([right - left, bottom - top]) * percent
    if how == "rectangle":  # turned about its upper left corner
        x, y = figure.corners()[0] * percent
        value = {"x": x, "y": y, "width": size[0], "height": size[1], "rotation": figure.degrees}
    elif how == "polygon":
        value = {"points": (figure.corners() * percent).tolist(), "closed": True}
    elif how == "ellipse":
        (x, y), (rx, ry) = figure.centre * percent, figure.radii * percent
        value = {"x": x, "y": y, "radiusX": rx, "radiusY": ry}
        value["rotation"] = figure.degrees
    elif how == "brush":
        value = {"format": "rle", "rle": brush(figure.mask())}
    else:
        value = {"imageDataURL": "data:image/png;base64," + text64(png(figure.mask(), "RGBA"))}
    value[f"{how}labels"] = [LABEL]
    return {
        "id": "x1",
        "type": f"{how}labels",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": value,
    }


def brush(mask):
    """Pack a mask as Label Studio does: with literals, as a browser does where runs are short."""
    values = np.repeat(mask.ravel(), 4).astype(int) * 255
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{n - 1:04b}" for n in (3, 5, 9, 14))
    place = 0
    while place < len(values):
        stop = place + 1
        while stop < len(values) and values[stop] == values[place] and stop - place < 1 << 14:
            stop += 1
        if stop - place < 5:  # literals
            stop = min(place + 8, len(values))
            bits += f"000{stop - place - 1:03b}" + "".join(f"{v:08b}" for v in values[place:stop])
        else:
            bits += f"111{stop - place - 1:014b}{values[place]:08b}"
        place = stop
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def label_studio(folder, names, figures, how):
    tasks = [
        {
            "id": number,
            "data": {"image": uploaded(name)},
            "annotations": [
                {"result": [label_studio_result(figure, how)], "was_cancelled": False},
                {"result": [], "was_cancelled": True},
            ],
            "predictions": [{"result": [{"type": "nonsense"}]}],
        }
        for number, (name, figure) in enumerate(zip(names, figures, strict=True))
    ]
    return write_json(folder / "export.json", tasks)


def label_studio_minimal(folder, names, figures):
    tasks = []
    for name, figure in zip(names, figures, strict=True):
        result = label_studio_result(figure, "rectangle")
        value = result.pop("value")
        del result["type"], result["image_rotation"]
        tasks.append(
            {
                "image": uploaded(name),
                "id": 3,
                "label": [result | value],
                "annotator": 1,
                "annotation_id": 2,
            }
        )
    return write_json(folder / "export.json", tasks)


def label_studio_split(folder, names, figures):
    """The shape and its label are two results of one id."""
    tasks = []
    for name, figure in zip(names, figures, strict=True):
        shape = label_studio_result(figure, "rectangle")
        label = json.loads(json.dumps(shape))
        del shape["value"]["rectanglelabels"]
        label["value"]["labels"] = label["value"].pop("rectanglelabels")
        shape["type"], label["type"] = "rectangle", "labels"
        relation = {"type": "relation", "from_id": "x1", "to_id": "x1"}
        data = {"image": f"/data/local-files/?d=photos/{name}", "text": "some.words"}
        tasks.append({"data": data, "annotations": [{"result": [shape, label, relation]}]})
    return write_json(folder / "export.json", tasks)


# -- XML -------------------------------------------------------------------------------------------


def runs_by_row(mask):
    """Return run lengths, row by row, of which the first is unmarked."""
    return encode_rle(mask.T, compress=False)["counts"]


def cvat(folder, names, figures, how):
    lines = ["<annotations><version>1.1</version><meta><task><mode>annotation</mode></task></meta>"]
    for number, (name, figure) in enumerate(zip(names, figures, strict=True)):
        height, width = figure.size
        left, top, right, bottom = figure.box
        if how == "box":
            where = f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"'
            where += f' rotation="{figure.degrees}"'
        elif how == "polygon":
            where = 'points="' + ";".join(f"{x:.2f},{y:.2f}" for x, y in figure.corners()) + '"'
        elif how == "ellipse":
            (x, y), (rx, ry) = figure.centre, figure.radii
            where = f'cx="{x}" cy="{y}" rx="{rx}" ry="{ry}" rotation="{figure.degrees}"'
        else:
            part, left, top = figure.part()
            where = f'rle="{", ".join(map(str, runs_by_row(part)))}" left="{left}"'
            where += f' top="{top}" width="{part.shape[1]}" height="{part.shape[0]}"'
        lines.append(
            f'<image id="{number}" name={quoteattr(name)} width="{width}" height="{height}">'
            f"<{how} label={quoteattr(LABEL)} {where}></{how}></image>"
        )
    path = folder / "annotations.xml"
    path.write_text("\n".join([*lines, "</annotations>"]), encoding="utf-8")
    return path


def voc(folder, names, figures):
    for name, figure in zip(names, figures, strict=True):
        (height, width), (left, top, right, bottom) = figure.size, figure.box
        bare = name.rpartition("/")[2]
        (folder / f"{bare.rpartition('.')[0]}.xml").write_text(
            f"<annotation><filename>{bare}</filename><size><width>{width}</width>"
            f"<height>{height}</height></size><object><name>ruler &amp; co</name><bndbox>"
            f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
            "</bndbox><part><name>end</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>1</xmax>"
            "<ymax>1</ymax></bndbox></part></object></annotation>"
        )
    return folder


def labelme_xml(folder, names, figures, how="polygon"):
    (folder / "Masks").mkdir(exist_ok=True)
    for number, (name, figure) in enumerate(zip(names, figures, strict=True)):
        place, _, bare = name.rpartition("/")
        points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in figure.corners())
        shape = f"<polygon>{points}</polygon>"
        if how == "mask":
            (folder / "Masks" / f"{number}.png").write_bytes(png(figure.mask()))
            shape = f"<segm><mask>{number}.png</mask></segm>"
        (folder / f"{number}.xml").write_text(
            f"<annotation><filename>{bare}</filename><folder>{place}</folder>"
            f"<object><name>ruler &amp; co</name><deleted>0</deleted>{shape}</object>"
            "<object><name>gone</name><deleted>1</deleted></object><imagesize>"
            f"<nrows>{figure.size[0]}</nrows><ncols>{figure.size[1]}</ncols></imagesize>"
            "</annotation>"
        )
    return folder


# -- JSON ------------------------------------------------------------------------------------------


def write_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def labelme(folder, names, figures, how):
    for number, (name, figure) in enumerate(zip(names, figures, strict=True)):
        left, top, right, bottom = figure.box
        shape = {"label": LABEL, "shape_type": how, "flags": {}}
        if how == "rectangle":
            shape["points"] = [[right, bottom], [left, top]]  # drawn from any corner
        elif how == "polygon":
            shape["points"] = figure.corners().tolist()
        else:
            part, left, top = figure.part()
            height, width = part.shape
            shape["points"] = [[left, top], [left + width - 1, top + height - 1]]
            shape["mask"] = text64(png(part))
        content = {
            "version": "5.5.0",
            "shapes": [shape],
            "imagePath": "..\\photos\\" + name.replace("/", "\\"),
            "imageHeight": figure.size[0],
            "imageWidth": figure.size[1],
            "imageData": None,
        }
        write_json(folder / f"{number}.json", content)
    return folder


def coco(folder, names, figures, how):
    images, annotations = [], []
    for number, (name, figure) in enumerate(zip(names, figures, strict=True), start=7):
        height, width = figure.size
        left, top, right, bottom = figure.box
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        region = {
            "box": {"bbox": [left, top, right - left, bottom - top]},
            "polygon": {"segmentation": [figure.corners().ravel().tolist()]},
            "rle": {"segmentation": encode_rle(figure.mask()), "iscrowd": 1},
        }[how]
        annotations.append({"id": number, "image_id": number, "category_id": 2} | region)
    categories = [{"id": 2, "name": LABEL}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return write_json(folder / "instances.json", content)


def sam(folder, names, figures):
    for number, (name, figure) in enumerate(zip(names, figures, strict=True)):
        height, width = figure.size
        image = {"image_id": number, "file_name": name, "height": height, "width": width}
        region = {"id": 1, "segmentation": encode_rle(figure.mask())}
        write_json(folder / f"{number}.json", {"image": image, "annotations": [region]})
    return folder


def via_shape(figure, how):
    left, top, right, bottom = figure.box
    if how == "rect":
        sides = {"width": right - left, "height": bottom - top}
        return {"name": "rect", "x": left, "y": top, **sides}
    if how == "ellipse":
        (x, y), (rx, ry) = figure.centre, figure.radii
        return {
            "name": "ellipse",
            "cx": x,
            "cy": y,
            "rx": rx,
            "ry": ry,
            "theta": np.deg2rad(figure.degrees),
        }
    x, y = figure.corners().T.tolist()
    return {"name": "polygon", "all_points_x": x, "all_points_y": y}


def via(folder, names, figures, how, version=2):
    content = {}
    for name, figure in zip(names, figures, strict=True):
        region = {
            "shape_attributes": via_shape(figure, how),
            "region_attributes": {"kind": LABEL, "sure": {"yes": True, "no": False}},
        }
        regions = [region] if version == 2 else {"0": region}
        content[f"{name}123"] = {"filename": name, "size": 123, "regions": regions}
    if version == 2:
        content = {"_via_settings": {}, "_via_img_metadata": content, "_via_attributes": {}}
    return write_json(folder / "via.json", content)


def via_csv(folder, names, figures):
    path = folder / "via.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write("#filename,file_size,file_attributes,region_count,region_id,")
        file.write("region_shape_attributes,region_attributes\n")
        writer = csv.writer(file)
        for name, figure in zip(names, figures, strict=True):
            shape = json.dumps(via_shape(figure, "polygon"))
            writer.writerow([name, 123, "{}", 1, 0, shape, json.dumps({"kind": LABEL})])
    return path


def supervisely(folder, names, figures, how):
    for name, figure in zip(names, figures, strict=True):
        (height, width), (left, top, right, bottom) = figure.size, figure.box
        item = {"classTitle": LABEL, "geometryType": how, "id": 1}
        if how == "bitmap":
            part, left, top = figure.part()
            data = text64(zlib.compress(png(part, "RGBA")))
            item["bitmap"] = {"origin": [left, top], "data": data}
        else:
            corners = [[left, top], [right - 1, bottom - 1]]
            if how == "polygon":
                corners = figure.corners().round().tolist()
            item["points"] = {"exterior": corners, "interior": []}
        content = {"size": {"height": height, "width": width}, "objects": [item]}
        write_json(folder / f"{name.rpartition('/')[2]}.json", content)
    return folder


def qupath(folder, names, figures):
    for name, figure in zip(names, figures, strict=True):
        feature = {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [figure.corners().tolist()]},
            "properties": {"objectType": "annotation", "classification": {"name": LABEL}},
        }
        stem = name.rpartition("/")[2].rpartition(".")[0]
        content = {"type": "FeatureCollection", "features": [feature]}
        write_json(folder / f"{stem}.geojson", content)
    return folder


def yolo(folder, names, figures, how):
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "data.yaml").write_text(f"path: ../x\nnc: 2\nnames:\n  0: other\n  1: '{LABEL}'\n")
    for name, figure in zip(names, figures, strict=True):
        size = np.array(figure.size[::-1])
        numbers = (figure.corners() / size).ravel()
        if how == "box":
            numbers = [*(figure.centre / size), *(2 * figure.radii / size)]
        stem = name.rpartition("/")[2].rpartition(".")[0]
        text = "1 " + " ".join(f"{number:.6f}" for number in numbers)
        (folder / "labels" / f"{stem}.txt").write_text(text)
    return folder


EXPORTS = {
    **{
        f"label_studio-{how}": (kind, lambda f, n, g, how=how: label_studio(f, n, g, how))
        for how, kind in {
            "rectangle": "turned",
            "polygon": "turned",
            "ellipse": "ellipse",
            "brush": "ellipse",
            "bitmask": "ellipse",
        }.items()
    },
    "label_studio-minimal": ("turned", label_studio_minimal),
    "label_studio-split": ("turned", label_studio_split),
    **{
        f"cvat-{how}": (kind, lambda f, n, g, how=how: cvat(f, n, g, how))
        for how, kind in {
            "box": "turned",
            "polygon": "turned",
            "ellipse": "ellipse",
            "mask": "ellipse",
        }.items()
    },
    "voc": ("box", voc),
    "labelme_xml": ("turned", labelme_xml),
    "labelme_xml-mask": ("ellipse", lambda f, n, g: labelme_xml(f, n, g, "mask")),
    **{
        f"labelme-{how}": (kind, lambda f, n, g, how=how: labelme(f, n, g, how))
        for how, kind in {"rectangle": "box", "polygon": "turned", "mask": "ellipse"}.items()
    },
    **{
        f"coco-{how}": (kind, lambda f, n, g, how=how: coco(f, n, g, how))
        for how, kind in {"box": "box", "polygon": "turned", "rle": "ellipse"}.items()
    },
    "sam": ("ellipse", sam),
    **{
        f"via-{how}": (kind, lambda f, n, g, how=how: via(f, n, g, how))
        for how, kind in {"rect": "box", "polygon": "turned", "ellipse": "ellipse"}.items()
    },
    "via-1": ("box", lambda f, n, g: via(f, n, g, "rect", version=1)),
    "via_csv": ("turned", via_csv),
    **{
        f"supervisely-{how}": (kind, lambda f, n, g, how=how: supervisely(f, n, g, how))
        for how, kind in {"bitmap": "ellipse", "rectangle": "box", "polygon": "turned"}.items()
    },
    "qupath": ("turned", qupath),
    "yolo-box": ("box", lambda f, n, g: yolo(f, n, g, "box")),
    "yolo-polygon": ("turned", lambda f, n, g: yolo(f, n, g, "polygon")),
}


def folder_of(tmp_path):
    """Return a new folder for an export."""
    folder = Path(tmp_path, "export")
    folder.mkdir(parents=True)
    return folder
