"""A balancer's memory as bytes, so that what it has learned survives its process."""

import io
import json
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import numpy as np

from watari.jobs.balance import Memory
from watari.jobs.placement.memory import DayShape
from watari.jobs.placement.world import Readings
from watari.model.compute import ServerId

FORM: Final = 1
_ARRAYS: Final = ("steal", "load", "mean", "variance", "seen", "rounds")
_READINGS: Final = tuple(f.name for f in fields(Readings) if f.name != "ids")


def to_bytes(memory: Memory) -> bytes:
    """Compressed arrays and a header; about 0.4 KB a server with a learned day in slots of 15 minutes."""
    head: dict[str, Any] = {
        "form": FORM, "ids": memory.ids, "at": memory.at.isoformat(), "host_rounds": memory.host_rounds,
        "throttled_rounds": memory.throttled_rounds,
    }  # fmt: skip
    arrays = {name: getattr(memory, name) for name in _ARRAYS}
    arrays |= {f"readings_{name}": getattr(memory.readings, name) for name in _READINGS}
    if (shape := memory.shape) is not None:
        head |= {"slot": shape.slot, "count": shape.count}
        arrays |= {"cores": shape.cores, "total": shape.total}
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def from_bytes(kept: bytes) -> Memory:
    """The memory again. Raises ValueError for what is none, or of another version: then all is learned anew."""
    try:
        with np.load(io.BytesIO(kept), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            if head["form"] != FORM:
                raise ValueError(f"form {head['form']}, this version knows {FORM}")
            ids = tuple(map(ServerId, head["ids"]))
            shape = None
            if "cores" in arrays:
                shape = DayShape(arrays["cores"], head["slot"], arrays["total"], head["count"])
            return Memory(
                ids=ids,
                at=datetime.fromisoformat(head["at"]),
                host_rounds=head["host_rounds"],
                throttled_rounds=head["throttled_rounds"],
                readings=Readings(ids, **{name: arrays[f"readings_{name}"] for name in _READINGS}),
                shape=shape,
                **{name: arrays[name] for name in _ARRAYS},
            )
    except ValueError:
        raise
    except Exception as e:  # whatever numpy, zipfile and zlib raise for bytes that are no archive
        raise ValueError(f"{type(e).__name__}: {e}") from e
