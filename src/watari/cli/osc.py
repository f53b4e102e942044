"""The plug-in for the openstack client: the same commands as `openstack watari …`."""

import argparse
from typing import Any, Final

API_NAME: Final = "watari"
API_VERSION_OPTION: Final = "os_watari_api_version"
API_VERSIONS: Final = ("1",)
DEFAULT_API_VERSION: Final = "1"


def make_client(instance: Any) -> None:
    """What the client would hold for this API: nothing, as the commands open their clouds themselves."""


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the option that every plug-in has. The client loads the commands of `openstack.watari.v1`."""
    parser.add_argument(
        "--os-watari-api-version",
        metavar="<watari-api-version>",
        default=DEFAULT_API_VERSION,
        choices=API_VERSIONS,
        help=f"version of Watari's commands, default: {DEFAULT_API_VERSION}",
    )
    return parser
