import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gan_cli import files
from gan_cli.errors import UserError
from gan_cli.metrics.features import pretrained
from gan_cli.metrics.features.pretrained import download_weights, find_weights, read_weights

pytestmark = pytest.mark.slow

CONTENT = bytes(range(256)) * 20_000  # several blocks
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ADVICE = "Do this."


class Handler(BaseHTTPRequestHandler):
    """A server whose response depends on the last part of the path: good, other, truncated, unsized, silent; else 404."""

    def do_GET(self):
        self.server.requests.append(self.path)
        way = self.path.strip("/")
        if way not in ("good", "other", "truncated", "unsized", "silent"):
            self.send_error(404)
            return
        self.send_response(200)
        if way != "unsized":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if way == "silent":
            self.server.over.wait(10)
        else:
            self.wfile.write({"other": CONTENT[::-1], "truncated": CONTENT[:3_000_000]}.get(way, CONTENT))

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests, server.over = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def left(folder):
    """Return the names of all files in ``folder`` except the lock."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_file_is_read_only_with_its_checksum(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    assert read_weights(file, SHA256, ADVICE) == CONTENT
    file.write_bytes(CONTENT[:-1] + b"\0")
    with pytest.raises(UserError, match=rf"file does not hold the expected weights.*not {SHA256[:12]}…\.\nDo this\.$"):
        read_weights(file, SHA256, ADVICE)


@pytest.mark.parametrize(("name", "reason"), [("missing", "No such file"), (".", "Is a directory")])
def test_an_unreadable_file_is_named(tmp_path, name, reason):
    with pytest.raises(UserError, match=rf"Cannot read the weights .*{reason}.*\.\nDo this\.$"):
        read_weights(tmp_path / name, SHA256, ADVICE)


def test_the_first_file_with_the_checksum_is_found(tmp_path):
    paths = [tmp_path / name for name in "abcd"]
    assert find_weights(paths, SHA256) is None
    for path, content in zip(paths[1:], (CONTENT[1:], CONTENT, CONTENT), strict=True):
        path.write_bytes(content)
    assert find_weights([tmp_path, *paths], SHA256) == paths[2]


@pytest.mark.parametrize("way", ["good", "unsized"])
def test_a_download_creates_its_folder_and_leaves_only_the_file(server, tmp_path, way):
    path = tmp_path / "a" / "b" / "file"
    download_weights(f"{server.url}/{way}", path, SHA256, ADVICE)
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == ["file"]


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (
            "other",
            f"(?s)/other does not hold the expected weights: {len(CONTENT)} bytes, SHA-256 .* was discarded. Do this.",
        ),
        ("truncated", rf"Cannot download .*: .*(3000000 of {len(CONTENT)} bytes|IncompleteRead).*\.\nDo this\."),
        ("gone", r"Cannot download .*/gone to .*: HTTP Error 404: Not Found\.\nDo this\."),
        ("silent", r"Cannot download .*: timed out\.\nDo this\."),
    ],
)
def test_a_failed_download_keeps_what_was_there(server, tmp_path, monkeypatch, way, message):
    if way == "silent":
        monkeypatch.setattr(pretrained, "TIMEOUT", 0.2)
    with pytest.raises(UserError, match=message):
        download_weights(f"{server.url}/{way}", tmp_path / "file", SHA256, ADVICE)
    assert left(tmp_path) == []
    (tmp_path / "file").write_bytes(b"other")
    with pytest.raises(UserError, match=message):
        download_weights(f"{server.url}/{way}", tmp_path / "file", SHA256, ADVICE)
    assert (tmp_path / "file").read_bytes() == b"other"
    assert left(tmp_path) == ["file"]


def test_without_a_network_the_error_is_one_clear_line(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        url = f"http://127.0.0.1:{closed.server_port}/good"
    with pytest.raises(UserError, match=rf"^Cannot download {url} to {tmp_path}: .*Connection refused\.\nDo this\.$"):
        download_weights(url, tmp_path / "file", SHA256, ADVICE)


def test_a_folder_that_cannot_be_written_to_is_named(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"(?s)Cannot download .*Do this\."):
        download_weights(f"{server.url}/good", tmp_path / "file" / "file", SHA256, ADVICE)


def test_a_damaged_file_is_replaced_and_a_valid_one_is_kept(server, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT[:100])
    (tmp_path / files.temporary_name(path, "of-a-killed-process")).write_bytes(CONTENT[:100])
    download_weights(f"{server.url}/good", path, SHA256, ADVICE)
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["file"]
    server.requests.clear()
    download_weights(f"{server.url}/good", path, SHA256, ADVICE)
    assert server.requests == []


def at_once(n, *arguments):
    threads = [threading.Thread(target=download_weights, args=arguments) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_several_threads_one_downloads(server, tmp_path):
    server.requests.clear()
    at_once(4, f"{server.url}/good", tmp_path / "file", SHA256, ADVICE)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == ["/good"]


def test_without_locks_each_downloads_and_the_file_is_complete(server, tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError("no locks here")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    at_once(3, f"{server.url}/good", tmp_path / "file", SHA256, ADVICE)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert left(tmp_path) == ["file"]
