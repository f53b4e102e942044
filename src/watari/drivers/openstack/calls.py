"""Calls to one cloud's services: API versions negotiated, reads repeated, changes never, every failure in words."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import requests
from keystoneauth1 import adapter, discover
from keystoneauth1 import exceptions as ks
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from watari.drivers.openstack.errors import Later, NotSent, of_exception, of_response
from watari.errors import Permanent, Refused, Transient

Json = dict[str, Any]
Params = Mapping[str, str | int | list[str]]

TRIES = 4
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0  # a cloud that asks for a longer pause is asked again by the caller, later
TIMEOUT_S = (10.0, 60.0)  # to connect, and between two bytes of the answer
BRIEFLY_S = (5.0, 15.0)  # the same, for what a plan can do without
PAGE = 1000  # Nova's default [api]max_limit; a smaller one of the cloud's is kept to


@dataclass(frozen=True, slots=True)
class Version:
    """A microversion to ask with: `best` if the cloud knows it, else its newest, which must be `least` or newer."""

    best: str
    least: str
    feature: str  # for the sentence that says what an old cloud cannot do


class Service:
    """One service of the cloud (compute, placement) with its API's limits. Safe for many threads."""

    def __init__(self, transport: adapter.Adapter, kind: str) -> None:
        self.transport = transport
        self.kind = kind
        self._newest: tuple[float, ...] | None = None
        self._lock = threading.Lock()

    def newest(self) -> tuple[float, ...]:
        """The newest microversion that the cloud offers. Raises keystoneauth's errors.

        A service that is down, or older than microversions (2015), is one that cannot be reached: asked again later.
        """
        if self._newest is None:
            with self._lock:
                if self._newest is None:
                    data = self.transport.get_endpoint_data()
                    if data is None:
                        raise ks.EndpointNotFound(f"no {self.kind} service in its catalogue")
                    if not data.max_microversion:  # the version document could not be read: it is not kept
                        raise ks.ConnectFailure(f"{data.url} does not show its versions")
                    self._newest = tuple(data.max_microversion)
        return self._newest


