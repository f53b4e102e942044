"""Ask a Prometheus HTTP API one instant query: bounded in time and size, errors in words for a person."""

import gc
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import Any, Final

import requests
from pydantic_core import from_json
from requests.auth import HTTPBasicAuth
from requests.exceptions import ChunkedEncodingError, ConnectionError, SSLError, Timeout
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from watari.drivers.prometheus.queries import SIDE_LABEL, Side
from watari.drivers.prometheus.settings import PrometheusSettings
from watari.errors import BadInput, Permanent, Transient
from watari.ports import Clock

LOG: Final = logging.getLogger(__name__)
ATTEMPTS: Final = 3
MIB: Final = 2**20
_AGAIN_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_POOL: Final = re.compile(r"^(<.*?>|HTTPS?Connection(Pool)?\(.*?\)): ")  # urllib3 says so before what happened
_GRACE_S: Final = 5  # for Prometheus to say that a query took too long


@dataclass(slots=True)
class Answer:
    """One value per server and side; of several series of a server the greatest counts (it may be on two hosts).

    `at_s` is when Prometheus evaluated the query, in its own clock's Unix seconds; None for an empty answer.
    """

    at_s: float | None = None
    values: dict[Side, dict[str, float]] = field(default_factory=lambda: {"host": {}, "guest": {}})
    series: int = 0
    odd: int = 0  # values that are negative or no numbers
    unlabelled: int = 0  # series that do not say of which server they are
    example: Mapping[str, str] = field(default_factory=dict)  # the labels of one of those
    warnings: tuple[str, ...] = ()


class QueryRejected(BadInput):
    """Prometheus takes this PromQL for wrong; the message is Prometheus' own."""


