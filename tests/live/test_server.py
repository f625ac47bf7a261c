"""The server as others meet it: over HTTP, with what they should not send."""

import contextlib
import json
import socket
import threading
import time

import pytest

import augrng as ar
from pipelines.commands import table
from pipelines.live import server
from pipelines.live.album import Album, index
from tests.live.serving import Asked, album_of, serving

FLIP = {"seed": "3", "transforms": [{"type": "RandomFlip"}]}


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    folder = tmp_path_factory.mktemp("album")
    with serving(album_of(folder)) as asked:
        asked.folder = folder
        yield asked


def raw(ask, request):
    """What the server answers to bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", ask.port), timeout=600) as connection:
        connection.sendall(request)
        found = b""
        while part := connection.recv(65536):
            found += part
            if found.endswith(b"\r\n\r\n"):
                break
        return found


def test_it_answers_at_this_machine_alone(ask):
    status, headers, body = ask("/")
    assert status == 200
    assert b"<title>augrng serve</title>" in body
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    with open("/proc/net/tcp") as file:
        listening = [line.split()[1] for line in file if line.split()[3] == "0A"]
    assert f"0100007F:{ask.port:04X}" in listening
    assert f"00000000:{ask.port:04X}" not in listening


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:{port}.evil.example"}, 403),
        ({"Host": "localhost:{port}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://127.0.0.1:{port}"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_others_are_refused(ask, headers, status):
    headers = {name: value.format(port=ask.port) for name, value in headers.items()}
    assert ask("/start", headers=headers)[0] == status
    assert ask("/load", {"text": "RandomFlip()"}, headers=headers)[0] == status


def test_a_link_of_another_page_opens_the_page_alone(ask):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask("/", headers=headers)[0] == 200
    assert ask("/originals/0", headers=headers)[0] == 403


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "TRACE", "PATCH"])
def test_other_methods_are_refused(ask, method):
    assert ask("/start", method=method)[0] == 405
    assert ask("/page/main.js", method=method)[0] == 405


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_what_forms_send_is_refused(ask, kind):
    body = json.dumps({"text": "RandomFlip()"})
    assert ask("/load", body, headers={"Content-Type": kind})[0] == 415


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.png", "/page/../../album.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page/%2e%2e%2f%2e%2e%2fapp.py",
        "/page//etc/passwd", "/page/%2fetc%2fpasswd", "/etc/passwd", "//etc/passwd", "/page/..\\app.py", "/page/%00", "/page/",
        "/originals/../../secret.png", "/originals/-1", "/originals/99", "/originals/0/..", "/originals/a%2f0.png",
        "/originals/1e0", "/originals/999999999999999999999999", "/a/0.png", "/page/app.py", "/nothing",
    ],
)  # fmt: skip
def test_no_path_leads_anywhere(ask, path):
    status, _, body = ask(path)
    assert status in (400, 404)
    assert b"root:" not in body
    assert b"import" not in body


def test_the_index_holds_the_folder_alone(ask):
    found = json.loads(ask("/start")[2])
    names = [image["name"] for image in found["images"]]
    assert names == ["a/0.png", "a/1.png", "a/2.png", "a/broken.png", "a/within.png"]
    (ask.folder / "photos/a/2.png").rename(ask.folder / "photos/a/moved.png")
    (ask.folder / "photos/a/2.png").symlink_to(ask.folder / "secret.png")  # put there later
    status, _, body = ask("/originals/2")
    assert status == 200
    assert b"no longer the file" in body
    (ask.folder / "photos/a/2.png").unlink()
    (ask.folder / "photos/a/moved.png").rename(ask.folder / "photos/a/2.png")


def test_large_bodies_are_refused(ask):
    before = ask.megabytes()
    head = f"POST /load HTTP/1.1\r\nHost: 127.0.0.1:{ask.port}\r\nContent-Type: application/json\r\n"
    said = raw(ask, f"{head}Content-Length: 50000000\r\n\r\n{{".encode())
    assert said.startswith(b"HTTP/1.1 413 ")
    text = json.dumps({"text": " " * 300_000})
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may close before all is sent
        assert ask("/load", text)[0] == 413
    sent = 0
    with socket.create_connection(("127.0.0.1", ask.port), timeout=600) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            for _ in range(50):
                sent += connection.send(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
    assert sent < 50 << 20
    assert raw(ask, b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n").startswith(b"HTTP/1.0 431 ")
    assert ask("/start")[0] == 200
    assert ask.megabytes() - before < 20


def test_a_client_that_goes_away_costs_nothing(ask):
    body = json.dumps({"recipe": FLIP, "tiles": [[0, epoch] for epoch in range(4)]}).encode()
    head = f"POST /tiles HTTP/1.1\r\nHost: 127.0.0.1:{ask.port}\r\nContent-Type: application/json\r\n"
    assert ask("/tiles", body)[0] == 200
    before = ask.files()
    for _ in range(5):  # gone before it has sent all, and before it is answered
        with socket.create_connection(("127.0.0.1", ask.port)) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
        with socket.create_connection(("127.0.0.1", ask.port)) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert ask("/tiles", body)[0] == 200
    for _ in range(600):  # a machine may be busy
        if ask.files() <= before + 1:
            break
        time.sleep(0.1)
    assert ask.files() <= before + 1


class Held(Album):
    """Images that are slow to come: not before they are let go; `begun` counts who waits for one."""

    def __init__(self, entries):
        super().__init__(entries, 32)
        self.begun, self.let_go = threading.Semaphore(0), threading.Event()

    def pixels(self, number):
        self.begun.release()
        assert self.let_go.wait(600)
        return super().pixels(number)


def test_slow_requests_do_not_hold_up_others(tmp_path):
    album = Held(index([album_of(tmp_path)])[0])
    made = server.server(album, ar.Compose([ar.RandomFlip()], seed=3), 0)
    ask, answers = Asked(None, made.effective_port), []
    body = {"recipe": FLIP, "tiles": [[0, 0]]}
    slow = [threading.Thread(target=lambda: answers.append(ask("/tiles", body)[0])) for _ in range(6)]
    runs = threading.Thread(target=made.run)
    for thread in (runs, *slow):
        thread.start()
    try:
        for _ in range(4):
            assert album.begun.acquire(timeout=600)
        assert ask("/start")[0] == 200
        assert ask("/load", {"text": "RandomFlip()"})[0] == 200
        assert not album.begun.acquire(blocking=False)  # no more than four draw
        assert answers == []
    finally:
        album.let_go.set()
        for thread in slow:
            thread.join()
        made.trigger.pull_trigger(made.close)
        runs.join()
        made.task_dispatcher.shutdown()
    assert answers == [200] * 6


def test_a_thousand_requests(ask):
    def some(number):
        recipe = {
            "seed": str(number),
            "transforms": [{"type": "RandomBrightness", "max_delta": number / 1000}],
        }
        assert ask("/tiles", {"recipe": recipe, "tiles": [[0, number]]})[0] == 200

    for number in range(10):
        some(number)
    files, megabytes = ask.files(), ask.megabytes()
    for number in range(1000):
        if number % 50 == 0:
            some(number)
        elif number % 3 == 0:
            assert b"p must be a number" in ask("/load", {"text": f"RandomFlip(p={number + 1})"})[2]
        else:
            assert ask("/originals/0")[0] == 200
    assert ask.files() <= files + 2
    assert ask.megabytes() - megabytes < 60


def test_a_port_in_use_is_said_in_one_line(ask, capsys):
    assert table.main(["serve", str(ask.folder / "photos"), "--port", str(ask.port)]) == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "port" in line]
    assert said == f"serve: port: {ask.port} is in use; --port {ask.port + 1} may be free, --port 0 finds one"


def test_what_cannot_be_shown_is_refused(tmp_path, refused):
    assert "images: must hold at least one image" in refused(table.main, "serve", str(tmp_path))
    said = refused(table.main, "serve", str(tmp_path / "none"))
    assert "images: must be a file or folder that exists" in said
    assert "serve: MixUp: cannot be shown here" in refused(table.main, "serve", "--recipe", "MixUp()")
