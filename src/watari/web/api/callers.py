"""Who asks: by a token of Keystone, or by one generated token on loopback."""

import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from watari.errors import Permanent, WatariError

TOKEN_FILE: Final = "api-token"


class Unauthorised(WatariError):
    """There is no token, or it is none of ours."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a valid token. `key` tells callers apart for their limits; it is no secret."""

    user: str
    key: str
    roles: tuple[str, ...] = ()
    project: str = ""
    system: bool = False


class Doorkeeper(Protocol):
    """Knows callers by their request's headers."""

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        """At once: somebody who was let in a moment ago; None: `caller` has to be asked."""
        ...

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """May take as long as Keystone takes. Raises Unauthorised, and Transient when nobody can say just now."""
        ...


@dataclass(frozen=True, slots=True)
class LocalToken:
    """One secret for one machine: who can read the file of the user that runs the controller may do everything."""

    secret: str

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        right = hmac.compare_digest(token_of(headers).encode(), self.secret.encode())
        return Caller("local", "local", ("admin",)) if right else None

    def caller(self, headers: Mapping[str, str]) -> Caller:
        if not token_of(headers):
            raise Unauthorised("send the token: Authorization: Bearer TOKEN")
        if (caller := self.known(headers)) is None:
            raise Unauthorised("this is not the token of this controller: it is made anew with its file")
        return caller


class Anybody:
    """For the demo on loopback: there is nothing to protect."""

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        return self.caller(headers)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        return Caller("you", "you", ("admin",))


def token_of(headers: Mapping[str, str]) -> str:
    """The token in a request's headers (in lower case), or ""."""
    if token := headers.get("x-auth-token", ""):
        return token
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def local_token(folder: Path) -> LocalToken:
    """The token in the folder's file, made if there is none; only its owner may read it. Raises Permanent."""
    path = folder / TOKEN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        return _read(path)
    except OSError as e:
        raise Permanent(f"the API's token cannot be kept in {path}: {e.strerror or e}") from e


def _read(path: Path) -> LocalToken:
    if path.stat().st_mode & 0o077:
        raise Permanent(f"{path} may be read by others: chmod 600 it, or delete it to have another one made")
    if len(secret := path.read_text().strip()) < 20:
        raise Permanent(f"{path} holds no token: delete it to have one made")
    return LocalToken(secret)
