"""The server: its own page is served, strangers are not, and every answer says what happened."""

import errno
import json
import os
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
from _studio import Client, save_photos, serving, stickers  # noqa: E402

from skexplain.masks import write_annotations  # noqa: E402
from skexplain.studio import Project, _pixels, _tasks, serve  # noqa: E402
from skexplain.studio._files import write_json  # noqa: E402


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    photos = save_photos(folder / "photos")
    (photos / "sick" / "<img src=x onerror=alert(1)>.png").write_bytes(
        (photos / "sick" / "01.png").read_bytes()
    )
    project = Project.create(folder / "project", photos, size=16, max_epochs=1)
    with serving(project) as port:
        yield project, Client(port)


def test_the_page_and_its_files(served):
    _, client = served
    page = client.ask("GET", "/")
    assert page.status == 200
    assert b"<title>skexplain studio</title>" in page.content
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"<script>" not in page.content
    assert b"style=" not in page.content
    for name in ("studio.js", "editor.js", "studio.css"):
        assert client.ask("GET", f"/page/{name}").status == 200
    for name in ("studio.py", "..%2f_server.py", "../_server.py"):
        assert client.ask("GET", f"/page/{name}").status == 404


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"Host": "evil.example"}, "GET", 421),
        ({"Cookie": None}, "GET", 401),
        ({"Cookie": "skexplain-1=a"}, "GET", 401),
        ({"Cookie": "\x7f;=;;"}, "GET", 401),
        ({"Origin": "http://evil.example"}, "POST", 403),
        ({"Origin": None}, "POST", 403),
        ({"Origin": "null"}, "DELETE", 403),
    ],
)
def test_strangers_are_not_served(served, headers, method, status):
    project, client = served
    version = project.version
    for path in ("/", "/api/project", "/api/masks/0", "/thumbnails/0", "/export/script"):
        answer = client.ask(method, path, **headers)
        assert answer.status == status
        assert b"healthy" not in answer.content
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert project.version == version


def test_an_own_address_is_served_and_a_strange_name_is_not(served):
    from skexplain.studio._safety import Guard

    async def app(scope, receive, send):
        raise AssertionError

    guard = Guard(app, "t", {"studio.example"}, 80)
    for server, host, allowed in (
        ("192.168.1.7", "192.168.1.7:80", True),  # listening at 0.0.0.0, reached from outside
        ("192.168.1.7", "192.168.1.8:80", False),
        ("fd00::7", "[fd00::7]:80", True),
        ("192.168.1.7", "studio.example:80", True),
        ("192.168.1.7", "evil.example:80", False),
    ):
        scope = {"method": "GET", "server": (server, 80)}
        assert (guard._problem(scope, {b"host": host}) is None) == allowed


def test_a_wrong_token_opens_nothing(served):
    _, client = served
    for token in ("", "x", "%00"):
        answer = Client(client.port, token=None).ask("GET", f"/?token={token}")
        assert answer.status == 401
        assert answer.headers["set-cookie"] is None


