"""Export a cloud as a snapshot file, and say what such a file looks like."""

import json

from watari.app.clouds import open_cloud
from watari.drivers.snapshot_file import snapshot_bytes, snapshot_json_schema, write_snapshot
from watari.model.compute import ComputeSnapshot


def export_snapshot(cloud: str, path: str) -> ComputeSnapshot:
    """Read the cloud once and write what was seen; "-" is standard output. Raises BadInput."""
    opened = open_cloud(cloud)
    snapshot = opened.snapshot()
    write_snapshot(snapshot, path)
    return snapshot


def snapshot_file(snapshot: ComputeSnapshot) -> bytes:
    """What `watari snapshot` would write of it."""
    return snapshot_bytes(snapshot)


def snapshot_schema() -> str:
    """The JSON schema of snapshot files, as docs/reference/snapshot.schema.json holds it."""
    return json.dumps(snapshot_json_schema(), indent=2) + "\n"
