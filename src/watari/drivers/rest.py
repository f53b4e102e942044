"""A JSON API over HTTP: one request at a time, and its failures in Watari's words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from watari.errors import Permanent, Refused, Transient

BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
TIMEOUT_S: Final = 10.0
LONGEST: Final = 300  # characters of the other side's own words


@dataclass(frozen=True, slots=True)
class Rest:
    """`who` is how messages call the other side. `headers` is asked anew for each request: tokens change.

    `verify`: True, False, or the file of an authority; `cert`: a file, or certificate and key. Redirects are not
    followed: a token must not go elsewhere.
    """

    url: str
    who: str
    headers: Callable[[], Mapping[str, str]] = dict
    verify: bool | str = True
    cert: tuple[str, str] | None = None
    timeout_s: float = TIMEOUT_S
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, what: str, **more: Any) -> Any:
        """The decoded answer; None for an empty one. `what` completes "cannot …".

        `more` goes to requests (json, params). Raises Missing for 404, Refused for the other 4xx, Permanent for what is
        no such API, Transient for whatever may pass.
        """
        response = self._send(method, path, what, more)
        if response.status_code in BUSY:
            raise Transient(f"{self.who} cannot {what} now: {response.status_code} {_said(response)}")
        if response.status_code == 404:
            raise Missing(f"{self.who} cannot {what}: {_said(response)}")
        if response.status_code in (401, 403):
            raise Refused(f"{self.who} does not let us {what}: {_said(response)}; look at the token's rights")
        if 300 <= response.status_code < 400:
            raise Permanent(
                f"{self.who} ({self.url}) redirects to {response.headers.get('location')}: name that address"
            )
        if response.status_code >= 400:
            raise Refused(f"{self.who} will not {what}: {response.status_code} {_said(response)}")
        if not response.content.strip():
            return None
        try:
            return response.json()
        except ValueError as e:  # a proxy's page, for one
            raise Transient(f"{self.who} cannot {what} now: it answers what is no JSON: {_said(response)}") from e

    def _send(self, method: str, path: str, what: str, more: dict[str, Any]) -> requests.Response:
        headers = {**self.headers(), **more.pop("headers", {})}
        try:
            return self.session.request(
                method, self.url + path, headers=headers, timeout=self.timeout_s, verify=self.verify, cert=self.cert,
                allow_redirects=False, **more,
            )  # fmt: skip
        except requests.exceptions.SSLError as e:
            raise Permanent(
                f"{self.who} ({self.url}): {_root(e)}; name the authority that signed its certificate"
            ) from e
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as e:
            raise Transient(f"{self.who} ({self.url}) does not answer to {what}: {_root(e)}") from e
        except (requests.RequestException, OSError) as e:
            raise Permanent(f"{self.who} ({self.url}) cannot be asked to {what}: {_root(e)}") from e


class Missing(Refused):
    """404: the other side does not know what it was asked about."""


def _said(response: requests.Response) -> str:
    words = " ".join(response.text.split())
    return words[:LONGEST] or response.reason or "no reason given"


def _root(error: BaseException) -> str:
    """The system's own reason, out of the layers around it."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        inner = inner or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            return " ".join(str(error).split()) or type(error).__name__
        error = inner
