"""libvirt's own bindings, and their errors in Watari's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from watari.drivers.debian import imported
from watari.errors import Permanent, Refused, Transient

# What may pass: the daemon is away or busy, the connection broke, another job has the domain.
_PASSING: Final = (
    "VIR_ERR_NO_CONNECT", "VIR_ERR_RPC", "VIR_ERR_SYSTEM_ERROR", "VIR_ERR_OPERATION_TIMEOUT",
    "VIR_ERR_AGENT_UNRESPONSIVE", "VIR_ERR_RESOURCE_BUSY", "VIR_ERR_INTERNAL_ERROR", "VIR_ERR_INVALID_CONN",
)  # fmt: skip
_FORBIDDEN: Final = (
    "VIR_ERR_AUTH_FAILED",
    "VIR_ERR_AUTH_CANCELLED",
    "VIR_ERR_AUTH_UNAVAILABLE",
    "VIR_ERR_ACCESS_DENIED",
)


@cache
def libvirt() -> Any:
    """The module. Raises BadInput naming the package that is missing."""
    module = imported("libvirt", "python3-libvirt")
    module.registerErrorHandler(lambda *_: None, None)  # it writes to standard error otherwise
    return module


@contextmanager
def told(what: str, *, change: bool = False) -> Iterator[None]:
    """Whatever libvirt says is raised in Watari's terms; `what` completes "cannot …".

    Raises Transient, Permanent for what has to be mended outside, and, of a `change`, Refused for this one request. A
    question that cannot be answered is no answer: it is asked again.
    """
    lv = libvirt()
    try:
        yield
    except lv.libvirtError as e:
        code, said = e.get_error_code(), clean(e)
        if code in _codes(_FORBIDDEN):
            raise Permanent(f"cannot {what}: {said}; look at the host's auth settings and at your key") from e
        if change and code not in _codes(_PASSING):
            raise Refused(f"cannot {what}: {said}") from e
        raise Transient(f"cannot {what} now: {said}") from e


def is_missing(error: Exception) -> bool:
    """Whether a libvirtError says that there is no such domain or secret."""
    lv = libvirt()
    missing = (lv.VIR_ERR_NO_DOMAIN, lv.VIR_ERR_NO_SECRET)
    return isinstance(error, lv.libvirtError) and error.get_error_code() in missing


def clean(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("error: ")


@cache
def _codes(names: tuple[str, ...]) -> frozenset[int]:
    return frozenset(getattr(libvirt(), name) for name in names)
