"""A Kubernetes API on kmock, with what evictions and optimistic locking add to it; runs in a thread on loopback.

As seen on a real API server: no room in a budget is 429 without Retry-After, two budgets on one pod are 500, a pod that
is gone is 404, one that terminates can be evicted again (201).
"""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kmock
from kmock._internal import enums, k8s, rendering

NODES = "v1/nodes"
EVICTION = re.compile(r"/api/v1/namespaces/[^/]+/pods/[^/]+/eviction")
LEAVES_S = 0.3
Json = dict[str, Any]


@dataclass
class Pod:
    """`blocked`: the status and words of the answer to its eviction; None: it leaves LEAVES_S after it."""

    name: str
    node: str
    owner: str | None = "ReplicaSet"
    namespace: str = "default"
    empty_dir: bool = False
    mirror: bool = False
    phase: str = "Running"
    blocked: tuple[int, str] | None = None
    evicted_at: float | None = None

    @property
    def gone(self) -> bool:
        return self.evicted_at is not None and time.monotonic() - self.evicted_at > LEAVES_S

    @property
    def row(self) -> Json:
        owners = [{"kind": self.owner, "name": "o", "uid": "u", "apiVersion": "apps/v1", "controller": True}]
        meta: Json = {"name": self.name, "namespace": self.namespace, "ownerReferences": owners if self.owner else []}
        if self.mirror:
            meta["annotations"] = {"kubernetes.io/config.mirror": "x"}
        if self.evicted_at is not None:
            meta["deletionTimestamp"] = "2026-11-30T00:00:00Z"
        volumes = [{"name": "v", "emptyDir": {}}] if self.empty_dir else []
        spec = {"nodeName": self.node, "containers": [], "volumes": volumes}
        return {"metadata": meta, "spec": spec, "status": {"phase": self.phase}}


class Emulator(k8s.KubernetesEmulator):
    """kmock's, which merges patches; here a patch of an older version is a conflict, as in the real one."""

    fate: int = 0  # a status that every request gets instead of its answer

    async def _handle(self, request: rendering.Request) -> Any:
        if self.fate:
            return await self._render_error(k8s.KubernetesError(self.fate, "Unavailable", "it is starting"))
        if request.action == enums.action.UPDATE and request.resource and request.name:
            stored = self._objects[request.resource, request.namespace, request.name]
            wanted = (request.data or {}).get("metadata", {}).get("resourceVersion")
            if wanted is not None and wanted != stored["metadata"]["resourceVersion"]:
                return await self._render_error(
                    k8s.KubernetesError(409, "Conflict", "the object has been modified; please apply your changes")
                )
            response = await super()._handle(request)
            stored.patch({"metadata": {"resourceVersion": str(int(stored["metadata"]["resourceVersion"]) + 1)}})
            return response
        return await super()._handle(request)


@dataclass
class Cluster:
    """Nodes, pods, and who was asked to leave."""

    emulator: Any
    pods: list[Pod] = field(default_factory=list)
    url: str = ""
    evictions: list[str] = field(default_factory=list)

    def add_node(
        self,
        name: str,
        provider: str = "",
        *,
        ready: bool = True,
        cordoned: bool = False,
        labels: tuple[str, ...] = (),
    ) -> None:
        meta = {"name": name, "resourceVersion": "1", "annotations": {}, "labels": dict.fromkeys(labels, "")}
        spec: Json = {"providerID": provider or None, "unschedulable": True if cordoned else None}
        self.emulator.objects[NODES, None, name] = {"metadata": meta, "spec": spec, "status": _status(ready)}

    def set_ready(self, name: str, ready: bool) -> None:
        self.emulator.objects[NODES, None, name].patch({"status": _status(ready)})

    def node(self, name: str) -> Json:
        found: Json = self.emulator.objects[NODES, None, name].raw
        return found

    def schedulable(self, name: str) -> bool:
        return not self.node(name)["spec"].get("unschedulable")

    def kubeconfig(self, path: Path) -> Path:
        user = {"name": "u", "user": {"token": "t"}}
        clusters = [{"name": "c", "cluster": {"server": self.url}}]
        contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
        text = {"apiVersion": "v1", "kind": "Config", "clusters": clusters, "users": [user], "contexts": contexts}
        path.write_text(json.dumps({**text, "current-context": "x"}), encoding="utf-8")
        return path

    # What kmock does not do by itself

    def listed(self, request: rendering.Request) -> Any:
        node = str(request.params.get("fieldSelector", "")).removeprefix("spec.nodeName=")
        rows = [pod.row for pod in self.pods if pod.node == node and not pod.gone]
        return {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": rows}

    def evicted(self, request: rendering.Request) -> Any:
        *_, namespace, _, name, _ = request.url.path.split("/")
        pod = next((p for p in self.pods if (p.namespace, p.name) == (namespace, name) and not p.gone), None)
        if pod is None:
            raise k8s.KubernetesObjectNotFoundError()
        self.evictions.append(name)
        if pod.blocked is not None and pod.evicted_at is None:
            status, words = pod.blocked
            raise k8s.KubernetesError(status, "TooManyRequests" if status == 429 else "InternalError", words)
        pod.evicted_at = pod.evicted_at or time.monotonic()
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _status(ready: bool) -> Json:
    condition = {"type": "Ready", "status": "True" if ready else "False", "message": "kubelet says so"}
    return {"conditions": [condition]}


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster without nodes; its API answers until the end."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    made: list[Cluster] = []

    async def serve() -> None:
        async with Emulator() as emulator, kmock.Server(emulator) as server:
            cluster = Cluster(emulator, url=str(server.url).rstrip("/"))
            emulator.resources[NODES] = kmock.ResourceInfo(kind="Node", namespaced=False)
            emulator["get /api/v1/pods"] << cluster.listed
            emulator[kmock.method.POST, EVICTION] << cluster.evicted
            made.append(cluster)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10.0), "kmock does not start"
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10.0)
        loop.close()
