"""What a failed call means to the caller: from HTTP and transport to Watari's errors, in words without secrets."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3.exceptions
from keystoneauth1 import exceptions as ks

from watari.errors import Permanent, Refused, Transient, WatariError

LONGEST = 600  # characters of the cloud's own words
BUSY = frozenset({408, 413, 425, 429, 500, 502, 503, 504})
POLICY = re.compile(r"Policy doesn't allow (?P<rule>\S+)")
CREDENTIALS = re.compile(r"//[^/\s]+@")  # user:password in a URL, a proxy's for example
URL = re.compile(r"https?://[^\s?]+")
ADDRESS = re.compile(r" object at 0x[0-9a-f]+")


class Later(Transient):
    """The cloud cannot answer now. `after_s`: how long it asked us to wait, None if it did not say."""

    def __init__(self, text: str, after_s: float | None = None) -> None:
        super().__init__(text)
        self.after_s = after_s


class NotSent(Later):
    """No connection was made, so the cloud certainly did not hear the request."""


def of_response(response: requests.Response, what: str, cloud: str, who: str) -> WatariError:
    """The error for an answer of 400 or more. `what` was asked ("list the servers") by `who` (user and project)."""
    status, said = response.status_code, message(response)
    if status in BUSY:
        id = response.headers.get("x-openstack-request-id", "")
        trace = f" (request {id})" if id and status == 500 else ""
        return Later(f"cloud {cloud} cannot {what} now: {status} {said}{trace}", retry_after_s(response))
    match status:
        case 401:
            return Permanent(
                f"cloud {cloud}, cannot {what}: its service does not accept the token that its Keystone gave {who};"
                " compare the two services' settings ([keystone_authtoken])"
            )
        case 403 if rule := POLICY.search(said):
            return Permanent(
                f"{who} may not {what}: it needs the admin role on cloud {cloud}, or a policy that allows "
                f"{rule['rule'].rstrip(':')}"
            )
        case 403 if response.request.method == "GET":
            return Permanent(f"{who} may not {what} on cloud {cloud}: {said}; it needs the admin role")
        case 404 if "json" not in response.headers.get("Content-Type", ""):  # nothing of Nova's: it says so in JSON
            return Later(f"cloud {cloud} cannot {what} now: {status} from something between, a proxy perhaps")
        case 406:
            return Permanent(f"cloud {cloud} does not speak the API version to {what}: {said}")
        case _ if 400 <= status < 500:
            return Refused(f"cloud {cloud} will not {what}: {said}")
        case _:
            return Permanent(f"cloud {cloud} cannot {what}: {status} {said}")


def of_exception(error: Exception, what: str, cloud: str, auth_url: str) -> WatariError:
    """The error for a call without an answer: no connection, no token, no endpoint."""
    text = clean(str(error))
    match error:
        case ks.http.Unauthorized():
            return Permanent(
                f"wrong user or password for cloud {cloud} (auth_url {clean(auth_url)}), or the project is not theirs;"
                " mend auth in its clouds.yaml"
            )
        case ks.SSLError():
            return Permanent(f"cloud {cloud}: {text}; name its CA in clouds.yaml (cacert)")
        case ks.ConnectionError() | ks.UnknownConnectionError():
            kind = NotSent if never_sent(error) else Later
            return kind(f"cloud {cloud} cannot be reached to {what}: {_unreached(error)}")
        case ks.http.HttpError() | ks.DiscoveryFailure() if any(
            isinstance(e, ks.http.HttpError) and e.http_status in BUSY for e in chain(error)
        ):
            return Later(f"Keystone of cloud {cloud} cannot answer now: {text}")
        case ks.DiscoveryFailure() if any(isinstance(e, ks.ConnectionError) for e in chain(error)):
            return NotSent(f"cloud {cloud} cannot be reached to {what}: {_unreached(error)}")
        case ks.DiscoveryFailure() | ks.http.HttpError():
            return Permanent(f"cloud {cloud} (auth_url {clean(auth_url)}): {text}; is that its Keystone?")
        case ks.CatalogException():
            return Permanent(f"cloud {cloud}, cannot {what}: {text}; check region_name and interface in clouds.yaml")
        case _:
            return Permanent(f"cloud {cloud}, cannot {what}: {text}")


def _unreached(error: Exception) -> str:
    """The address and the system's own reason, out of four layers of wrapping."""
    url = URL.search(str(error))
    system = [e for e in chain(error) if isinstance(e, OSError) and not isinstance(e, requests.RequestException)]
    return clean(f"{url[0].rstrip(':')}: {system[-1]}" if url and system else str(error))


def message(response: requests.Response) -> str:
    """The cloud's own words: Nova, Keystone and Placement wrap them differently."""
    try:
        body: Any = response.json()
    except ValueError:
        return clean(response.reason or "") or "no reason given"
    found = _words(body)
    return clean(found) or clean(response.reason or "") or "no reason given"


def _words(body: Any) -> str:
    if isinstance(body, dict):
        if isinstance(body.get("errors"), list) and body["errors"]:  # Placement
            return str(body["errors"][0].get("detail") or body["errors"][0].get("title") or "")
        if "message" in body:
            return str(body["message"])
        for inner in body.values():
            if isinstance(inner, dict) and "message" in inner:
                return str(inner["message"])
    return ""


def clean(text: str) -> str:
    """One line, not endless, without credentials in URLs."""
    return CREDENTIALS.sub("//", ADDRESS.sub("", " ".join(text.split())))[:LONGEST]


def retry_after_s(response: requests.Response) -> float | None:
    """Seconds that the answer's Retry-After asks for, a number or a date; None without one that can be read."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def never_sent(error: Exception) -> bool:
    """Whether it failed while connecting. A connection that broke later may have carried the request."""
    return any(
        isinstance(e, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
        for e in chain(error)
    )


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps and what it came from."""
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        e = todo.pop()
        if isinstance(e, BaseException) and id(e) not in seen:
            seen.add(id(e))
            yield e
            todo += [e.__cause__, e.__context__, getattr(e, "reason", None), *e.args]
