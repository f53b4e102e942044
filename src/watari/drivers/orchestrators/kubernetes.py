"""Kubernetes: cordon the node, evict its pods within their disruption budgets, uncordon it, and see it Ready."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, Literal, TypeVar

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, File, Seconds, Word, read_section
from watari.drivers.orchestrators.marks import is_ours, listed, marked, packed, unpacked
from watari.drivers.orchestrators.names import called
from watari.drivers.orchestrators.opening import Surroundings
from watari.errors import BadInput, Permanent, Refused, Transient
from watari.model.compute import Server, ServerId
from watari.ports import Standing

ANNOTATION: Final = "watari.dev/detached"  # our mark on a node: {"reason": …, "was": …}
PROVIDER: Final = re.compile(r"openstack://[^/]*/(?P<id>.+)")  # openstack:///uuid, openstack://region/uuid
MIRROR: Final = "kubernetes.io/config.mirror"
CONTROL_PLANE: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
OVER: Final = ("Succeeded", "Failed")
BUSY: Final = frozenset({0, 408, 409, 425, 429, 500, 502, 503, 504})
PAGE: Final = 500
T = TypeVar("T")
Stay = Literal["leave", "evict"]


@dataclass(frozen=True, slots=True, config=CLOSED)
class KubernetesSettings:
    """`unmanaged`, `local_data`: pods that nobody would start anew, and pods with emptyDir volumes, which eviction
    empties. `leave`: they stay on the node and live through its move, as they live through any live migration.
    """

    kubeconfig: File | None = None
    context: Word | None = None
    in_cluster: bool = False
    unmanaged: Stay = "leave"
    local_data: Stay = "leave"
    timeout: Seconds = 15

    @model_validator(mode="after")
    def _consistent(self) -> "KubernetesSettings":
        if self.in_cluster and (self.kubeconfig or self.context):
            raise ValueError("in_cluster and kubeconfig exclude each other")
        return self


def open_orchestrator(name: str, section: Mapping[str, Any], around: Surroundings) -> "Kubernetes":
    settings = read_section(KubernetesSettings, section, around.where, "kubeconfig: ~/.kube/config")
    return Kubernetes(name, settings, around.where)


class Kubernetes:
    """One cluster. The API as of 1.22 (policy/v1) and later."""

    def __init__(self, name: str, settings: KubernetesSettings, where: str = "") -> None:
        self.name, self._settings, self._where = name, settings, where
        self._made: Any = None
        self._refused: dict[str, dict[str, str]] = {}  # node -> pod -> why its eviction was refused last

    def members(self, servers: Collection[Server]) -> Mapping[ServerId, str]:
        """A call per 500 nodes. By the node's providerID, else by its exact name."""
        by_id, by_name = {str(s.id): [s.id] for s in servers}, called(servers)
        found: dict[ServerId, str] = {}
        for node in self._nodes():
            provider = PROVIDER.fullmatch(node.spec.provider_id or "")
            for id in by_id.get(provider["id"], ()) if provider else by_name.get(node.metadata.name, ()):
                found[id] = node.metadata.name
        return found

    def standing(self, member: str, was: str = "") -> Standing | None:
        node = self._node(member)
        if node is None:
            return None
        mark, ready = _mark(node), _ready(node)
        if node.spec.unschedulable:
            ours = is_ours(mark.get("reason"))
            left = self._left(member) if ours else ""
            return Standing(True, False, ours, left, f"cordoned: {mark.get('reason') or 'nobody says why'}")
        fit = ready or not unpacked(was).get("ready", True)
        return Standing(False, fit, note="" if ready else f"the node is not Ready: {_not_ready(node)}")

    def was(self, member: str) -> str:
        node = self._known(member)
        mark = _mark(node)
        if is_ours(mark.get("reason")) and isinstance(mark.get("was"), str):
            return str(mark["was"])
        return packed({"ready": _ready(node), "schedulable": not node.spec.unschedulable})

    def why_not(self, member: str) -> str:
        """The quorum of the control plane; what may be evicted is the business of the pods' own budgets."""
        node = self._known(member)
        if not _rules(node):
            return ""
        rulers = [n for n in self._nodes() if _rules(n)]
        left = sum(_ready(n) and n.metadata.name != member for n in rulers)
        if left > len(rulers) // 2:
            return ""
        return f"it is of the control plane: {left} of {len(rulers)} would be left, which is no majority"

    def detach(self, member: str, reason: str) -> None:
        node = self._known(member)
        if not node.spec.unschedulable:
            mark = packed({"reason": marked(reason), "was": self.was(member)})
            self._patch(node, {"metadata": {"annotations": {ANNOTATION: mark}}, "spec": {"unschedulable": True}})
        elif not is_ours(_mark(node).get("reason")):
            return
        refused = self._refused[member] = {}
        for pod in self._leaving(member):
            if pod.metadata.deletion_timestamp is None and (why := self._evict(pod)):
                refused[_called(pod)] = why

    def attach(self, member: str, was: str) -> None:
        node = self._node(member)
        if node is None:
            raise Transient(f"Kubernetes {self.name} has no node {member} just now")
        mark = _mark(node)
        if not mark:
            return
        schedulable = unpacked(was or str(mark.get("was", ""))).get("schedulable", True)
        spec = {"unschedulable": None} if schedulable else {}
        self._patch(node, {"metadata": {"annotations": {ANNOTATION: None}}, "spec": spec})
        self._refused.pop(member, None)

    def left_out(self) -> Mapping[str, str]:
        """A call per 500 nodes."""
        marks = {node.metadata.name: _mark(node).get("reason") for node in self._nodes()}
        return {name: str(reason) for name, reason in marks.items() if is_ours(reason)}

    # Pods

    def _left(self, member: str) -> str:
        pods = [_called(pod) for pod in self._leaving(member)]
        refused = self._refused.get(member, {})
        why = next((refused[pod] for pod in pods if pod in refused), "")
        return listed(pods, "pod") + (f" ({why})" if why else "")

    def _leaving(self, member: str) -> Iterator[Any]:
        """Pods that have to go: not what `kubectl drain` skips, nor what the settings leave where it is."""
        for pod in self._pages(self._core.list_pod_for_all_namespaces, field_selector=f"spec.nodeName={member}"):
            if not self._stays(pod):
                yield pod

    def _stays(self, pod: Any) -> bool:
        owner = next((o for o in pod.metadata.owner_references or () if o.controller), None)
        if pod.status.phase in OVER or MIRROR in (pod.metadata.annotations or {}):
            return True
        if owner is None:
            return self._settings.unmanaged == "leave"
        if owner.kind == "DaemonSet":
            return True
        local = any(volume.empty_dir is not None for volume in pod.spec.volumes or ())
        return local and self._settings.local_data == "leave"

    def _evict(self, pod: Any) -> str:
        """Ask for it; why it was refused for now, or empty. Budgets answer 429, two budgets on one pod 500."""
        kubernetes = self._library()
        meta = {"name": pod.metadata.name, "namespace": pod.metadata.namespace}
        body = kubernetes.client.V1Eviction(metadata=meta)
        try:
            self._call(
                f"evict {_called(pod)}", self._core.create_namespaced_pod_eviction, meta["name"], meta["namespace"],
                body,
            )  # fmt: skip
        except _Gone:
            return ""
        except Transient as e:
            return str(e.args[1]) if len(e.args) > 1 else str(e)
        return ""

    # Nodes

    def _nodes(self) -> Iterator[Any]:
        return self._pages(self._core.list_node)

    def _node(self, member: str) -> Any:
        """None if there is no such node."""
        try:
            return self._call(f"tell how node {member} is", self._core.read_node, member)
        except _Gone:
            return None

    def _known(self, member: str) -> Any:
        node = self._node(member)
        if node is None:
            raise Permanent(f"Kubernetes {self.name} has no node {member}")
        return node

    def _patch(self, node: Any, body: dict[str, Any]) -> None:
        """Only if the node is as it was read: else 409, and it is read again."""
        body["metadata"]["resourceVersion"] = node.metadata.resource_version
        self._call(f"change node {node.metadata.name}", self._core.patch_node, node.metadata.name, body)

    # The library

    def _pages(self, listing: Callable[..., Any], **more: Any) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._call("list", listing, limit=PAGE, _continue=token, **more)
            yield from page.items
            token = page.metadata._continue
            if not token:
                return

    def _call(self, what: str, call: Callable[..., T], *args: Any, **more: Any) -> T:
        """One request. Raises _Gone for 404; what may pass is Transient, with its words as 2nd argument."""
        import urllib3.exceptions

        kubernetes, who = self._library(), f"Kubernetes {self.name}"
        try:
            return call(*args, **more, _request_timeout=float(self._settings.timeout))
        except kubernetes.client.ApiException as e:
            said = _said(e)
            if e.status == 404:
                raise _Gone(f"{who} cannot {what}: {said}") from e
            if e.status in BUSY:
                raise Transient(f"{who} cannot {what} now: {e.status} {said}", said) from e
            if e.status in (401, 403):
                raise Refused(f"{who} does not let us {what}: {said}; it needs the rights in the reference") from e
            raise Refused(f"{who} will not {what}: {e.status} {said}") from e
        except (urllib3.exceptions.HTTPError, OSError) as e:
            raise Transient(f"{who} does not answer to {what}: {_short(e)}") from e

    @property
    def _core(self) -> Any:
        if self._made is None:
            kubernetes = self._library()
            configuration = kubernetes.client.Configuration()
            try:
                if self._settings.in_cluster:
                    kubernetes.config.load_incluster_config(client_configuration=configuration)
                else:
                    kubernetes.config.load_kube_config(
                        self._settings.kubeconfig, self._settings.context, configuration, persist_config=False
                    )
            except kubernetes.config.ConfigException as e:
                raise BadInput(f"{self._where or self.name}: {e}") from e
            configuration.retries = False  # whoever calls decides what is asked again
            self._made = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration))
        return self._made

    @staticmethod
    def _library() -> Any:
        import kubernetes  # most of a second that clouds without a cluster need not wait for

        return kubernetes


class _Gone(Refused):
    """404: there is no such thing (any more)."""


def _mark(node: Any) -> dict[str, Any]:
    return unpacked((node.metadata.annotations or {}).get(ANNOTATION, ""))


def _condition(node: Any) -> Any:
    return next((c for c in (node.status.conditions or () if node.status else ()) if c.type == "Ready"), None)


def _ready(node: Any) -> bool:
    condition = _condition(node)
    return condition is not None and condition.status == "True"


def _not_ready(node: Any) -> str:
    condition = _condition(node)
    return (condition.message or condition.reason or condition.status) if condition is not None else "it tells nothing"


def _rules(node: Any) -> bool:
    return any(label in (node.metadata.labels or {}) for label in CONTROL_PLANE)


def _called(pod: Any) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def _said(error: Any) -> str:
    body = unpacked(error.body if isinstance(error.body, str) else "")
    return " ".join(str(body.get("message") or error.reason or "no reason given").split())[:300]


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
