"""The whole story in Chromium: look, mark, train again, compare, take away; also by keys alone."""

import base64
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

pytest.importorskip("uvicorn")
webdriver = pytest.importorskip("selenium.webdriver")
from _lesions import save_lesions, stickers_of  # noqa: E402
from _studio import save_photos, stickers, token_of  # noqa: E402
from _studio_kinds import save_letters, save_table, save_texts  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

from skexplain.studio import MaskEditor, Project, _tasks  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromedriver") is None, reason="needs Chromium"),
]

COMMAND = "import sys; from skexplain._cli import main; sys.exit(main(sys.argv[1:]))"


class Served:
    """The command in a process of its own."""

    def __init__(self, folder, *options, data="photos", trains=False):
        self.folder = folder
        command = [sys.executable, "-c", COMMAND, "studio", str(folder / data)]
        command += ["--project", str(folder / "project"), "--no-browser", *map(str, options)]
        if not trains:
            command.append("--no-training")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        printed = ""
        while "The studio is at" not in printed:
            line = self.process.stdout.readline()
            assert line, printed
            printed += line
        self.port, self.token = token_of(printed)
        self.address = f"http://127.0.0.1:{self.port}/?token={self.token}"

    def project(self):
        return Project(self.folder / "project")

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        self.process.communicate(timeout=60)


@pytest.fixture
def start(tmp_path):
    running = []

    def start(*options, n_pictures=24, data="photos", trains=False):
        if not (tmp_path / data).exists():
            save_photos(tmp_path / "photos", n_pictures=n_pictures)
        running.append(
            Served(tmp_path, "--size", 16, "--max-epochs", 3, *options, data=data, trains=trains)
        )
        return running[-1]

    yield start
    for served in running:
        if served.process.poll() is None:
            served.end(signal.SIGKILL)


@pytest.fixture
def drive():
    """Make browsers, and end them."""
    drivers = []

    def drive(*arguments, size=(1400, 900)):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in (
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--window-size={size[0]},{size[1]}", *arguments,
        ):  # fmt: skip
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        drivers.append(webdriver.Chrome(options=options, service=service))
        return drivers[-1]

    yield drive
    for driver in drivers:
        driver.quit()


@pytest.fixture
def browse(drive):
    def browse(address, *arguments, size=(1400, 900), script=""):
        page = Page(drive(*arguments, size=size))
        before_the_page = {"source": script}
        page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", before_the_page)
        page.open(address)
        return page

    return browse


def keep_picture(page, name, size=None, at=None):
    """Save what the window shows, for docs/_static, where SKEXPLAIN_SCREENSHOTS names a folder."""
    folder = os.environ.get("SKEXPLAIN_SCREENSHOTS")
    if folder is not None:
        if size is not None:
            page.driver.set_window_size(*size)
        if at is not None:
            into_view = "arguments[0].scrollIntoView({block: 'end'})"
            page.driver.execute_script(into_view, page.get(at))
        time.sleep(0.5)
        page.driver.save_screenshot(str(Path(folder) / name))


