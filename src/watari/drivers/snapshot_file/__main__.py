"""Print the JSON schema of snapshot files, as docs/reference/snapshot.schema.json holds it."""

import json

from watari.drivers.snapshot_file import snapshot_json_schema

if __name__ == "__main__":
    print(json.dumps(snapshot_json_schema(), indent=2))
