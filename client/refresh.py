"""Refreshing a receipt: more cosignatures and tokens over the same event (trust-formats §5)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from client.api import ClientError, Server

SAME = ("event", "salt")


def refresh(server: Server, path: Path) -> dict[str, Any]:
    """Replace the file by the newest receipt of its event; what it holds now. Raises `ClientError`, nothing changed."""
    old = _receipt(path.read_bytes(), str(path))
    event = str(json.loads(old["event"]).get("id"))
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".refresh-") as folder:
        staged = Path(folder) / path.name
        server.save(f"/api/v1/events/{quote(event, safe='')}/receipt", staged)
        new = _receipt(staged.read_bytes(), server.url)
        changed = [name for name in SAME if new[name] != old[name]]
        if changed:
            what = " and ".join(changed)
            raise ClientError(f"{server.url} has another {what} for this receipt: {path} is left as it is")
        lost = [item for item in old["disclosures"] if item not in new["disclosures"]]
        if lost:
            new["disclosures"] += lost
            text = json.dumps(new, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            staged.write_text(text, encoding="utf-8")
        staged.replace(path)
    signatures = new["proof"].rpartition("\n\n")[2].count("\n")
    return {"receipt": str(path), "signatures": signatures, "timestamps": len(new["timestamps"])}


def _receipt(content: bytes, where: str) -> dict[str, Any]:
    try:
        value: Any = json.loads(content)
        if value["format"] == "custos/receipt@1" and isinstance(json.loads(value["event"]), dict):
            return dict(value)
    except (ValueError, KeyError, TypeError):
        pass
    raise ClientError(f"{where}: not a receipt; name a file that ends with .receipt.json")