class Page:
    """The page in a browser."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        self.driver.get(address)
        self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, ".cell"))
        self.until(lambda: self.text("facts"))

    def until(self, condition, seconds=120):
        return WebDriverWait(self.driver, seconds, poll_frequency=0.1).until(lambda _: condition())

    def get(self, name):
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        return self.get(name).get_property("textContent")

    def run(self, tasks):
        self.driver.find_element(By.CSS_SELECTOR, f'[data-tasks="{tasks}"]').click()
        self.until(lambda: self.text("job-text") or self.text("message"))
        self.until(lambda: not self.text("job-text"), seconds=500)

    def drag(self, left, top, right, bottom, height, width):
        """Draw from one pixel of the grid to another."""
        mask = self.get("mask")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", mask)
        box = mask.rect
        at = [
            (
                int((x + 0.5) / width * box["width"] - box["width"] / 2),
                int((y + 0.5) / height * box["height"] - box["height"] / 2),
            )
            for x, y in ((left, top), (right, bottom))
        ]
        chain = webdriver.ActionChains(self.driver).move_to_element_with_offset(mask, *at[0])
        chain.click_and_hold().move_by_offset(at[1][0] - at[0][0], at[1][1] - at[0][1])
        chain.release().perform()

    def keys(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def words(self):
        return self.driver.find_elements(By.CSS_SELECTOR, "#words button")

    def missing_exports(self):
        """Return the names of what cannot be taken away."""
        missing = []
        for link in self.driver.find_elements(By.CSS_SELECTOR, "[data-export]"):
            fetched = "return arguments[0].href && fetch(arguments[0].href).then((a) => a.ok)"
            answered = self.driver.execute_script(fetched, link)
            assert answered is not False
            if not answered:
                missing.append(link.get_attribute("data-export"))
        return missing

    def problems(self):
        """Return the errors that the browser reports."""
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]


def test_the_whole_story(start, browse, tmp_path):
    served = start(n_pictures=40, trains=True)
    page = browse(served.address)
    page.until(lambda: "labels alone" in page.text("models"), seconds=500)  # at once
    page.run("first suggest")
    assert page.text("message") == ""
    assert "labels alone" in page.text("models")
    Select(page.get("order")).select_by_value("name")
    page.driver.find_element(By.CSS_SELECTOR, ".cell").click()
    project = served.project()
    page.until(lambda: project.names[0] == page.text("item-title"))
    truth = stickers(project.X)
    for number, mask in enumerate(truth):
        if not mask.any():
            page.get("nothing").click()
        else:
            rows, columns = np.nonzero(mask)
            corners = columns.min(), rows.min(), columns.max(), rows.max()
            page.drag(*map(int, corners), *project.data.shape)
        page.until(lambda number=number: served.project().mask_of(number)[1])
        page.get("after").click()
        if number + 1 < len(truth):
            page.until(lambda number=number: project.names[number + 1] == page.text("item-title"))
    drawn = np.stack(served.project().masks())
    assert (drawn & truth).sum() / (drawn | truth).sum() > 0.9
    page.until(lambda: "mask: 40" in page.text("marked"))
    page.run("marks first shuffled")
    assert page.text("message") == ""
    table = page.text("models")
    for title in ("labels alone", "labels and marks", "labels and marks of other pictures"):
        assert title in table
    assert "predictions are changed" in page.text("changed")
    Select(page.get("looks-of")).select_by_value("marks")
    looks = "return arguments[0].getContext('2d').getImageData(0, 0, 16, 16).data.some((v) => v)"
    page.until(lambda: page.driver.execute_script(looks, page.get("looks")))
    assert page.problems() == []
    assert page.missing_exports() == ["corrected"]  # it was not asked for


def test_texts_with_a_decoy_word(start, browse, tmp_path):
    save_letters(tmp_path / "letters.csv", n_letters=160)
    served = start("--max-epochs", 40, data="letters.csv")
    page = browse(served.address)
    assert not page.get("stage").is_displayed()
    Select(page.get("filter")).select_by_value("class ill")
    page.driver.find_element(By.CSS_SELECTOR, ".cell").click()
    page.until(lambda: "class ill" in page.text("facts"))
    project = served.project()
    assert page.text("words") == project.X[project.names.index(page.text("item-title"))]
    portable = next(word for word in page.words() if word.text == "Portable")
    portable.click()
    page.until(lambda: "marked by you" in page.text("facts"))
    page.get("copy-all").click()
    page.until(lambda: "mask: 160" in page.text("marked"))
    for mask, number in zip(served.project().masks(), range(160), strict=True):
        words = [word for word, _ in project.data.content(number)["words"]]
        assert mask.tolist() == [word == "Portable" for word in words]
    page.run("marks first shuffled")
    assert page.text("message") == ""
    assert "other words, drawn at random" in page.text("models")
    page.run("corrected first")
    assert "then corrected" in page.text("models")
    looks = Select(page.get("looks-of"))
    for of in ("marks", "labels"):
        looks.select_by_value(of)
        page.until(lambda: any("looks-4" in w.get_attribute("class") for w in page.words()))
    keep_picture(page, "studio-texts.png", size=(1400, 740), at="models")
    assert page.missing_exports() == []
    assert page.problems() == []


def test_words_by_keys_alone(start, browse, tmp_path):
    save_texts(tmp_path / "texts.csv")
    served = start("--max-epochs", 1, data="texts.csv")
    page = browse(served.address)
    number = served.project().names.index(page.text("item-title"))
    for _ in range(30):
        page.keys(Keys.TAB)
        if page.driver.switch_to.active_element == page.words()[0]:
            break
    page.keys(Keys.ARROW_RIGHT, " ", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, " ")
    page.until(lambda: served.project().mask_of(number)[1] == 2)
    assert np.flatnonzero(served.project().mask_of(number)[0]).tolist() == [1, 3]
    page.keys("z")
    page.until(lambda: served.project().mask_of(number)[1] == 3)
    assert np.flatnonzero(served.project().mask_of(number)[0]).tolist() == [1]
    page.keys("0")
    assert "move between words" in page.get("word-keys").text
    assert not page.get("column-keys").is_displayed()
    page.until(lambda: served.project().mask_of(number)[1] == 4)
    assert not served.project().mask_of(number)[0].any()
    assert page.problems() == []


def test_a_table_with_a_leaking_column(start, browse, tmp_path):
    pytest.importorskip("pandas")
    save_table(tmp_path / "table.csv", n_rows=200, n_noise=4)
    served = start("--label", "outcome", "--max-epochs", 20, data="table.csv")
    page = browse(served.address)
    assert not page.get("word-keys").is_displayed()
    assert "move between columns" in page.get("column-keys").text
    page.run("first suggest")
    assert page.text("message") == ""
    first = "return document.querySelector('.cell b').textContent"
    page.until(lambda: page.driver.execute_script(first) == "ward")  # leaned on most
    page.driver.execute_script("document.querySelector('.cell').click()")
    page.until(lambda: page.text("item-title") == "ward")
    assert "A (" in page.text("classes")
    page.until(lambda: "“ward”" in page.text("suggestions"))
    page.keys("a")  # it must not matter
    page.until(lambda: served.project().state_of(1)["annotated"])
    page.run("marks first shuffled")
    assert page.text("message") == ""
    keep_picture(page, "studio-table.png", size=(1400, 740))
    models = _tasks.read_record(served.project(), "labels")
    assert models["verdict"] == "leans"
    assert _tasks.read_record(served.project(), "marks")["verdict"] != "leans"
    assert page.missing_exports() == ["corrected"]
    assert page.problems() == []


def test_columns_by_keys_alone(start, browse, tmp_path):
    pytest.importorskip("pandas")
    save_table(tmp_path / "table.csv")
    served = start("--label", "outcome", data="table.csv")
    page = browse(served.address)
    grid = page.get("grid")
    for _ in range(30):
        page.keys(Keys.TAB)
        if page.driver.switch_to.active_element == grid:
            break
    page.keys(Keys.ARROW_RIGHT)
    page.until(lambda: page.text("item-title") == "ward" and "ward must" in page.text("words"))
    page.keys(Keys.ENTER, " ")
    page.until(lambda: served.project().state_of(1)["annotated"])
    assert served.project().mask_of(1)[0].all()
    assert page.problems() == []


@pytest.mark.parametrize("data", ["photos", "texts.csv", "table.csv"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(start, browse, tmp_path, data, scheme):
    """No rule of axe-core for accessibility is broken, as far as it can be computed."""
    axe = pytest.importorskip("axe_core_python")
    if data != "photos":
        pytest.importorskip("pandas")
        (save_texts if data == "texts.csv" else save_table)(tmp_path / data)
    options = ["--label", "outcome"] if data == "table.csv" else []
    page = browse(start(*options, data=data).address)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.driver.set_script_timeout(120)
    script = Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    page.driver.execute_script(script)
    found = page.driver.execute_async_script("axe.run().then(arguments[0])")
    broken = [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in found["violations"]]
    assert broken == []


def test_by_keys_alone(start, browse):
    served = start()
    page = browse(served.address)
    canvas = page.get("mask")
    for _ in range(30):
        page.keys(Keys.TAB)
        if page.driver.switch_to.active_element == canvas:
            break
    assert page.driver.switch_to.active_element == canvas
    assert page.driver.execute_script(
        "return getComputedStyle(arguments[0]).outlineStyle", canvas
    ) != "none"  # fmt: skip
    page.keys(Keys.ARROW_UP, " ", *[Keys.ARROW_RIGHT] * 3, *[Keys.ARROW_DOWN] * 2, " ")
    page.until(lambda: served.project().mask_of(0)[1] == 1)
    expected = np.zeros((16, 16), dtype=bool)
    expected[7:10, 8:12] = True
    assert_array_equal(served.project().mask_of(0)[0], expected)
    page.keys("z")
    page.until(lambda: served.project().mask_of(0)[1] == 2)
    assert served.project().mask_of(0)[0] is None
    page.keys("y")
    page.until(lambda: served.project().mask_of(0)[1] == 3)
    assert_array_equal(served.project().mask_of(0)[0], expected)
    page.keys("o", Keys.SHIFT, Keys.NULL)
    page.keys(" ", *[Keys.ARROW_LEFT] * 4, " ", *[Keys.ARROW_UP] * 4, " ", Keys.ENTER)
    page.until(lambda: served.project().mask_of(0)[1] == 4)
    assert served.project().mask_of(0)[0].sum() > expected.sum()
    page.keys(".")
    page.until(lambda: page.text("item-title") == served.project().names[1])
    page.keys("0")
    page.until(lambda: served.project().mask_of(1)[1] == 1)
    assert not served.project().mask_of(1)[0].any()
    page.keys("u")
    page.until(lambda: served.project().mask_of(1)[1] == 2)
    assert served.project().mask_of(1)[0] is None
    assert page.problems() == []


def test_two_windows_do_not_overwrite_each_other(start, browse):
    served = start()
    one, two = browse(served.address), browse(served.address)
    one.drag(2, 2, 6, 6, 16, 16)
    two.until(lambda: "marked by you" in two.text("facts"))  # it is shown there, too
    two.drag(9, 9, 12, 12, 16, 16)
    two.until(lambda: served.project().mask_of(0)[1] == 2)
    mask = served.project().mask_of(0)[0]
    assert mask[3, 3]
    assert mask[10, 10]


DEAF = "window.EventSource = class { addEventListener() {} close() {} };"


def test_a_window_that_has_missed_a_change_does_not_undo_it(start, browse):
    served = start()
    deaf, other = browse(served.address, script=DEAF), browse(served.address)
    other.drag(2, 2, 6, 6, 16, 16)
    other.until(lambda: served.project().mask_of(0)[1] == 1)
    deaf.drag(9, 9, 12, 12, 16, 16)
    deaf.until(lambda: "changed in another window" in deaf.text("message"))
    mask, revision = served.project().mask_of(0)
    assert revision == 1
    assert not mask[10, 10]
    deaf.drag(9, 9, 12, 12, 16, 16)  # on what it was shown then
    deaf.until(lambda: served.project().mask_of(0)[1] == 2)
    mask = served.project().mask_of(0)[0]
    assert mask[3, 3]
    assert mask[10, 10]


# Answers are read late, and how often masks are asked for is counted.
LATE = """
const [ask, json] = [window.fetch, Response.prototype.json];
window.n_read = 0;
window.fetch = (...given) => {
  if (given[0].startsWith("/api/masks/") && !given[1]?.body) window.n_read += 1;
  return ask(...given);
};
Response.prototype.json = async function () {
  const record = await json.call(this);
  if (this.url.includes("/api/masks/")) await new Promise((done) => setTimeout(done, 1500));
  return record;
};
"""


def test_its_own_mark_is_no_change_from_elsewhere(start, browse):
    """The event of a mark may come before the answer: the mask is not read anew, nor undo lost."""
    served = start()
    page = browse(served.address, script=LATE)
    page.drag(2, 2, 6, 6, 16, 16)
    page.until(lambda: "marked by you" in page.text("facts"))  # so the event is there
    page.drag(9, 9, 12, 12, 16, 16)
    page.until(lambda: served.project().mask_of(0)[1] == 2)
    page.keys("z")
    page.until(lambda: served.project().mask_of(0)[1] == 3)
    assert not served.project().mask_of(0)[0][10, 10]
    assert page.driver.execute_script("return window.n_read") == 1  # when it was opened
    assert page.text("message") == ""


# Masks of other pictures than the first are read late.
SLOW = """
const ask = window.fetch;
window.fetch = async (...given) => {
  const read = /api\\/masks\\/[1-9]/.test(given[0]) && !given[1]?.headers;
  if (read) await new Promise((done) => { window.go = done; });
  return ask(...given);
};
"""


def test_nothing_is_marked_before_the_mask_is_there(start, browse):
    served = start()
    page = browse(served.address, script=SLOW)
    page.drag(2, 2, 6, 6, 16, 16)
    page.until(lambda: served.project().mask_of(0)[1] == 1)
    page.keys(".")
    page.until(lambda: page.driver.execute_script("return Boolean(window.go)"))
    page.drag(2, 9, 6, 12, 16, 16)
    page.keys("0", "z")
    page.driver.execute_script("window.go()")
    page.until(lambda: page.text("item-title") == served.project().names[1])
    page.drag(9, 9, 12, 12, 16, 16)
    page.until(lambda: served.project().mask_of(1)[1] == 1)
    mask = np.zeros((16, 16), dtype=bool)
    mask[9:13, 9:13] = True
    assert_array_equal(served.project().mask_of(1)[0], mask)
    assert served.project().mask_of(0)[1] == 1


CUT = """
const ask = window.fetch;
window.fetch = (...given) => window.cut ? Promise.reject(new TypeError("cut")) : ask(...given);
"""


def test_marks_are_stored_once_the_server_answers(start, browse):
    served = start()
    page, other = browse(served.address, script=CUT), browse(served.address)
    names = served.project().names
    for number in (0, 1):
        page.until(lambda number=number: page.text("item-title") == names[number])
        page.driver.execute_script("window.cut = true")
        page.drag(2, 2, 6, 6, 16, 16)
        page.until(lambda number=number: f"not stored yet: {number + 1}" in page.text("unsaved"))
        page.keys(".")
        page.until(lambda: page.text("message") == "The server did not answer.")
        page.driver.execute_script("window.cut = false")
        page.keys(",", ".")
    page.keys(",", ",")
    page.until(lambda: page.text("item-title") == names[0])
    painted = "return arguments[0].getContext('2d').getImageData(16, 16, 1, 1).data[3]"
    assert page.driver.execute_script(painted, page.get("mask"))  # it is shown all the time
    other.keys(".")
    other.until(lambda: other.text("item-title") == names[1])
    other.drag(9, 9, 12, 12, 16, 16)
    other.until(lambda: served.project().mask_of(1)[1] == 1)
    page.get("store").click()
    page.until(lambda: f"The mask of {names[1]} was changed" in page.text("message"))
    assert not page.get("unsaved").is_displayed()
    assert served.project().mask_of(0)[0][3, 3]
    mask, revision = served.project().mask_of(1)
    assert (mask[3, 3], mask[10, 10], revision) == (False, True, 1)


def test_a_killed_server_costs_no_stroke(start, browse):
    served = start()
    page = browse(served.address)
    page.drag(2, 2, 6, 6, 16, 16)
    page.until(lambda: served.project().mask_of(0)[1] == 1)
    served.end(signal.SIGKILL)
    page.until(lambda: page.get("connection").is_displayed())
    page.drag(9, 9, 12, 12, 16, 16)
    page.until(lambda: "not stored yet" in page.text("unsaved"))
    assert "does not answer" in page.get("connection").text  # no message hides it
    again = start()
    other = browse(again.address)
    Select(other.get("order")).select_by_value("name")
    other.driver.find_element(By.CSS_SELECTOR, ".cell").click()
    other.until(lambda: "marked by you" in other.text("facts"))
    assert served.project().mask_of(0)[0][3, 3]


def test_a_second_server_says_that_the_project_is_open(start, tmp_path):
    served = start()
    command = [sys.executable, "-c", COMMAND, "studio", str(tmp_path / "photos")]
    command += ["--project", str(served.folder / "project"), "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "is open in another process" in done.stderr


def test_hostile_names_are_text(start, browse, tmp_path):
    save_photos(tmp_path / "photos")
    hostile = tmp_path / "photos" / "<b onclick=alert(1)>healthy"
    os.rename(tmp_path / "photos" / "healthy", hostile)
    (hostile / "00.png").rename(hostile / '"><img src=x onerror=alert(1)>.png')
    page = browse(start().address)
    assert "<b onclick=alert(1)>healthy" in page.text("facts")
    assert not page.driver.find_elements(By.CSS_SELECTOR, "b, img[src=x]")
    assert page.problems() == []


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (400, "dark"), (1400, "dark")])
def test_narrow_and_dark(start, browse, width, scheme):
    page = browse(start().address, "--force-dark-mode", size=(width, 900))
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    time.sleep(0.3)
    overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.driver.execute_script(overflow) <= 0
    page.drag(3, 3, 8, 8, 16, 16)
    page.until(lambda: "marked by you" in page.text("facts"))
    keep_picture(page, f"studio-{width}-{scheme}.png")


# A notebook's side of the widget, without a kernel: what is sent is kept.
_NOTEBOOK = """
const [script, png, done] = arguments;
const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
const view = new DataView(bytes.buffer);
const state = { number: 0, n_samples: 2, shape: [8, 8], shown: { png: view, marks: null } };
const model = {
  sent: [], get: (name) => state[name], set: (name, value) => { state[name] = value; },
  save_changes: () => {}, on: () => {}, off: () => {},
  send: (content, _, buffers) => model.sent.push([content, [...new Uint8Array(buffers[0])]]),
};
window.model = model;
import(URL.createObjectURL(new Blob([script], { type: "text/javascript" }))).then((module) => {
  module.default.render({ model, el: document.body });
  done(document.body.textContent);
});
"""


def test_the_editor_in_a_notebook(drive):
    pytest.importorskip("anywidget")
    editor = MaskEditor(np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8))
    driver = drive()
    png = base64.b64encode(editor.widget.shown["png"]).decode()
    text = driver.execute_async_script(_NOTEBOOK, str(editor.widget._esm), png)
    assert "1 of 2: not looked at" in text
    driver.execute_script("document.querySelector('canvas').focus()")
    keys = (Keys.ARROW_UP, " ", *[Keys.ARROW_RIGHT] * 2, Keys.ARROW_DOWN, " ")
    webdriver.ActionChains(driver).send_keys(*keys).perform()
    ((content, marks),) = driver.execute_script("return model.sent")
    editor._take(content, [bytes(marks)])
    expected = np.zeros((8, 8), dtype=bool)
    expected[3:5, 4:7] = True
    assert_array_equal(editor.mask[0], expected)
    assert "1 of 2: marked" in driver.find_element(By.TAG_NAME, "p").text


_CAPTION = """
let box = document.getElementById("caption");
if (!box) {
  box = document.createElement("p");
  box.id = "caption";
  document.body.append(box);
}
box.textContent = arguments[0];
document.querySelector("main").style.height = "calc(100vh - 6.4rem)"; // above the caption
box.style.cssText = "pointer-events: none; position: fixed; left: 0; right: 0; bottom: 0;"
  + "margin: 0; padding: .6rem 1rem; background: #00405f; color: #fff; font-size: 1.25rem;";
