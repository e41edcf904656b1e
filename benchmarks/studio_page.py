"""How fast the studio's page is with many pictures: first paint, a stroke, and memory.

    python benchmarks/studio_page.py FOLDER [N_PICTURES]

needs Chromium, chromedriver and selenium.  It prints a line of JSON.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By

COMMAND = "import sys; from skexplain._cli import main; sys.exit(main(sys.argv[1:]))"
SIZE = 96

# One stroke, by pointer events as a hand makes them in a second; returns what each one takes.
STROKE = """
const mask = document.getElementById("mask");
document.querySelector('[data-tool="brush"]').click();
const box = mask.getBoundingClientRect();
const at = (share) => ({ bubbles: true, button: 0, pointerId: 1,
  clientX: box.left + box.width * share, clientY: box.top + box.height * (0.3 + share / 3) });
mask.setPointerCapture = () => {};
const times = [];
for (let i = 0; i <= 60; i++) {
  const start = performance.now();
  const kind = i === 0 ? "pointerdown" : i === 60 ? "pointerup" : "pointermove";
  mask.dispatchEvent(new PointerEvent(kind, at(0.1 + 0.8 * i / 60)));
  times.push(performance.now() - start);
}
return times;
"""


def save_pictures(folder, n_pictures):
    """Save small noisy pictures of two classes."""
    draw = np.random.default_rng(0)
    for number in range(n_pictures):
        path = folder / ("one", "two")[number % 2] / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(path)


def memory_of(process):
    """Return the memory of a process and the most it has had, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    sizes = dict(line.split(":\t") for line in lines if line.startswith("Vm"))
    return [round(int(sizes[name].split()[0]) / 1024) for name in ("VmRSS", "VmHWM")]


def main(folder, n_pictures="10000"):
    """Measure, and print what was measured."""
    folder = Path(folder)
    if not (folder / "photos").exists():
        save_pictures(folder / "photos", int(n_pictures))
    command = [sys.executable, "-c", COMMAND, "studio", str(folder / "photos"), "--no-browser"]
    command.append("--no-training")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in server.stdout:
        if "The studio is at" in line:
            address = line.split()[-1]
            break
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"):
        options.add_argument(argument)
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    measured = {"n_pictures": int(n_pictures), "server_mib_at_start": memory_of(server.pid)}
    paints = []
    for _ in range(3):
        driver.get(address)
        while not driver.find_elements(By.CSS_SELECTOR, ".cell img"):
            time.sleep(0.05)
        time.sleep(2)
        entries = driver.execute_script(
            "return performance.getEntriesByType('paint').map((e) => [e.name, e.startTime])"
        )
        cells = driver.execute_script(
            "return Math.min(...performance.getEntriesByType('resource')"
            ".filter((e) => e.name.includes('/thumbnails/')).map((e) => e.responseEnd))"
        )
        paints.append({**dict(entries), "first_thumbnail": cells})
    measured["milliseconds"] = paints
    times = driver.execute_script(STROKE)
    measured["stroke_ms"] = {
        "median": round(float(np.median(times)), 1), "largest": round(max(times), 1)
    }  # fmt: skip
    # Once through the whole list.
    for place in range(0, 101):
        driver.execute_script(
            "const g = document.getElementById('grid');g.scrollTop = g.scrollHeight * arguments[0]",
            place / 100,
        )
        time.sleep(0.05)
    time.sleep(2)
    measured["cells_in_the_page"] = len(driver.find_elements(By.CSS_SELECTOR, ".cell"))
    measured["page_mib"] = round(
        driver.execute_script("return performance.memory.usedJSHeapSize") / 2**20, 1
    )
    measured["server_mib_at_end"] = memory_of(server.pid)
    print(json.dumps(measured), flush=True)
    driver.quit()
    server.terminate()
    server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
