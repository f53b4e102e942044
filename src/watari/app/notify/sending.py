"""One message to one target over HTTP, and its failures in words that hold no secret."""

import hmac
import json
import logging
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import requests
import urllib3

import watari
from watari.app.notify import slack
from watari.app.notify.message import clean
from watari.app.notify.targets import Target
from watari.errors import Refused, Transient

CONNECT_S: Final = 5.0
ANSWER_S: Final = 10.0
LONGEST_ANSWER: Final = 2048  # bytes that are read of it
LONGEST_SAID: Final = 200  # characters of it that are told
LEAST_SECRET: Final = 6  # characters of a part of an address that is hidden also when it stands alone
UNREADABLE: Final = frozenset({400, 413, 415, 422})  # this message will never be taken; all else may be mended


class Later(Transient):
    """It did not arrive and may another time, not before `after_s` seconds."""

    def __init__(self, words: str, after_s: float = 0.0) -> None:
        super().__init__(words)
        self.after_s = after_s


def send(target: Target, message: dict[str, Any], session: requests.Session, answer_s: float = ANSWER_S) -> str:
    """Deliver one; returns what came back.

    Raises Later for what may pass or be mended, Refused for a message that the target cannot read, BadInput when the
    target's files are not there.
    """
    url, key = target.address(), target.key()
    body = _dumped(slack.payload(message) if target.kind == "slack" else message)
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"watari/{watari.__version__}"}
    if target.kind == "webhook":
        headers |= {"Watari-Id": message["id"], **_signed(body, key)}
    try:
        with (
            _unlogged(),
            session.post(
                url, data=body, headers=headers, timeout=(CONNECT_S, answer_s), allow_redirects=False, stream=True
            ) as response,
        ):
            said = _said(response, url, key)
            status, after_s = response.status_code, _after_s(response.headers.get("Retry-After", ""))
    except requests.RequestException as e:
        raise Later(_words(e, answer_s)) from None  # the cause holds the address
    except (OSError, ValueError) as e:
        raise Later(f"cannot be asked ({type(e).__name__})") from None
    if 200 <= status < 300:
        return said
    if status in UNREADABLE:
        raise Refused(f"does not take the message: {said}")
    if 300 <= status < 400:
        raise Later(f"{said}: it redirects, and that is not followed; write the address that it redirects to")
    raise Later(f"answers {said}", after_s)


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 of the timestamp, a dot and the body."""
    return f"v1={hmac.digest(key, timestamp.encode() + b'.' + body, 'sha256').hex()}"


def _signed(body: bytes, key: bytes | None) -> dict[str, str]:
    if key is None:
        return {}
    timestamp = str(int(time.time()))
    return {"Watari-Timestamp": timestamp, "Watari-Signature": signature(key, timestamp, body)}


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _said(response: requests.Response, url: str, key: bytes | None) -> str:
    """The status and the beginning of the answer, without our secrets, should it repeat them."""
    try:
        raw: bytes = response.raw.read(LONGEST_ANSWER, decode_content=True)
    except (OSError, urllib3.exceptions.HTTPError):  # the status has come, and that is what counts
        raw = b""
    text = f"{response.status_code} {response.reason or ''} {raw.decode('utf-8', 'replace')}"
    for secret in _secrets(url, key):
        text = text.replace(secret, "…")
    return clean(text, LONGEST_SAID)


def _secrets(url: str, key: bytes | None) -> list[str]:
    """Whatever of an address, and of the key, may let others in, the longest first."""
    parts = urlsplit(url)
    pieces = [*parts.path.split("/"), *re.split("[&=;]", parts.query), parts.username or "", parts.password or ""]
    whole = [url, f"{parts.path}?{parts.query}", parts.path, (key or b"").decode()]
    found = {text for text in whole if len(text) > 1} | {piece for piece in pieces if len(piece) >= LEAST_SECRET}
    return sorted(found | {unquote(text) for text in found}, key=len, reverse=True)


def _after_s(text: str) -> float:
    """Retry-After as seconds or as a date; 0 for what is neither."""
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _words(error: requests.RequestException, answer_s: float) -> str:
    """Never the library's own words: they hold the address."""
    root = _root(error)
    match error:
        case requests.exceptions.ProxyError():
            return f"the proxy of the environment lets nothing through ({_system(root)})"
        case requests.exceptions.SSLError():
            why = getattr(root, "verify_message", "") or (root.reason if isinstance(root, ssl.SSLError) else "")
            return f"its certificate is not trusted ({why or 'TLS fails'}); name its authority in REQUESTS_CA_BUNDLE"
        case requests.exceptions.ConnectTimeout():
            return f"cannot be reached within {CONNECT_S:g} s"
        case requests.exceptions.Timeout():
            return f"gives no answer within {answer_s:g} s"
        case requests.exceptions.ConnectionError():
            return f"cannot be reached ({_system(root)})"
    return f"cannot be asked ({type(error).__name__})"


def _system(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _root(error: BaseException) -> BaseException:
    """The innermost error: what the system said."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        inner = inner or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner


class _Silence(logging.Filter):
    """Keeps a library from writing addresses into the log at -vv, in threads that deliver just now."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.here, "on", False)


_SILENCE: Final = _Silence()
for _name in ("urllib3.connectionpool", "urllib3.util.retry", "requests"):
    logging.getLogger(_name).addFilter(_SILENCE)


@contextmanager
def _unlogged() -> Iterator[None]:
    _SILENCE.here.on = True
    try:
        yield
    finally:
        _SILENCE.here.on = False