@dataclass(frozen=True, slots=True)
class Calls:
    """What the driver asks its services. `who()` names user and project, for refusals of their rights."""

    cloud: str
    auth_url: str
    compute: Service
    placement: Service
    who: Callable[[], str]
    sleep: Callable[[float], None] = time.sleep
    network: adapter.Adapter | None = None

    def get(self, path: str, version: Version, what: str, params: Params | None = None) -> Json:
        """Read from Nova. Raises Transient after a few tries, Permanent, and Refused for what is not there."""
        return self._read(self.compute, path, version, what, params)

    def get_placement(self, path: str, version: Version, what: str, params: Params | None = None) -> Json:
        """Read from Placement; errors as those of `get`."""
        return self._read(self.placement, path, version, what, params)

    def ask_network(self, path: str, what: str, params: Params) -> Json | None:
        """Read from Neutron, once and briefly: it is asked only for what one can do without. None without a Neutron.

        Raises what `get` does.
        """
        if self.network is None:
            return None
        try:
            response = self.network.request(
                path, "GET", raise_exc=False, connect_retries=0, status_code_retries=0, timeout=BRIEFLY_S,
                headers={"Accept": "application/json"}, params=params,
            )  # fmt: skip
        except ks.EndpointNotFound:
            return None
        except ks.ClientException as e:
            raise of_exception(e, what, self.cloud, self.auth_url) from e
        if response.status_code >= 400:
            raise of_response(response, what, self.cloud, self.who())
        return self._object(response, what)

    def pages(self, path: str, key: str, version: Version, what: str, params: Params) -> Iterator[list[Json]]:
        """Read a list of Nova's page by page, following its own links: the cloud may hand out fewer than asked for."""
        marker = ""
        while True:
            asked = {**params, "limit": PAGE} | ({"marker": marker} if marker else {})
            try:
                body = self.get(path, version, what, asked)
            except Refused as e:
                if not marker:
                    raise
                raise Transient(f"the list changed while it was read, ask again: {e}") from e
            yield body[key]
            after = next((link["href"] for link in body.get(f"{key}_links", ()) if link["rel"] == "next"), "")
            before, marker = marker, "".join(parse_qs(urlsplit(after).query).get("marker", []))
            if not marker or marker == before:
                return

    def change(
        self, method: Literal["POST", "PUT", "DELETE"], path: str, version: Version, what: str, body: Json | None = None
    ) -> requests.Response:
        """Ask Nova for a change, once: an error that leaves the outcome open is Transient, and the caller looks.

        Repeated is only what certainly was not sent, because no connection was made.
        """
        asked = self.negotiated(self.compute, version, what, Refused)

        def once() -> requests.Response:
            return self._send(self.compute, method, path, asked, what, json=body)

        return self._retrying(NotSent)(once)

    def offers(self, version: str, what: str = "name its API versions") -> bool:
        """Whether Nova knows a microversion."""
        return self._newest(self.compute, what) >= discover.normalize_version_number(version)

    def negotiated(self, service: Service, version: Version, what: str, kind: type[Permanent] = Permanent) -> str:
        """The microversion to ask with. Raises `kind` when the cloud is too old."""
        newest = self._newest(service, what)
        if newest < discover.normalize_version_number(version.least):
            name = {"compute": "Nova's", "placement": "Placement's"}[service.kind]
            have = discover.version_to_string(newest)
            raise kind(
                f"cloud {self.cloud} is too old to {what}: {version.feature} needs {name} API {version.least},"
                f" it offers {have}"
            )
        best = discover.normalize_version_number(version.best)
        return discover.version_to_string(min(best, newest))

    def _newest(self, service: Service, what: str) -> tuple[float, ...]:
        def once() -> tuple[float, ...]:
            try:
                return service.newest()
            except ks.ClientException as e:
                raise of_exception(e, what, self.cloud, self.auth_url) from e

        return self._retrying(Later)(once)

    def _read(self, service: Service, path: str, version: Version, what: str, params: Params | None) -> Json:
        asked = self.negotiated(service, version, what)

        def once() -> Json:
            return self._object(self._send(service, "GET", path, asked, what, params=params), what)

        return self._retrying(Later)(once)

    def _object(self, response: requests.Response, what: str) -> Json:
        try:
            body = response.json()
        except ValueError as e:
            raise Later(f"cloud {self.cloud} gave no JSON to {what}: is a proxy between?") from e
        if not isinstance(body, dict):
            raise Later(f"cloud {self.cloud} gave no object to {what}: is a proxy between?")
        return body

    def _send(
        self, service: Service, method: str, path: str, version: str, what: str, **more: Any
    ) -> requests.Response:
        try:
            response = service.transport.request(
                path, method, microversion=version, raise_exc=False, connect_retries=0, status_code_retries=0,
                timeout=TIMEOUT_S, headers={"Accept": "application/json"}, **more,
            )  # fmt: skip
        except ks.ClientException as e:
            raise of_exception(e, what, self.cloud, self.auth_url) from e
        if response.status_code >= 400:
            raise of_response(response, what, self.cloud, self.who())
        return response

    def _retrying(self, kind: type[Later]) -> Retrying:
        def again(e: BaseException) -> bool:
            return isinstance(e, kind) and (e.after_s or 0.0) <= LONGEST_WAIT_S

        return Retrying(
            stop=stop_after_attempt(TRIES), wait=_pause_s, retry=retry_if_exception(again), reraise=True,
            sleep=self.sleep,
        )  # fmt: skip


def _pause_s(state: RetryCallState) -> float:
    """What the cloud asked for; else exponential, with jitter so that threads do not come back all at once."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Later) and error.after_s is not None:
        return error.after_s
    return float(FIRST_WAIT_S * 2 ** (state.attempt_number - 1) * random.uniform(0.5, 1.5))