"""


_NO_CAPTION = """
document.getElementById("caption").remove();
document.querySelector("main").style.height = "";
"""


class Film:
    """Pictures of the page, each with a caption and how long it is shown."""

    def __init__(self, page):
        self.page, self.frames, self.seconds = page, [], []

    def show(self, caption, seconds, *, at=None):
        if at is not None:
            place = self.page.driver.find_element(By.CSS_SELECTOR, at)
            into_view = "arguments[0].scrollIntoView({block: 'center'})"
            self.page.driver.execute_script(into_view, place)
        self.page.driver.execute_script(_CAPTION, caption)
        loaded = "return document.getElementById('picture').complete"
        self.page.until(lambda: self.page.driver.execute_script(loaded))
        png = self.page.driver.get_screenshot_as_png()
        with Image.open(io.BytesIO(png)) as picture:
            self.frames.append(picture.convert("RGB"))
        self.seconds.append(seconds)

    def run(self, caption, tasks=None, *, at):
        """Show what runs, in at most four pictures."""
        page, first = self.page, len(self.frames)
        if tasks:
            page.driver.find_element(By.CSS_SELECTOR, f'[data-tasks="{tasks}"]').click()
        page.until(lambda: page.text("job-text") or page.text("message"))
        while page.text("job-text"):
            self.show(caption, 0.8, at=at)
            time.sleep(0.5)
        kept = np.unique(np.linspace(first, len(self.frames) - 1, 4).astype(int)).tolist()
        self.frames[first:] = [self.frames[i] for i in kept]
        self.seconds[first:] = [0.8] * len(kept)
        assert page.text("message") == ""

    def save(self, path):
        durations = [int(1000 * seconds) for seconds in self.seconds]
        self.frames[0].save(
            path, save_all=True, append_images=self.frames[1:], duration=durations, loop=0,
            quality=50, method=4,
        )  # fmt: skip


def test_the_story_in_a_minute(start, browse, tmp_path):
    """The animation of docs/studio.md; SKEXPLAIN_SCREENSHOTS names a folder that keeps it."""
    save_lesions(tmp_path / "photos")
    served = start("--size", 48, "--max-epochs", 40, "--network", "small", trains=True)
    page = browse(served.address, size=(1120, 720))
    film = Film(page)
    film.run("A folder of photographs. A first model is trained at once.", at="#steps li")
    page.until(lambda: page.text("suggestions"))
    film.show("It is searched for what gives the labels away.", 4, at="#suggestions")
    project = served.project()
    truth = stickers_of(project.X)
    Select(page.get("looks-of")).select_by_value("labels")
    for turn in range(16):
        number = project.names.index(page.text("item-title"))
        long = turn < 2
        if long:
            film.show("Where the model looks is yellow. What must not matter is marked:", 2)
        if truth[number].any():
            rows, columns = np.nonzero(truth[number])
            corners = columns.min(), rows.min(), columns.max(), rows.max()
            page.drag(*map(int, corners), *project.data.shape)
        else:
            page.keys("0")
        page.until(lambda number=number: served.project().mask_of(number)[1])
        film.show("a box around each sticker; or, where there is none, Nothing here.",
                  2 if long else 0.4)  # fmt: skip
        page.keys(".")
        page.until(lambda number=number: project.names[number] != page.text("item-title"))
    film.run("The other masks are guessed from these,", "propagate", at="#marked")
    Select(page.get("filter")).select_by_value("guessed")
    # In one step: an event may draw the list anew meanwhile.
    page.driver.execute_script("document.querySelector('.cell').click()")
    page.until(lambda: "mask guessed" in page.text("facts"))
    film.show("and checked: a wrong guess is corrected like any mask.", 4, at="#marked")
    training = '[data-tasks="marks first shuffled"]'
    film.run("It is trained again, with the marks and with marks that mean nothing.",
             "marks first shuffled", at=training)  # fmt: skip
    film.show("Compared on pictures that were held out:", 4, at="#models")
    film.run("Or the first model is corrected, in seconds.", "corrected first", at="#models")
    film.show("Right before and after stickers are exchanged.", 6, at="#models")
    Select(page.get("looks-of")).select_by_value("marks")
    time.sleep(0.5)
    film.show("With the marks the model looks at the lesion.", 4, at="#models")
    film.show("Models, audits, masks and a script are taken away as files.", 4, at="#exports")
    folder = Path(os.environ.get("SKEXPLAIN_SCREENSHOTS", tmp_path))
    film.save(folder / "studio.webp")
    Select(page.get("looks-of")).select_by_value("labels")
    page.driver.execute_script(_NO_CAPTION)
    keep_picture(page, "studio.png", size=(1400, 840), at="exports")
    records = {kind: _tasks.read_record(project, kind) for kind in ("labels", "marks")}
    assert records["marks"]["accuracy_after_swap"] > records["labels"]["accuracy_after_swap"]
    assert 40 < sum(film.seconds) < 75
    assert (folder / "studio.webp").stat().st_size < 1_500_000
    assert page.problems() == []
