"""Fuzz what reads files of others: models, annotations of pictures, spans of texts.

    pip install atheris                        # Linux
    python tools/fuzz.py                       # all targets, 20 seconds each
    python tools/fuzz.py model coco --seconds 300
    python tools/fuzz.py coco --input crash-…  # one input again, with its traceback

Coverage leads the mutations, which change bytes or, where a file is JSON, its values.  A finding is
an error of another kind than the reader documents, a hang, or more than 2 GB of memory; libFuzzer
writes the input to a file ``crash-…``, ``timeout-…`` or ``oom-…`` in the present folder.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
TARGETS = ["model", "model_bytes", "spans", "coco", "cvat", "label_studio", "labelme"]
TARGETS += ["labelme_xml", "qupath", "sam", "supervisely", "via", "via_csv", "voc", "yolo"]
SIZE = (24, 30)
NOISE = [
    None,
    True,
    0,
    -1,
    2**63,
    1e308,
    float("nan"),
    "",
    "a",
    "1",
    "../a",
    [],
    {},
    [[]],
    "\0",
    "é",
]


def places(value, path=()):
    """Yield the places in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from places(item, (*path, key))


def get(value, path):
    """Return what stands at a place."""
    for key in path:
        value = value[key]
    return value


def mutate_json(data, max_size, seed):
    """Change values of JSON: by noise, by a value from elsewhere, or by none; else change bytes."""
    import atheris

    rng = random.Random(seed)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    found = [path for path in places(content) if path]
    if not found or rng.random() < 0.3:
        return atheris.Mutate(data, max_size)
    for _ in range(rng.randint(1, 3)):
        path = rng.choice(found)
        try:
            holder, choice = get(content, path[:-1]), rng.random()
            if choice < 0.15:
                del holder[path[-1]]
            else:
                new = rng.choice(NOISE) if choice < 0.6 else get(content, rng.choice(found))
                holder[path[-1]] = json.loads(json.dumps(new))
        except (LookupError, TypeError):
            continue  # an earlier change has removed the place
    return json.dumps(content).encode()[:max_size]


def model_target(folder):
    """Return the seeds of model files, and what loads one with another description."""
    import numpy as np
    from safetensors import safe_open
    from safetensors.torch import save

    import skexplain
    from skexplain.exceptions import ModelFileError

    X = np.random.default_rng(0).normal(size=(30, 3))
    y, mask = X[:, 0] > 0, [[0, 0, 1]]
    swap = skexplain.SwapExClassifier(max_epochs=1, random_state=0)
    inner = skexplain.GradRegClassifier(norm="l2", alpha=1.0, max_epochs=1, random_state=0)
    models = [
        swap,
        skexplain.TwoStageExplanationClassifier(max_epochs=1, random_state=0),
        skexplain.FindAnotherExplanationClassifier(inner, n_explanations=1),
        skexplain.WithPropagatedMasks(swap, skexplain.MaskPropagator(cv=None, n_steps=2)),
    ]
    seeds, tensors, path = [], {}, Path(folder, "model")
    for model in models:
        skexplain.save(model.fit(X, y, mask=mask), path)
        with safe_open(path, framework="pt") as file:
            seeds.append(file.metadata()["skexplain"].encode())
            tensors.update({name: file.get_tensor(name) for name in list(file.keys())})

    def run(data):
        text = data.decode("utf-8", errors="replace").replace("\0", "0")
        path.write_bytes(save(tensors, metadata={"skexplain": text}))
        load(path)

    def load(path):
        try:
            skexplain.load(path)
        except ModelFileError:
            pass
        except TypeError as error:
            # A parameter that no file holds is no fault of the file.
            if not str(error).startswith("load needs"):
                raise

    def run_bytes(data):
        path.write_bytes(data)
        load(path)

    return seeds, run, [path.read_bytes()], run_bytes


def annotation_target(name, folder):
    """Return the seeds of a format of annotated pictures, and what reads one."""
    from _exports import EXPORTS, Figure
    from sklearn.utils import Bunch

    from skexplain.masks import ImageGeometry, read_annotations

    like = Bunch(filenames=["a/1.jpg"], geometry=[ImageGeometry.fitted(SIZE, (12, 15), "resize")])
    seeds, root = [], None
    for number, (export, (kind, write)) in enumerate(EXPORTS.items()):
        if export.split("-")[0] == name:
            place = Path(folder, str(number))
            place.mkdir()
            root = write(place, ["a/1.jpg"], [Figure(SIZE, kind)])
            endings = (".json", ".geojson", ".xml", ".csv", ".txt")
            files = [root] if root.is_file() else sorted(root.rglob("*"))
            file = next(f for f in files if f.suffix in endings and f.name != "classes.txt")
            seeds.append(file.read_bytes())

    def run(data):
        file.write_bytes(data)
        with suppress(ValueError):
            read_annotations(root, like=like, format=name)

    return seeds, run


def span_target(folder):
    """Return the seeds of annotated texts, and what reads one."""
    from _text_exports import PLAIN

    from skexplain.masks import read_spans

    path = Path(folder, "a.json")
    Path(folder, "docs.jsonl").write_text('{"docid": "a", "document": "one two"}')

    def run(data):
        path.write_bytes(data)
        with suppress(ValueError):
            read_spans(path, combine="degree")

    return [json.dumps([record, record]).encode() for record in PLAIN.values()], run


def fuzz(name, seconds, given):
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris

    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=["skexplain"]):
        import skexplain.masks
        import skexplain.persistence  # noqa: F401
    folder, corpus = tempfile.mkdtemp(), tempfile.mkdtemp()
    if name == "spans":
        seeds, run = span_target(folder)
    elif name.startswith("model"):
        found = model_target(folder)
        seeds, run = found[:2] if name == "model" else found[2:]
    else:
        seeds, run = annotation_target(name, folder)
    for number, seed in enumerate(seeds):
        Path(corpus, str(number)).write_bytes(seed)
        run(seed)
    flags = ["-timeout=20", "-rss_limit_mb=2000", f"-max_len={2 * max(map(len, seeds))}"]
    flags += [f"-max_total_time={seconds}", given or corpus]
    atheris.Setup([name, *flags], run, custom_mutator=mutate_json)
    atheris.Fuzz()


def main():
    """Fuzz each target in a process of its own, and print what there was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--input", help="a file that libFuzzer has written")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    names = chosen.targets or TARGETS
    if unknown := sorted(set(names) - set(TARGETS)):
        parser.error(f"TARGET must be one of {TARGETS}, got {unknown}")
    if chosen.here or chosen.input:
        fuzz(names[0], chosen.seconds, chosen.input)
    failed = False
    for name in names:
        command = [sys.executable, __file__, name, "--here", "--seconds", str(chosen.seconds)]
        done = subprocess.run(command, capture_output=True, text=True)
        runs = re.search(r"Done (\d+) runs", done.stderr)
        covered = re.findall(r"cov: (\d+)", done.stderr)
        text = f"{runs[1]} executions" if runs else done.stdout[-2000:] + done.stderr[-500:]
        print(f"{name}: {text}, {covered[-1] if covered else 0} branches", flush=True)
        failed |= done.returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
