"""Python bindings that come as packages of the system and not from an index: found from any environment."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from watari.errors import BadInput

PLACES: Final = ("/usr/lib/python3/dist-packages", "/usr/lib64/python3/site-packages")


def imported(name: str, package: str) -> ModuleType:
    """The module `name`, of this environment or else of the system.

    Only for as long as it is imported is the system's folder looked into, and after everything else: nothing of it may
    take the place of what is installed here. Raises BadInput naming the `package` that brings it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        if e.name != name:
            raise
    places = [place for place in PLACES if Path(place).is_dir()]
    sys.path += places
    try:
        return importlib.import_module(name)
    except ImportError as e:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise BadInput(
            f"the Python module {name} is missing: install {package} (Debian, Ubuntu: apt install {package}), and run "
            f"Watari with the system's Python or one of the same version; this is {version} ({e})"
        ) from e
    finally:
        for place in places:
            sys.path.remove(place)
