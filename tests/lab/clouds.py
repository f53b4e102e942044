"""A clouds.yaml for the tests: the lab's clouds, measured over a short window, and clouds that are wrong."""

from pathlib import Path
from typing import Any

import yaml

WINDOW = "30s"  # six scrapes of the lab's Prometheus


def written(lab: Path, path: Path) -> Path:
    """Beside the lab's own: `wrong-password`, `unreachable` (nobody listens there) and `dark` (no Prometheus there)."""
    known: dict[str, Any] = yaml.safe_load(lab.read_text())["clouds"]
    known["lab"]["watari"]["prometheus"]["window"] = WINDOW
    known["wrong-password"] = changed(known["lab"], auth={"password": "wrong"})
    known["unreachable"] = changed(known["lab"], auth={"auth_url": "http://127.0.0.1:9/v3"})
    known["dark"] = changed(known["lab"], watari={"prometheus": {"url": "http://127.0.0.1:9"}})
    return save(known, path)


def changed(cloud: dict[str, Any], **sections: dict[str, Any]) -> dict[str, Any]:
    """The cloud with some keys of its sections replaced."""
    return cloud | {name: cloud.get(name, {}) | keys for name, keys in sections.items()}


def added(path: Path, name: str, cloud: dict[str, Any]) -> None:
    """One more cloud in a file."""
    save(read(path) | {name: cloud}, path)


def read(path: Path) -> dict[str, Any]:
    known: dict[str, Any] = yaml.safe_load(path.read_text())["clouds"]
    return known


def save(known: dict[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"clouds": known}, sort_keys=False), encoding="utf-8")
    return path
