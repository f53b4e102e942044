"""The file form of a compute snapshot: what is exported from one cloud and planned for anywhere."""

from watari.drivers.snapshot_file.read import read_snapshot
from watari.drivers.snapshot_file.schema import snapshot_json_schema
from watari.drivers.snapshot_file.write import snapshot_bytes, write_snapshot

__all__ = ["read_snapshot", "snapshot_bytes", "snapshot_json_schema", "write_snapshot"]
