"""A server's public API, as this client uses it: HTTP in, values and problems in words out."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TUS = {"Tus-Resumable": "1.0.0"}
_STREAM = {"Content-Type": "application/offset+octet-stream"}
_PATIENCE = httpx.Timeout(30.0, read=300.0, write=300.0)
ATTEMPTS = 9
UNREACHED, BROKEN = -2, -1
PASSING = (UNREACHED, BROKEN, 502, 503, 504)  # what a restart of the server looks like from here


class ClientError(Exception):
    """What went wrong, where, and what to do; `status` is the HTTP status, or `UNREACHED` or `BROKEN`."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Server:
    """One server and a token. Raises `ClientError` if either cannot be one."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        if not token.isascii() or not token.isprintable():
            raise ClientError("CUSTOS_TOKEN holds characters that no token has; copy it again")
        headers = {"Authorization": f"Bearer {token}"}
        try:
            # Only the address that was named is spoken to: no proxy and no .netrc of the environment.
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=_PATIENCE, trust_env=False, transport=transport
            )
        except httpx.InvalidURL as error:
            raise ClientError(f"CUSTOS_URL={url} is no address ({error}); write http://HOST:PORT") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer if it is good. Raises `ClientError`."""
        try:
            answer = self._http.request(method, path, **more)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._nobody() from error
        except httpx.UnsupportedProtocol as error:
            raise ClientError(f"CUSTOS_URL={self.url} is no address; write http://HOST:PORT") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ClientError(f"the connection to {self.url} broke: {error}; try again", BROKEN) from error
        if answer.is_error:
            raise ClientError(f"{self.url}{path} said {answer.status_code}: {_detail(answer)}", answer.status_code)
        return answer

    def json(self, path: str) -> Any:
        answer = self.request("GET", path)
        try:
            return answer.json()
        except ValueError as error:
            raise self._stranger(path) from error

    def steady(self, path: str) -> Any:
        """As `json`, but a restart of the server is waited for."""
        for attempt in range(ATTEMPTS):
            try:
                return self.json(path)
            except ClientError as error:
                if error.status not in PASSING:
                    raise
                pause(attempt)
        return self.json(path)

    def _nobody(self) -> ClientError:
        return ClientError(f"nobody answers at {self.url}; start the server with make up, or set CUSTOS_URL", UNREACHED)

    def _stranger(self, path: str) -> ClientError:
        return ClientError(f"what answers at {self.url}{path} is not Custos; set CUSTOS_URL to where it is")

    def begin(self, length: int, metadata: dict[str, str], brings: bytes = b"") -> tuple[str, int]:
        """Path of a new upload, and how many of the bytes that it brings were taken: a server may take none."""
        said = ",".join(
            f"{key} {base64.b64encode(value.encode(errors='backslashreplace')).decode()}"
            for key, value in metadata.items()
            if value
        )
        body: dict[str, Any] = {"content": brings} if brings else {}
        headers = {**_TUS, **(_STREAM if brings else {}), "Upload-Length": str(length), "Upload-Metadata": said}
        answer = self.request("POST", "/api/v1/uploads", headers=headers, **body)
        if "Location" not in answer.headers:
            raise self._stranger("/api/v1/uploads")
        return answer.headers["Location"], int(answer.headers.get("Upload-Offset", "0"))

    def offset(self, path: str) -> int:
        return int(self.request("HEAD", path, headers=_TUS).headers["Upload-Offset"])

    def append(self, path: str, offset: int, length: int, body: Iterator[bytes]) -> int:
        """Send the rest of a file; where the upload then stands."""
        headers = {**_TUS, **_STREAM, "Upload-Offset": str(offset), "Content-Length": str(length)}
        return int(self.request("PATCH", path, headers=headers, content=body).headers["Upload-Offset"])

    def when_ready(self, path: str, patience: float) -> bytes:
        """The body as soon as the server has it: 409 means not yet. Raises `ClientError`."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return self.request("GET", path).content
            except ClientError as error:
                if error.status not in (409, *PASSING) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def save(self, path: str, target: Path) -> None:
        """Stream a body into a file, which appears when it is whole; else nothing is left. Raises `ClientError`."""
        partial = target.with_name(f".{target.name}.part")
        try:
            with self._http.stream("GET", path) as answer:
                if answer.is_error:
                    answer.read()
                    raise ClientError(f"{path} said {answer.status_code}: {_detail(answer)}", answer.status_code)
                with partial.open("wb") as file:
                    for piece in answer.iter_bytes():
                        file.write(piece)
            partial.replace(target)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._nobody() from error
        except httpx.HTTPError as error:
            raise ClientError(
                f"{self.url}{path} broke off: {error}; nothing of it is kept. Ask again; if it breaks off again, the "
                "operator should look at the alarms: damaged bytes are not given out whole", BROKEN
            ) from error  # fmt: skip
        finally:
            partial.unlink(missing_ok=True)


def pause(attempt: int) -> None:
    """Longer each time, at most ten seconds: all attempts together outlast a restart of the server."""
    time.sleep(min(10.0, 0.2 * 2**attempt))


def _detail(answer: httpx.Response) -> str:
    try:
        value = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(value.get("detail") or value) if isinstance(value, dict) else str(value)
