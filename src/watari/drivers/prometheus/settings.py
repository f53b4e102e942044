"""What a person may say about a Prometheus in clouds.yaml: read once, complete or refused with all that is wrong."""

import re
from dataclasses import field
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, Address, File, Seconds, Secret, read_section
from watari.drivers.prometheus.queries import (
    PLACEHOLDERS,
    PRESETS,
    SERVER_LABELS,
    SIDES,
    Quantity,
    Side,
    fill,
    unknown_placeholders,
)

WHERE: Final = "clouds.yaml: watari.prometheus"
_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def _url(text: str) -> str:
    return text.removesuffix("/api/v1/query").removesuffix("/api/v1")


def _expression(text: str | None) -> str:
    if unknown := unknown_placeholders(text or ""):
        raise ValueError(f"${unknown[0]} means nothing here; there is ${', $'.join(PLACEHOLDERS)}, and $$ is a dollar")
    return (text or "").strip()


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in ("authorization", "content-length", "host"):
        raise ValueError(f'"{name}" cannot be set here; sign in with bearer_token, bearer_token_file or basic_auth')
    return name


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise ValueError("a header's value is one line of ASCII")
    return text


_Label = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
_Text = Annotated[str | None, AfterValidator(_expression)]
_Headers = dict[Annotated[str, AfterValidator(_header)], Annotated[str, AfterValidator(_one_line)]]


@dataclass(frozen=True, slots=True, config=CLOSED)
class Labels:
    """How the labels are called that say which server, and on which host it was seen."""

    server: _Label | None = None  # None: as the preset's exporter calls it
    guest: _Label = "instance_id"
    instance: _Label = "instance"


@dataclass(frozen=True, slots=True, config=CLOSED)
class BasicAuth:
    """Who signs in; the password itself, or the file that holds it."""

    username: Annotated[str, Field(min_length=1)]
    password: Secret | None = field(default=None, repr=False)
    password_file: File | None = None

    @model_validator(mode="after")
    def _one_password(self) -> "BasicAuth":
        if (self.password is None) == (self.password_file is None):
            raise ValueError("write one of password and password_file")
        return self


@dataclass(frozen=True, slots=True, config=CLOSED)
class Queries:
    """PromQL that replaces the preset's; None, in YAML `null`, keeps a quantity from being asked for."""

    host: dict[Quantity, _Text] = field(default_factory=dict)
    guest: dict[Quantity, _Text] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, config=CLOSED)
class PrometheusSettings:
    """Where a Prometheus is and what it is asked. Times are whole seconds."""

    url: Annotated[Address, AfterValidator(_url)]
    preset: Literal["watari", "libvirt", "kolla", "vexxhost", "guest"] = "watari"
    side: Literal["both", "host", "guest"] = "both"
    load_minutes: Literal[1, 5, 15] = 1
    window: Annotated[Seconds, Field(ge=20, le=3600)] = 120
    timeout: Annotated[Seconds, Field(ge=1, le=600)] = 30
    match: str = ""
    labels: Labels = field(default_factory=Labels)
    queries: Queries = field(default_factory=Queries)
    headers: _Headers = field(default_factory=dict, repr=False)
    bearer_token: Secret | None = field(default=None, repr=False)
    bearer_token_file: File | None = None
    basic_auth: BasicAuth | None = None
    ca_file: File | None = None
    cert_file: File | None = None
    key_file: File | None = None
    verify: bool = True
    answer_limit_mib: Annotated[int, Field(ge=1, le=1024)] = 64

    @model_validator(mode="after")
    def _consistent(self) -> "PrometheusSettings":
        if sum(x is not None for x in (self.bearer_token, self.bearer_token_file, self.basic_auth)) > 1:
            raise ValueError("write one of bearer_token, bearer_token_file and basic_auth")
        if self.ca_file and not self.verify:
            raise ValueError("ca_file and verify: false exclude each other")
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file go together")
        if self.match.strip().startswith("{"):
            raise ValueError('match: write it without braces, such as cluster="tokyo"')
        if not self.expressions("seen"):
            where = "queries" if self.side == "both" else f"side: {self.side}"
            raise ValueError(f"{where}: without `seen` of host or guest nothing is known of any value's age")
        return self

    @property
    def lookback(self) -> int:
        """Seconds within which a server that has no values now is still said to have had some."""
        return max(600, 5 * self.window)

    def label(self, side: Side) -> str:
        """The label that holds the server's id in answers of that side."""
        own = self.labels.server or SERVER_LABELS.get(self.preset, "uuid")
        return own if side == "host" else self.labels.guest

    def expressions(self, quantity: Quantity) -> dict[Side, str]:
        """The PromQL of a quantity by side, placeholders filled in; sides that do not have it are left out."""
        values = {
            "window": f"{self.window}s",
            "seconds": f"{self.window}",
            "lookback": f"{self.lookback}s",
            "server": self.label("host"),
            "guest": self.label("guest"),
            "instance": self.labels.instance,
            "minutes": f"{self.load_minutes}",
            "match": self.match.strip().rstrip(","),
        }
        found: dict[Side, str] = {}
        for side in SIDES:
            if self.side not in ("both", side):
                continue
            own = self.queries.host if side == "host" else self.queries.guest
            text = own.get(quantity, PRESETS[self.preset].get(side, {}).get(quantity, ""))
            if text:
                found[side] = fill(text, values)
        return found


def read_settings(mapping: object, where: str = WHERE) -> PrometheusSettings:
    """The settings written in `mapping`, a part of a YAML file. Raises BadInput that names every wrong key."""
    return read_section(PrometheusSettings, mapping, where, "`url`, such as url: https://prometheus.example.org")