def test_masks_are_read_written_and_cleared(served):
    project, client = served
    mask = np.zeros(project.data.shape, dtype=np.uint8)
    mask[3:6, 2:5] = 1
    body = mask.tobytes()
    answer = client.ask("GET", "/api/masks/2")
    assert (answer.content, answer.headers["etag"]) == (b"", '"0"')
    put = client.json("PUT", "/api/masks/2", body, If_Match='"0"')
    assert put == (200, {"revision": 1})
    assert_array_equal(project.mask_of(2)[0], mask)
    answer = client.ask("GET", "/api/masks/2")
    assert (answer.content, answer.headers["etag"]) == (body, '"1"')
    status, told = client.json("PUT", "/api/masks/2", body, If_Match='"0"')
    assert (status, told["revision"]) == (409, 1)
    assert "changed elsewhere" in told["error"]
    assert client.json("DELETE", "/api/masks/2", If_Match='"1"') == (200, {"revision": 2})
    assert project.mask_of(2) == (None, 2)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "said"),
    [
        ("PUT", "/api/masks/1", b"123", {"If_Match": '"0"'}, 400, "must have 256 bytes"),
        ("PUT", "/api/masks/1", bytes(10_000), {"If_Match": '"0"'}, 400, "must have 256 bytes"),
        ("PUT", "/api/masks/1", bytes(256), {}, 428, "If-Match"),
        ("PUT", "/api/masks/99", bytes(256), {"If_Match": '"0"'}, 400, "There are 17 pictures"),
        ("GET", "/thumbnails/99", None, {}, 400, "There are 17 pictures"),
        ("GET", "/pictures/99", None, {}, 400, "There are 17 pictures"),
        ("GET", "/api/masks/-1", None, {}, 404, "Not Found"),
        ("POST", "/api/masks/1/copy", None, {}, 400, "no mask to copy"),
        ("POST", "/api/tasks?task=rm", None, {}, 400, "no such task"),
        ("POST", "/api/tasks", None, {}, 400, "no such task"),
        ("POST", "/api/suggestions/0/accept", None, {}, 400, "no suggestion"),
        ("GET", "/api/saliency/labels/0", None, {}, 400, "no model of labels alone"),
        ("GET", "/api/saliency/..%2f..%2fproject/0", None, {}, 404, "Not Found"),
        ("GET", "/export/audit", None, {}, 400, "train with the marks first"),
        ("GET", "/export/..%2fproject.json", None, {}, 404, "Not Found"),
    ],
)
def test_what_is_wrong_is_said(served, method, path, body, headers, status, said):
    _, client = served
    answered, told = client.json(method, path, body, **headers)
    assert answered == status
    assert said in told["error"]


def test_marks_are_brought_from_a_file(served, tmp_path):
    project, client = served
    place = next(i for i in range(len(project)) if not project.state_of(i)["annotated"])
    mask = np.zeros((1, *project.data.shape))
    mask[0, 4:9, 4:9] = 1
    write_annotations(
        tmp_path / "coco.json", mask, like=[project.data.geometry[place]], label="sticker",
        images=[project.names[place]],
    )  # fmt: skip
    body = (tmp_path / "coco.json").read_bytes()
    assert client.json("POST", "/api/import?ending=json", body) == (200, {"stored": 1})
    state = project.state_of(place)
    assert (state["annotated"], state["by"]) == (True, "imported")
    assert project.mask_of(place)[0][5, 5]
    assert client.json("POST", "/api/import?ending=json", body) == (200, {"stored": 0})
    client.ask("DELETE", f"/api/masks/{place}", If_Match='"1"')
    for ending, content, status, said in (
        ("exe", body, 400, "must end in one of"),
        ("json/../../x", body, 400, "must end in one of"),
        ("json", b"{", 400, "The file"),
        ("json", bytes((64 << 20) + 1), 413, "at most 64 MiB"),
    ):
        answered, told = client.json("POST", f"/api/import?ending={ending}", content)
        assert answered == status
        assert said in told["error"]


def test_pictures_are_png(served):
    _, client = served
    for path in ("/thumbnails/0", "/pictures/0"):
        answer = client.ask("GET", path)
        assert answer.headers["content-type"] == "image/png"
        assert answer.content.startswith(b"\x89PNG")


def test_a_mask_is_copied_to_the_class(served):
    project, client = served
    mask = stickers(project.X)[-1].astype(np.uint8)
    revision = project.mask_of(len(project) - 1)[1]
    client.json("PUT", f"/api/masks/{len(project) - 1}", mask.tobytes(), If_Match=f'"{revision}"')
    status, told = client.json("POST", f"/api/masks/{len(project) - 1}/copy?to=class")
    assert status == 200
    same = project.y == project.y[-1]
    assert told["stored"] == same.sum() - 1
    for number in np.flatnonzero(same):
        assert_array_equal(project.mask_of(int(number))[0], mask)
    assert not any(project.state_of(int(number))["annotated"] for number in np.flatnonzero(~same))


