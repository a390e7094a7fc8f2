"""Fetching all that an offline check of a result needs into a folder."""

from __future__ import annotations

import zipfile
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from client.api import ClientError, Server

if TYPE_CHECKING:
    from pathlib import Path


def fetch(server: Server, result: str, folder: Path) -> list[Path]:
    """The files written. Raises `ClientError` rather than write over anything."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ClientError(f"the folder {folder} is not empty; name a new one")
    archive = folder / "bundle.zip"
    server.save(f"/api/v1/results/{quote(result, safe='')}/bundle?raw=1", archive)
    try:
        written = _unpack(archive, folder)
    except zipfile.BadZipFile as error:
        raise ClientError(f"what {server.url} sent is no archive ({error}); look at {archive}") from error
    archive.unlink()
    return written


def _unpack(archive: Path, folder: Path) -> list[Path]:
    written = []
    with zipfile.ZipFile(archive) as files:
        for item in files.infolist():
            if PurePath(item.filename).name != item.filename:
                raise ClientError(f"the server named a file {item.filename!r}; nothing outside {folder} is written")
            files.extract(item, folder)
            written.append(folder / item.filename)
    return written
