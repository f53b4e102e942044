"""`watari exporter`: per-server steal, load and moves of one libvirt host, for Prometheus."""

import argparse
import signal
import threading

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE
from watari.policy.units import seconds

LEAST_S = 10.0  # between two measurements of one guest


class Exporter(WatariCommand):
    """Serve the metrics of this host's servers to Prometheus, until Ctrl-C or SIGTERM

    Steal, CPU time, I/O and moves of every domain that runs on one libvirt host, with Nova's uuid, name, project and
    flavor. Every scrape asks libvirt anew; while it does not answer there is libvirt_up 0 and nothing else. A server
    that is being moved is seen on one host at a time. Needs no rights but to look.
    """

    examples = """
        examples:
          watari exporter
          watari exporter --listen 10.0.0.5:9177               not only from this host
          watari exporter --dirty-rate 5min                    also how fast memory changes; needs rights to write
          curl -s http://127.0.0.1:9177/metrics | grep vcpu_delay
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--uri", metavar="URI", default="qemu:///system", help="whose domains; default: qemu:///system"
        )
        parser.add_argument(
            "--listen",
            metavar="HOST:PORT",
            default="127.0.0.1:9177",
            help="where to answer, such as [::1]:9177; default: 127.0.0.1:9177",
        )
        parser.add_argument(
            "--dirty-rate",
            type=_interval,
            metavar="TIME",
            help="measure how fast each server changes its memory, once in this time; default: never",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.exporter.listening import read_address
        from watari.exporter.serving import serve

        listen = read_address(parsed_args.listen)
        ended = threading.Event()
        before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            serve(parsed_args.uri, listen, parsed_args.dirty_rate, ended, self.hint)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return DONE


def _interval(text: str) -> float:
    try:
        value = seconds(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e
    if value < LEAST_S:
        raise argparse.ArgumentTypeError(f'"{text}" is too short: a measurement takes a second; write 10 s or more')
    return value
