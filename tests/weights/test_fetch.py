"""Weights from a server: whole or not at all, resumable, recorded at the first use."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from typer.testing import CliRunner

from eftvideo.cli.app import app
from eftvideo.errors import WeightsCorruptError, WeightsNotFoundError
from eftvideo.regressors.hmr import Model
from eftvideo.weights import locate as weights
from eftvideo.weights.download import fetch
from eftvideo.weights.locate import ENV_FOLDER, WeightSpec

CONTENT = bytes(range(256)) * 4000


@dataclass
class Server:
    """What the server has, how it behaves, and what it was asked for."""

    content: bytes = CONTENT
    tag: str = '"one"'
    break_after: int | None = None
    status: int = 200
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, server: Server, *args) -> None:
        self.state = server
        super().__init__(*args)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        state, wanted = self.state, self.headers.get("Range")
        state.ranges.append(wanted)
        if state.status != 200:
            self.send_error(state.status)
            return
        first = 0
        if wanted and self.headers.get("If-Range") == state.tag:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(state.content):
                self.send_error(416)
                return
        body = state.content[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", state.tag)
        self.end_headers()
        self.wfile.write(body[: state.break_after])


@pytest.fixture
def server():
    state = Server()
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, state))
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{listening.server_address[1]}/net.pt"
    yield state
    listening.shutdown()
    listening.server_close()


@pytest.fixture
def spec(server):
    return WeightSpec("net.pt", None, "free", "a test", "http://page", server.url)


def test_a_file_is_fetched_and_recorded(server, spec, tmp_path):
    told = []
    done = fetch(spec, tmp_path, lambda *now: told.append(now))
    assert done.path.read_bytes() == CONTENT and not done.was_there
    assert done.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.pt", "net.pt.sha256"]
    assert fetch(spec, tmp_path).was_there and len(server.ranges) == 1


def test_it_goes_on_where_it_broke_off(server, spec, tmp_path):
    server.break_after = 300_000
    with pytest.raises(WeightsNotFoundError, match="with 300000 bytes here") as e:
        fetch(spec, tmp_path)
    assert "\n" not in str(e.value) and not (tmp_path / "net.pt").exists()
    server.break_after = None
    assert fetch(spec, tmp_path).path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_two_versions_are_not_mixed(server, spec, tmp_path):
    server.break_after = 300_000
    with pytest.raises(WeightsNotFoundError):
        fetch(spec, tmp_path)
    server.break_after, server.tag, server.content = None, '"two"', CONTENT[::-1]
    assert fetch(spec, tmp_path).path.read_bytes() == CONTENT[::-1]


def test_a_part_that_is_whole_already(server, spec, tmp_path):
    (tmp_path / "net.pt.part").write_bytes(CONTENT)
    (tmp_path / "net.pt.part.tag").write_text(server.tag)
    assert fetch(spec, tmp_path).path.read_bytes() == CONTENT


def test_another_content_than_the_recorded_is_refused(server, spec, tmp_path):
    with pytest.raises(WeightsCorruptError, match="sha256 should be 00"):
        fetch(replace(spec, sha256="00" * 32), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_server_without_it(server, spec, tmp_path, status):
    server.status = status
    with pytest.raises(WeightsNotFoundError, match=f"answers {status}") as e:
        fetch(spec, tmp_path)
    assert "\n" not in str(e.value) and not list(tmp_path.iterdir())


def test_no_server(spec, tmp_path):
    with pytest.raises(WeightsNotFoundError, match="the same command goes on"):
        fetch(replace(spec, download="http://127.0.0.1:9/net.pt"), tmp_path)


def test_one_file_of_an_archive(server, spec, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in (("data/config.yaml", b"x"), ("logs/epoch=35.pt", CONTENT)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    server.content, spec = packed.getvalue(), replace(spec, member="*.pt")
    done = fetch(spec, tmp_path)
    assert done.path.read_bytes() == CONTENT
    assert done.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.pt", "net.pt.sha256"]
    assert fetch(spec, tmp_path).was_there


def test_another_thing_than_an_archive_leaves_nothing(spec, tmp_path):
    with pytest.raises(WeightsCorruptError, match="not a whole tar archive"):
        fetch(replace(spec, member="*.pt"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_changed_since_its_first_use(spec, tmp_path, monkeypatch):
    monkeypatch.setenv(ENV_FOLDER, str(tmp_path))
    path = tmp_path / "net.pt"
    path.write_bytes(b"mine")
    assert weights.resolve(spec) == path
    assert (tmp_path / "net.pt.sha256").read_text().endswith("  net.pt\n")
    assert weights.resolve(spec) == path
    path.write_bytes(b"other")
    with pytest.raises(WeightsCorruptError, match="has changed since its first use"):
        weights.resolve(spec)


def test_the_command(server, spec, tmp_path, monkeypatch):
    monkeypatch.setitem(Model.published, "hmr-spin", replace(spec, file="hmr-spin.pt"))
    run = CliRunner().invoke
    listed = run(app, ["weights", "fetch"])
    assert listed.exit_code == 0 and "hmr-spin" in listed.output and "CC-BY-NC" in listed.output
    done = run(app, ["weights", "fetch", "hmr-spin", "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "licence: free" in done.output and "1.0 MB" in done.output
    assert (tmp_path / "hmr-spin.pt").read_bytes() == CONTENT
    wrong = run(app, ["weights", "fetch", "nothing"])
    assert wrong.exit_code == 2 and "choose one of hmr-eft" in wrong.output