class PrometheusApi:
    """The query endpoint of one Prometheus, or of what speaks its API."""

    def __init__(self, settings: PrometheusSettings, clock: Clock) -> None:
        self._settings = settings
        self._url = f"{settings.url}/api/v1/query"
        self._session = requests.Session()
        self._session.headers.update(settings.headers)
        self._session.verify = settings.ca_file or settings.verify
        if settings.cert_file and settings.key_file:
            self._session.cert = (settings.cert_file, settings.key_file)
        self._again = Retrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=5),
            sleep=clock.sleep,
            reraise=True,
        )

    def ask(self, promql: str, at_s: float | None = None) -> Answer:
        """The query's answer, evaluated at `at_s` (Unix seconds of Prometheus' clock; None: now).

        Raises Transient when it cannot be reached or is busy (after three attempts), QueryRejected (BadInput) for wrong
        PromQL, and Permanent for what somebody has to mend first: sign-in, address, certificates, too large an answer.
        """
        form = {"query": promql, "timeout": f"{self._settings.timeout}s"}
        if at_s is not None:
            form["time"] = f"{at_s:.3f}"
        return self._again(self._once, form)

    def _once(self, form: Mapping[str, str]) -> Answer:
        status, kind, body = self._post(form)
        with _collector_off():
            return _answer(self._document(status, kind, body), self._settings)

    def _document(self, status: int, kind: str, body: bytearray) -> dict[str, Any]:
        """The JSON of a successful answer."""
        try:
            document = from_json(body, cache_strings="keys")
        except ValueError:
            document = None
        said = document.get("error", "") if isinstance(document, dict) else ""
        if status != 200:
            raise self._failure(status, str(said))
        if not isinstance(document, dict) or document.get("status") != "success":
            raise Permanent(
                f"{self._url} answers {kind or 'something'} that is not Prometheus' JSON{_colon(said)}; "
                "is `url` right, and is there a login page in front of it?"
            )
        return document

    def _post(self, form: Mapping[str, str]) -> tuple[int, str, bytearray]:
        """Status, content type and body. A POST, as PromQL may be longer than URLs are allowed to be."""
        wait_s = self._settings.timeout + _GRACE_S
        until = time.monotonic() + 2 * wait_s
        try:
            with self._session.post(
                self._url, data=form, auth=self._sign, timeout=(10, wait_s), stream=True, allow_redirects=False
            ) as response:
                body = self._read(response, until)
                if response.is_redirect:  # a redirected POST arrives as a GET without its query
                    raise Permanent(f"{self._url} redirects to {response.headers['location']}; put that into `url`")
                return response.status_code, response.headers.get("content-type", "").partition(";")[0], body
        except SSLError as e:
            raise Permanent(f"{self._url}: {_root(e)}; set ca_file to the authority that signed its certificate") from e
        except (Timeout, ConnectionError, ChunkedEncodingError) as e:
            raise Transient(f"Prometheus: no answer from {self._url}: {_root(e)}") from e
        except requests.RequestException as e:
            raise Permanent(f"{self._url} cannot be asked: {_root(e)}") from e
        except OSError as e:  # requests does so for a missing ca_file or cert_file
            raise Permanent(f"{self._url} cannot be asked: {e}") from e

    def _read(self, response: requests.Response, until: float) -> bytearray:
        limit = self._settings.answer_limit_mib * MIB
        body = bytearray()
        for chunk in response.iter_content(MIB):
            body += chunk
            if len(body) > limit:
                raise Permanent(
                    f"{self._url} answers more than {self._settings.answer_limit_mib} MiB; "
                    "narrow the queries with `match`, or raise answer_limit_mib"
                )
            if time.monotonic() > until:
                raise Transient(f"{self._url} is too slow: {len(body) / MIB:.1f} MiB came, then the time was over")
        return body

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign in. Files are read anew each time, as tokens rotate; always set, so that ~/.netrc is not looked at."""
        s = self._settings
        token = _file_text(s.bearer_token_file) if s.bearer_token_file else s.bearer_token
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        elif s.basic_auth:
            password = s.basic_auth.password or _file_text(s.basic_auth.password_file or "")
            HTTPBasicAuth(s.basic_auth.username.encode(), password.encode())(request)
        return request

    def _failure(self, status: int, said: str) -> Transient | Permanent:
        if status in (400, 422):
            return QueryRejected(said or f"{self._url} answers {status}")
        if status in (401, 403):
            return Permanent(
                f"{self._url} answers {status}{_colon(said)}; check bearer_token, bearer_token_file or basic_auth "
                "(and headers such as X-Scope-OrgID): whoever signs in must be allowed to query"
            )
        if status in _AGAIN_LATER:
            return Transient(f"{self._url} answers {status}{_colon(said)}")
        cure = "; `url` is the address before /api/v1, with its path prefix" if status in (404, 405) else ""
        return Permanent(f"{self._url} answers {status}{_colon(said)}{cure}")


def _answer(document: Mapping[str, Any], settings: PrometheusSettings) -> Answer:
    """Sort the series by side and server."""
    answer = Answer(warnings=tuple(map(str, document.get("warnings") or ())))
    for info in document.get("infos") or ():
        LOG.debug("Prometheus notes: %s", info)
    labels: dict[str, Side] = {"host": "host", "guest": "guest"}
    names = {side: settings.label(side) for side in labels.values()}
    try:
        data = document["data"]
        if data["resultType"] != "vector":
            raise QueryRejected(f"it gives a {data['resultType']} where one value per server is needed")
        answer.series = len(data["result"])
        for series in data["result"]:
            metric, (at_s, text) = series["metric"], series["value"]
            side = labels[metric[SIDE_LABEL]]
            server = metric.get(names[side])
            value = float(text)
            answer.at_s = float(at_s)
            if server is None:
                answer.unlabelled += 1
                answer.example = metric
            elif not isfinite(value) or value < 0:
                answer.odd += 1
            elif value > answer.values[side].get(server, -inf):
                answer.values[side][server] = value
    except (KeyError, TypeError, ValueError) as e:
        raise Permanent(f"{settings.url} gives an answer that is not as Prometheus' are: {e!r}") from e
    return answer


@contextmanager
def _collector_off() -> Iterator[None]:
    """A million small dicts without a cycle among them: looking for cycles takes three times as long as parsing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _file_text(path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise Permanent(f"{path} cannot be read: {e}") from e
    if not text or not text.isprintable():
        raise Permanent(f"{path} does not hold one token or password on one line")
    return text


def _colon(said: object) -> str:
    return f": {said}" if said else ""


def _root(e: BaseException) -> str:
    """The innermost reason: what urllib3 wraps is what a person can act on."""
    inner = getattr(e, "reason", None) or (e.args[0] if e.args and isinstance(e.args[0], BaseException) else None)
    if inner is not None and isinstance(inner, BaseException):
        return _root(inner)
    return _POOL.sub("", str(e)) or type(e).__name__
