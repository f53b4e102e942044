"""Callers by Keystone's tokens, through keystonemiddleware, as every OpenStack service knows them."""

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from keystonemiddleware import auth_token
from openstack.config import OpenStackConfig
from openstack.exceptions import ConfigException

from watari.errors import BadInput, Transient
from watari.web.api.callers import Caller, Unauthorised, token_of

log = logging.getLogger(__name__)
TRUSTED_S: Final = 30.0  # how long a token that Keystone has accepted is not asked about again
AWAY_S: Final = (
    600.0  # and how long it is taken while Keystone does not answer: people must be able to stop things then
)
MOST: Final = 4096  # tokens that are remembered
_AWAY: Final = 503
Environ = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A token that Keystone knew `at` (monotonic), when it was still to last so long."""

    caller: Caller
    at: float
    lasts_s: float


@dataclass(slots=True)
class KeystoneTokens:
    """Asks Keystone with the account of a cloud in clouds.yaml. Any thread may ask."""

    middleware: Callable[[Environ, Callable[..., object]], Iterable[bytes]]
    trusted_s: float = TRUSTED_S
    _known: OrderedDict[str, "_Accepted"] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of_cloud(cls, name: str, trusted_s: float = TRUSTED_S) -> "KeystoneTokens":
        """With the credentials of a section in clouds.yaml. Raises BadInput for one that is not there."""
        # It warns of options that it does know, and of a cache that is not used; who is not let in is told the caller.
        logging.getLogger("keystonemiddleware").setLevel(logging.ERROR)
        return cls(auth_token.AuthProtocol(_tell, _settings(name)), trusted_s)

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        key = _key(token_of(headers))
        with self._lock:
            found = self._known.get(key)
        return (
            found.caller
            if found is not None and time.monotonic() < found.at + min(self.trusted_s, found.lasts_s)
            else None
        )

    def caller(self, headers: Mapping[str, str]) -> Caller:
        if not (token := token_of(headers)):
            raise Unauthorised("send a token of Keystone: X-Auth-Token (openstack token issue)")
        if (known := self.known(headers)) is not None:
            return known
        asked_at, key = time.monotonic(), _key(token)
        try:
            caller, lasts_s = self._ask(token)
        except Transient as e:
            with self._lock:
                found = self._known.get(key)
            if found is None or asked_at >= found.at + min(AWAY_S, found.lasts_s):
                raise
            log.warning("%s is let in as Keystone knew them %.0f s ago: %s", found.caller.user, asked_at - found.at, e)
            return found.caller
        except Unauthorised:
            with self._lock:
                self._known.pop(key, None)
            raise
        with self._lock:
            self._known[key] = _Accepted(caller, asked_at, lasts_s)
            self._known.move_to_end(key)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return caller

    def _ask(self, token: str) -> tuple[Caller, float]:
        """Who that is, and for how many seconds more."""
        status = 0

        def start_response(line: str, *_: object) -> None:
            nonlocal status
            status = int(line.split(" ", 1)[0])

        environ: Environ = {
            "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "SERVER_NAME": "watari",
            "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "HTTP_X_AUTH_TOKEN": token,
        }  # fmt: skip
        try:
            for _ in self.middleware(environ, start_response):
                pass
        except Exception as e:  # whatever it makes of an answer that is none: a proxy's page, half a token
            log.warning("Keystone's answer about a token: %s: %s", type(e).__name__, str(e).splitlines()[0][:200])
            raise Transient("Keystone answers what nobody understands: see the log of the controller") from None
        if status == _AWAY:
            raise Transient("Keystone does not answer: nobody can say whose token this is")
        if status != 200 or environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            raise Unauthorised("Keystone does not know this token, or it has expired: openstack token issue")
        return _caller(environ), _lasts_s(environ)


def _key(token: str) -> str:
    """What stands for a token in memory."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _tell(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
    """What stands behind the middleware: it has written who asks into the request."""
    start_response("200 OK", [])
    return ()


def _caller(environ: Environ) -> Caller:
    def header(name: str) -> str:
        return str(environ.get(f"HTTP_{name}") or "")

    domain = header("X_USER_DOMAIN_NAME")
    roles = tuple(filter(None, header("X_ROLES").split(",")))
    return Caller(
        f"{header('X_USER_NAME')}@{domain}" if domain else header("X_USER_NAME"), header("X_USER_ID"), roles,
        header("X_PROJECT_ID"), header("OPENSTACK_SYSTEM_SCOPE") == "all",
    )  # fmt: skip


def _lasts_s(environ: Environ) -> float:
    """How long the token is still one; 0 where Keystone does not say."""
    try:
        expires = datetime.fromisoformat(environ["keystone.token_info"]["token"]["expires_at"])
    except (KeyError, TypeError, ValueError):
        return 0.0
    return max(0.0, (expires - datetime.now(UTC)).total_seconds())


def _settings(name: str) -> dict[str, Any]:
    """What keystonemiddleware is told, out of clouds.yaml."""
    try:
        region = OpenStackConfig().get_one(name)
    except ConfigException as e:
        raise BadInput(f"--api-keystone {name}: {e}") from e
    auth, kind = dict(region.config.get("auth", {})), region.config.get("auth_type", "password")
    if not auth.get("auth_url"):
        raise BadInput(f"--api-keystone {name}: its section in clouds.yaml has no auth_url")
    verify, cert = region.get_requests_verify_args()
    settings = {"auth_type": kind, "www_authenticate_uri": auth["auth_url"], **auth}
    settings |= {"delay_auth_decision": False, "include_service_catalog": False, "http_request_max_retries": 1}
    settings |= {"http_connect_timeout": 10, "insecure": verify is False, "token_cache_time": -1}
    settings["interface"] = region.config.get("interface") or "public"
    if isinstance(verify, str):
        settings["cafile"] = verify
    if cert:
        settings |= {"certfile": cert[0], "keyfile": cert[1]} if isinstance(cert, tuple) else {"certfile": cert}
    if region.config.get("region_name"):
        settings["region_name"] = region.config["region_name"]
    return settings
