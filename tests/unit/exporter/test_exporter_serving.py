"""The program: where it listens, what it says when it cannot, how it ends."""

import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable

import pytest

from unit.cli.conftest import Ended
from unit.exporter.conftest import URI
from unit.exporter.small_libvirt import FakeDomain, FakeHost
from watari.cli.main import main
from watari.drivers.libvirt import library
from watari.errors import BadInput
from watari.exporter.listening import Address, read_address


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def run_main(*words: str) -> Ended:
        code = main(["exporter", *words])
        return Ended(code, *capfd.readouterr())

    return run_main


def free_port(address: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as s:
        s.bind((address, 0))
        return int(s.getsockname()[1])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_ends_it(
    host: FakeHost, run: Callable[..., Ended], address: str, number: signal.Signals
) -> None:
    try:
        listen = Address(address, free_port(address))
    except OSError:
        pytest.skip("no IPv6 here")
    host.domains = [FakeDomain()]
    got: list[str] = []

    def scrape_and_end() -> None:
        try:
            got.append(_get(f"http://{listen}/metrics"))
        finally:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    threading.Thread(target=scrape_and_end).start()
    ended = run("--listen", str(listen))
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"serving http://{listen}/metrics of {URI}; Ctrl-C ends it\n"
    assert "\nlibvirt_up 1.0\n" in got[0]
    assert "\nprocess_cpu_seconds_total " in got[0]
    assert signal.getsignal(number) is before


def _get(url: str) -> str:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


def test_a_port_that_is_taken(host: FakeHost, run: Callable[..., Ended]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("--listen", listen)
    assert ended.code == 1
    assert ended.err.startswith(f"watari: {listen} is taken by another program (see ss -ltnp; ")


def test_an_address_that_is_not_ours(host: FakeHost, run: Callable[..., Ended]) -> None:
    ended = run("--listen", "192.0.2.1:9177")
    assert (ended.code, ended.err) == (
        2,
        "watari: 192.0.2.1:9177: this host has no such address; see ip address\n",
    )


def test_without_the_bindings(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, package: str) -> None:
        raise BadInput(f"the Python module {name} is missing: install {package}")

    library.libvirt.cache_clear()
    monkeypatch.setattr(library, "imported", missing)
    ended = run("--listen", "127.0.0.1:0")
    assert (ended.code, ended.err) == (2, "watari: the Python module libvirt is missing: install python3-libvirt\n")


def test_a_uri_that_is_none(host: FakeHost, run: Callable[..., Ended]) -> None:
    ended = run("--uri", "/var/run/libvirt/libvirt-sock")
    assert ended.code == 2
    assert ended.err.startswith("watari: --uri /var/run/libvirt/libvirt-sock: write an address such as qemu+ssh://")


def test_dirty_rates_too_often(run: Callable[..., Ended], capfd: pytest.CaptureFixture[str]) -> None:
    ended = run("--dirty-rate", "5s")
    assert ended.code == 2
    assert '"5s" is too short: a measurement takes a second; write 10 s or more' in ended.err


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9177", Address("127.0.0.1", 9177)),
        ("[::1]:9177", Address("::1", 9177)),
        ("[::]:0", Address("::", 0)),
        ("compute-1:80", Address("compute-1", 80)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert read_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "9177", ":9177", "127.0.0.1", "::1:9177", "[::1]", "[h]:1", "h:x", "h:65536"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(BadInput, match="write an address and a port, such as 127"):
        read_address(text)
