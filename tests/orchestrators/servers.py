"""Servers as an inventory has them, for tests that only need their names."""

from watari.model.compute import HostName, Server, ServerId


def server(name: str, id: str = "") -> Server:
    return Server(ServerId(id or name), name, HostName("h1"), 2, 4096)
