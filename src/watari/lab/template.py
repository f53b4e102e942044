"""The stopped state of a freshly filled lab in one file, so that it is made once and restored in seconds."""

import hashlib
import json
import shutil
import tarfile
from dataclasses import asdict

from watari.lab.packages import PYTHON_PACKAGES
from watari.lab.paths import read_json, told, write_json
from watari.lab.place import Place
from watari.lab.sample import FLAVORS, NETWORKS, sample_servers

FORMAT = 1  # count up when what a new lab holds changes in a way that the fingerprint does not see
_KEPT = ("mysql", "keystone", "glance", "nova")


def fingerprint(place: Place) -> str:
    """What a template depends on. Folder and ports are part of it: they stand in the databases."""
    parts = {
        "format": FORMAT,
        "spec": place.spec.to_json(),
        "packages": PYTHON_PACKAGES,
        "sample": [asdict(sample) for sample in sample_servers(place.spec)],
        "flavors": [asdict(flavor) for flavor in FLAVORS],
        "networks": NETWORKS,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def usable(place: Place) -> bool:
    """Whether there is a template, made for this lab as it is described now."""
    label = read_json(place.paths.template.with_suffix(".json"), {})
    return place.paths.template.exists() and label.get("fingerprint") == fingerprint(place)


def data_usable(place: Place) -> bool:
    """Whether the data folder is a whole one that belongs to this lab as it is described now."""
    return bool(read_json(place.paths.data / "made.json", {}).get("fingerprint") == fingerprint(place))


def data_whole(place: Place) -> bool:
    """Whether the data folder was finished once, for whatever lab."""
    return (place.paths.data / "made.json").exists()


def save(place: Place) -> None:
    """Pack the data of a lab that is stopped."""
    label = {"fingerprint": fingerprint(place)}
    write_json(place.paths.data / "made.json", label)
    new = place.paths.template.with_suffix(".new")
    with told(new):
        place.paths.template.with_suffix(".json").unlink(missing_ok=True)
        with tarfile.open(new, "w", format=tarfile.GNU_FORMAT) as tar:
            for name in (*_KEPT, "made.json"):
                tar.add(place.paths.data / name, arcname=name)
        new.replace(place.paths.template)
        write_json(place.paths.template.with_suffix(".json"), label)


def restore(place: Place) -> None:
    """Replace the data of a lab that is stopped, all or nothing."""
    data = place.paths.data
    fresh = data.with_name("data.new")
    with told(fresh):
        shutil.rmtree(fresh, ignore_errors=True)
        with tarfile.open(place.paths.template) as tar:
            tar.extractall(fresh, filter="tar")
        shutil.rmtree(data, ignore_errors=True)
        fresh.replace(data)
