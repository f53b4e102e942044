"""The page and the API before one live picture, without plans, runs or a database."""

from typing import Any, cast

from fastapi import FastAPI

from watari.errors import NotFound
from watari.web.api.app import create_api
from watari.web.api.callers import Anybody
from watari.web.api.context import Api
from watari.web.api.desk import Desk
from watari.web.api.rates import Rates
from watari.web.api.rules import Rules
from watari.web.hub import Hub
from watari.web.serving import Server

CLOUD = "tokyo-1"
STATE = f"/v1/clouds/{CLOUD}/state"
EVENTS = f"/v1/clouds/{CLOUD}/events"


class OneHub:
    """A desk that knows one cloud, and of that only the picture."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def hub(self, cloud: str) -> Hub:
        if cloud != CLOUD:
            raise NotFound(f"no controller has ever looked after {cloud}")
        return self._hub

    def clouds(self) -> list[Any]:
        return []

    plans = runs = findings = stops = changes = clouds


def page_app(hub: Hub) -> FastAPI:
    api = Api(cast(Desk, OneHub(hub)), Anybody(), Rules(), Rates("10000/second"))
    return create_api(api, loopback=True)


def page_server(hub: Hub, port: int = 0) -> Server:
    return Server(page_app(hub), port=port, closing=hub.close)