def test_a_port_that_is_none_is_said(served):
    with pytest.raises(ValueError, match="port must be an integer, 0 to 65535, got 99999"):
        serve(served[0], port=99999)


def test_a_full_disk_is_said(served, monkeypatch):
    project, client = served
    body = bytes(256)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/a/secret/path")

    monkeypatch.setattr(project.data, "write_mask", full)
    status, told = client.json("PUT", "/api/masks/3", body, If_Match='"0"')
    assert status == 500
    assert told["error"] == "A file cannot be read or written: No space left on device."
    monkeypatch.undo()
    assert project.mask_of(3) == (None, 0)
    assert client.json("PUT", "/api/masks/3", body, If_Match='"0"') == (200, {"revision": 1})


def test_what_was_decided_of_a_suggestion_is_kept(served):
    project, client = served
    mask = np.zeros(project.data.shape, dtype=bool)
    mask[0] = True
    items, bits = _tasks._pack({5: mask})
    stored = {f"{name}_{i}": a for i in range(2) for name, a in (("items", items), ("bits", bits))}
    np.savez(project.models / "suggestions.npz", **stored)
    write_json(project.models / "suggestions.json", {"found": [{"text": "a"}, {"text": "b"}]})
    assert client.json("POST", "/api/suggestions/1/reject") == (200, {"stored": 0})
    assert project.mask_of(5)[0] is None
    assert client.json("POST", "/api/suggestions/0/accept") == (200, {"stored": 1})
    assert_array_equal(project.mask_of(5)[0], mask)
    assert client.ask("POST", "/api/suggestions/0/forget").status == 404
    found = client.json("GET", "/api/models")[1]["suggestions"]["found"]
    assert [one["decision"] for one in found] == ["accept", "reject"]
    for ending in ("json", "npz"):
        (project.models / f"suggestions.{ending}").unlink()


def test_a_name_that_has_no_encoding_is_answered(tmp_path):
    photos = save_photos(tmp_path / "photos")
    try:
        (photos / "sick" / "01.png").rename(photos / "sick" / os.fsdecode(b"\xff.png"))
    except OSError:
        pytest.skip("the file system has no such names")
    with serving(Project.create(tmp_path / "project", photos, size=16)) as port:
        states = Client(port).json("GET", "/api/project")[1]["states"]
    assert "sick/\udcff.png" in [state["name"] for state in states]


def test_a_picture_that_has_changed_is_shown_as_it_was_read(tmp_path):
    photos = save_photos(tmp_path / "photos")
    project = Project.create(tmp_path / "project", photos, size=16)
    first = photos / project.names[0]
    for path in photos.glob("*/*.png"):
        os.utime(path, (1, 1))
    assert _pixels.large_picture(project, 0) != _pixels.thumbnail(project, 0)
    Image.new("RGB", (32, 24), "red").save(first)
    os.utime(first, (2**32, 2**32))
    assert _pixels.large_picture(project, 0) == _pixels.thumbnail(project, 0)


@pytest.mark.slow  # other processes; CI runs it with those in a browser
def test_tasks_run_are_followed_and_cancelled(served):
    project, client = served
    assert client.ask("POST", "/api/tasks?task=first&task=first").status == 200
    deadline = time.monotonic() + 240
    while not (project.models / "labels.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    _, models = client.json("GET", "/api/models")
    assert len(models["labels"]["predictions"]) == len(project)
    client.ask("POST", "/api/tasks?task=shuffled&task=suggest")
    client.ask("POST", "/api/cancel")
    while True:  # the event stream ends when nothing runs
        assert time.monotonic() < deadline
        state = first_event(client)["jobs"]
        if state["running"] is None:
            break
        time.sleep(0.1)
    assert state["waiting"] == []
    assert state["error"] is None
    assert not (project.models / "suggestions.json").exists()


def first_event(client):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
    connection.request("GET", "/api/events?since=0", headers=client.headers)
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    line = answer.readline()
    connection.close()
    return json.loads(line.removeprefix(b"data: "))
