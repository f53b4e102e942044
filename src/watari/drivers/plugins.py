"""Kinds of a driver by their names: those that come with Watari, and those that other packages bring."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from stevedore.exception import NoMatches
from stevedore.extension import ExtensionManager

from watari.errors import BadInput


def opener(kind: object, built_in: Mapping[str, str], namespace: str, noun: str, where: str) -> Any:
    """What opens that kind; `built_in` is kind -> `module:function`, `namespace` that of the entry points.

    Raises BadInput that names the kinds there are.
    """
    if isinstance(kind, str) and kind in built_in:
        module, _, function = built_in[kind].partition(":")
        return getattr(import_module(module), function)
    plugins = _plugins(namespace)
    if isinstance(kind, str) and kind in plugins:
        return plugins[kind]
    known = sorted({*built_in, *plugins})
    near = get_close_matches(str(kind), known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise BadInput(f'{where}: there is no kind "{kind}" of {noun}; {hint}')


def _plugins(namespace: str) -> dict[str, Any]:
    """Kinds that other packages bring. One that cannot be loaded is as good as not there."""
    try:
        found: ExtensionManager[Any] = ExtensionManager(namespace, invoke_on_load=False)
    except NoMatches:
        return {}
    return {extension.name: extension.plugin for extension in found}
