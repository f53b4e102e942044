"""Something in memory in the place of libvirt's Python bindings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from watari.drivers.libvirt import hosts, library


@contextmanager
def standing_for_libvirt(monkeypatch: pytest.MonkeyPatch, module: Any) -> Iterator[None]:
    """The driver finds `module` where it looks for the bindings; nothing of it is remembered afterwards."""
    monkeypatch.setattr(library, "imported", lambda name, package: module)
    monkeypatch.setattr(hosts, "_turn_events", lambda: None)
    caches = (library.libvirt, library._codes)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
