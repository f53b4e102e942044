"""Run Watcher's workload_stabilization, with its defaults, on a cluster file, inside Watcher's own environment.

    python watcher_run.py CLUSTER.json SEED cloud|zone > answer.json

With `cloud` one audit sees all hosts and knows of no zones, as it is set up by default. With `zone` there is an audit
per zone, each with a scope of that zone's hosts, which is Watcher's way to keep servers in their zone.

The strategy runs in this process: its cluster model is built and filled here before the clock starts, and a data source
with all loads in a dictionary stands for Gnocchi or Prometheus. So the CPU seconds are those of its algorithm alone: no
metric query, no API call, no logging. Its default picks destinations by chance; SEED makes a run repeatable.
"""

import datetime
import json
import logging
import random
import sys
import time
import uuid
import warnings
from pathlib import Path
from types import SimpleNamespace

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)  # LOG.debug of every candidate would be most of the run

from watcher.common import utils  # noqa: E402  (after the warnings that these imports would print)
from watcher.decision_engine.model import element, model_root  # noqa: E402
from watcher.decision_engine.strategy.strategies import WorkloadStabilization  # noqa: E402

HOST_UUIDS = 1_000_000
SERVER_UUIDS = 2_000_000
PROJECT = str(uuid.UUID(int=1))
VCPU_RATIO = 8.0  # the cluster is filled to 6 vCPUs per CPU


class DictionaryLoads:
    """A Watcher data source that knows every load already and counts how often it is asked."""

    NAME = "dictionary"

    def __init__(self, cluster):
        demand = [0.0] * len(cluster["hosts"])
        memory_mib = [0] * len(cluster["hosts"])
        for server in cluster["servers"]:
            demand[server["host"]] += server["vcpus"] * server["load_percent"] / 100
            memory_mib[server["host"]] += server["memory_mib"]
        hosts = list(enumerate(cluster["hosts"]))
        servers = list(enumerate(cluster["servers"]))
        self.queries = 0
        self._meters = {
            "instance_cpu_usage": {server_uuid(i): s["load_percent"] for i, s in servers},
            "instance_ram_usage": {server_uuid(i): s["memory_mib"] for i, s in servers},
            # Demand, which may be over 100 %: a real meter stops there and would hide how much a host is over.
            "host_cpu_usage": {host_uuid(i): 100 * demand[i] / h["cpus"] for i, h in hosts},
            "host_ram_usage": {host_uuid(i): 1024 * memory_mib[i] for i, _ in hosts},
        }

    def statistic_aggregation(self, resource, _type, meter, *_window):
        self.queries += 1
        return self._meters[meter][resource.uuid]


class Offline(WorkloadStabilization):
    """The strategy as it is, with a model and a data source that are given instead of fetched."""

    def __init__(self, model, loads):
        super().__init__(config=SimpleNamespace(datasources="dictionary"))
        self._given_model = model
        self._given_loads = loads
        parameters = utils.Struct()
        parameters.update({name: p.get("default") for name, p in self.get_schema()["properties"].items()})
        self.input_parameters = parameters

    @property
    def compute_model(self):
        return self._given_model

    @property
    def datasource_backend(self):
        return self._given_loads

    def _pre_execute(self):
        """Leaves out the base class's check and its dump of the model to the debug log."""


def host_uuid(index):
    return str(uuid.UUID(int=HOST_UUIDS + index))


def server_uuid(index):
    return str(uuid.UUID(int=SERVER_UUIDS + index))


def build_model(cluster, zones):
    """Watcher's own model of the hosts in these zones: compute nodes, instances and which is where."""
    model = model_root.ModelRoot()
    nodes = {}
    for i, host in enumerate(cluster["hosts"]):
        if host["zone"] not in zones:
            continue
        node = element.ComputeNode(
            id=i, uuid=host_uuid(i), hostname=host["name"], state="up", status="enabled",
            vcpus=host["cpus"], vcpu_reserved=0, vcpu_ratio=VCPU_RATIO,
            memory=host["memory_mib"], memory_mb_reserved=0, memory_ratio=1.0,
            disk=host["disk_gib"], disk_capacity=host["disk_gib"], disk_gb_reserved=0, disk_ratio=1.0,
        )  # fmt: skip
        model.add_node(node)
        nodes[i] = node
    now = datetime.datetime.now(datetime.UTC)
    for i, server in enumerate(cluster["servers"]):
        if server["host"] not in nodes:
            continue
        where = cluster["hosts"][server["host"]]["name"]
        instance = element.Instance(
            uuid=server_uuid(i), name=server["name"], state="active", project_id=PROJECT, created=now, metadata={},
            vcpus=server["vcpus"], memory=server["memory_mib"],
            disk=server["disk_gib"], disk_capacity=server["disk_gib"],
            hypervisor_hostname=where, host=where, watcher_exclude=False,
        )  # fmt: skip
        model.add_instance(instance)
        model.map_instance(instance, nodes[server["host"]])
    return model


def placement_after(cluster, actions):
    """Where every server is after the actions; a destination is named by host name or uuid, as the version likes."""
    placement = [server["host"] for server in cluster["servers"]]
    index = {host["name"]: i for i, host in enumerate(cluster["hosts"])}
    index.update({host_uuid(i): i for i in range(len(cluster["hosts"]))})
    for action in actions:
        if action["action_type"] == "migrate":
            parameters = action["input_parameters"]
            server = parameters.get("resource_id") or action["resource_id"]
            placement[uuid.UUID(server).int - SERVER_UUIDS] = index[parameters["destination_node"]]
    return placement


def main():
    path, seed, scope = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    cluster = json.loads(path.read_text(encoding="utf-8"))
    zones = sorted({host["zone"] for host in cluster["hosts"]})
    loads = DictionaryLoads(cluster)
    audits = [Offline(build_model(cluster, z), loads) for z in ([zones] if scope == "cloud" else [[z] for z in zones])]
    random.seed(seed)
    started = time.process_time()
    for audit in audits:
        audit.pre_execute()
        audit.do_execute()
    cpu_s = time.process_time() - started
    placement = placement_after(cluster, [action for audit in audits for action in audit.solution.actions])
    json.dump({"cpu_s": cpu_s, "placement": placement, "metric_queries": loads.queries}, sys.stdout)


if __name__ == "__main__":
    main()
