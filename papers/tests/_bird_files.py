"""A folder in the layout of CUB-200-2011, with pictures of noise."""

from _pictures import save_noise

CLASSES = {14: "014.Indigo_Bunting", 54: "054.Blue_Grosbeak"}
SIDE, LEFT, TOP = 16, 5, 3  # of the box around each bird, in pictures of 40x30


def write_birds(home, n_images):
    """Write so many pictures, the species in turn; every fourth pair belongs to the test set."""
    folder = home / "birds" / "CUB_200_2011"
    images = range(1, n_images + 1)
    labels = {i: sorted(CLASSES)[i % 2] for i in images}
    names = {i: f"{CLASSES[labels[i]]}/Bird_{i:04d}.jpg" for i in images}
    for i in images:
        save_noise(folder / "images" / names[i], 30, 40, seed=i)
    tables = {
        "images.txt": [f"{i} {names[i]}" for i in images],
        "image_class_labels.txt": [f"{i} {labels[i]}" for i in images],
        "train_test_split.txt": [f"{i} {int(i // 2 % 4 != 0)}" for i in images],
        "bounding_boxes.txt": [f"{i} {LEFT}.0 {TOP}.0 {SIDE}.0 {SIDE}.0" for i in images],
        "classes.txt": [f"{number} {name}" for number, name in CLASSES.items()],
        "parts/parts.txt": ["2 beak"],
        "parts/part_locs.txt": [f"{i} 2 {LEFT + 4} {TOP + 4} 1" for i in images],
    }
    for name, lines in tables.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
