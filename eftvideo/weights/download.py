"""Downloads weight files: goes on where it broke off, and leaves nothing half-written.

Standard library only. A file that grows is called `NAME.part`; what the server said of it, so that
two versions are never mixed, is in `NAME.part.tag`.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eftvideo.errors import ConfigError, WeightsCorruptError, WeightsNotFoundError
from eftvideo.weights import locate as weights
from eftvideo.weights.archive import take_member
from eftvideo.weights.locate import WeightSpec

CHUNK_BYTES = 1 << 18
TIMEOUT_S = 30.0
Listener = Callable[[int, "int | None"], None]
"""Told how many bytes are there, and how many there will be (None: the server does not say)."""


@dataclass(frozen=True)
class Fetched:
    """A weights file that is there now."""

    path: Path
    num_bytes: int
    sha256: str
    was_there: bool
    """Whether nothing had to be downloaded."""


def fetch(spec: WeightSpec, folder: Path | None = None, told: Listener | None = None) -> Fetched:
    """Download a weights file to where `resolve` finds it, and record its sha256.

    Args:
        spec: with the address in `download`.
        folder: None: `weights.user_folder()`.
        told: listener.

    Raises:
        ConfigError: the spec has no address.
        WeightsNotFoundError: the server does not give it, or the folder cannot be written.
        WeightsCorruptError: what came, or what was there, has another sha256 than recorded.
    """
    if spec.download is None:
        raise ConfigError(f"{spec.file} cannot be fetched: get it by hand from {spec.url}")
    target = (folder or weights.user_folder()) / spec.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            weights.check_sha256(target, spec)
            return _fetched(target, was_there=True)
        part = target.with_name(f"{target.name}.part")
        _download(spec.download, part, told or (lambda done, total: None))
        if spec.member is not None:
            part = _unpacked(part, spec.member)
        found = weights.sha256_of(part)
        if spec.sha256 not in (None, found):
            part.unlink()
            _tag_of(part).unlink(missing_ok=True)
            raise WeightsCorruptError(
                f"{spec.download} is not the expected file: sha256 should be {spec.sha256}, "
                f"but is {found}; it was removed"
            )
        part.replace(target)
        _tag_of(part).unlink(missing_ok=True)
    except OSError as e:
        raise WeightsNotFoundError(
            f"cannot write {target}: {e.strerror}; choose another folder with -o"
        ) from e
    weights.check_sha256(target, spec)
    return _fetched(target, was_there=False)


def _unpacked(archive: Path, member: str) -> Path:
    whole = archive.with_name(f"{archive.name}.member")
    try:
        take_member(archive, member, whole)
    except WeightsCorruptError:
        archive.unlink()
        _tag_of(archive).unlink(missing_ok=True)
        raise
    archive.unlink()
    _tag_of(archive).unlink(missing_ok=True)
    return whole


def _fetched(path: Path, was_there: bool) -> Fetched:
    return Fetched(path, path.stat().st_size, weights.sha256_of(path), was_there)


def _tag_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _download(url: str, part: Path, told: Listener) -> None:
    done = part.stat().st_size if part.is_file() else 0
    tag = _tag_of(part).read_text(encoding="utf-8") if done and _tag_of(part).is_file() else ""
    if not tag:
        done = 0
    headers = {"User-Agent": "eftvideo"}
    if done:
        headers |= {"Range": f"bytes={done}-", "If-Range": tag}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            done = _receive(answer, part, done, told)
    except urllib.error.HTTPError as e:
        if e.code == 416 and done:  # nothing of it is left to send, or it is another file now
            _tag_of(part).unlink(missing_ok=True)
            _download(url, part, told)
            return
        raise WeightsNotFoundError(
            f"{url} answers {e.code} {e.reason}: look for the file on the project's page, "
            "then give it with --weights"
        ) from e
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as e:
        there = part.stat().st_size if part.is_file() else 0
        reason = getattr(e, "reason", None) or str(e) or type(e).__name__
        raise WeightsNotFoundError(
            f"{url} broke off ({reason}) with {there} bytes here: the same command goes on"
        ) from e


def _receive(answer: http.client.HTTPResponse, part: Path, done: int, told: Listener) -> int:
    if answer.status != 206:
        done = 0
    left = answer.headers.get("Content-Length")
    total = done + int(left) if left is not None else None
    # A weak tag says "alike", not "the same bytes"; a date will do in its place.
    tag = answer.headers.get("ETag", "")
    tag = answer.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
    _tag_of(part).write_text(tag, encoding="utf-8")
    told(done, total)
    with open(part, "ab" if done else "wb") as file:
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            told(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)
    return done
