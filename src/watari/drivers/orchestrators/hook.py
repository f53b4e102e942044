"""Anything else: a command or a webhook of the operator's that answers five questions as JSON."""

import json
import subprocess
from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, Address, File, Seconds, Secret, Word, read_section, secret_of
from watari.drivers.orchestrators.opening import Surroundings
from watari.drivers.rest import Rest
from watari.errors import Permanent, Refused, Transient
from watari.model.compute import Server, ServerId
from watari.ports import Standing

AGAIN: Final = 75  # exit code of a command that cannot answer now (EX_TEMPFAIL)
LONGEST: Final = 300  # characters of its own words


@dataclass(frozen=True, slots=True, config=CLOSED)
class HookSettings:
    """One of `command` (without a shell; the question on its standard input) and `url` (the question as a POST)."""

    command: list[Word] | None = None
    url: Address | None = None
    token: Secret | None = None
    token_file: File | None = None
    ca_file: File | None = None
    timeout: Seconds = 30

    @model_validator(mode="after")
    def _consistent(self) -> "HookSettings":
        if bool(self.command) == bool(self.url):
            raise ValueError("write one of command and url")
        return self


class Caller(Protocol):
    """Puts a question and gives the answer, both as JSON values."""

    def __call__(self, question: Mapping[str, Any]) -> Any: ...


def open_orchestrator(name: str, section: Mapping[str, Any], around: Surroundings) -> "Hook":
    settings = read_section(HookSettings, section, around.where, "command: [/usr/local/bin/pool]")
    return Hook(name, _command(name, settings) if settings.command else _webhook(name, settings))


class Hook:
    """An orchestrator as somebody's own program knows it. What it may say stands in docs/reference/orchestrators.md."""

    def __init__(self, name: str, call: Caller) -> None:
        self.name, self._call = name, call

    def members(self, servers: Collection[Server]) -> Mapping[ServerId, str]:
        """One question."""
        rows = [{"id": s.id, "name": s.name, "metadata": dict(s.metadata)} for s in servers]
        answer = self._ask("members", servers=rows)
        found = answer.get("members") if isinstance(answer, dict) else None
        if not isinstance(found, dict) or not all(isinstance(v, str) and v for v in found.values()):
            raise self._wrong("members", '{"members": {"SERVER ID": "NAME", …}}')
        known = {str(s.id) for s in servers}
        return {ServerId(id): member for id, member in found.items() if id in known}

    def standing(self, member: str, was: str = "") -> Standing | None:
        answer = self._ask("standing", member=member, was=was)
        if isinstance(answer, dict) and answer.get("known") is False:
            return None
        if not isinstance(answer, dict) or not isinstance(answer.get("out"), bool):
            raise self._wrong("standing", '{"out": false, "serving": true, "ours": false, "left": "", "note": ""}')
        out, ours = answer["out"], answer.get("ours") is True
        serving = answer.get("serving") is True if "serving" in answer else not out
        return Standing(out, serving, ours, str(answer.get("left") or ""), str(answer.get("note") or ""))

    def was(self, member: str) -> str:
        return self._text("was", "was", member=member)

    def why_not(self, member: str) -> str:
        return self._text("why-not", "why", member=member)

    def detach(self, member: str, reason: str) -> None:
        self._ask("detach", member=member, reason=reason)

    def attach(self, member: str, was: str) -> None:
        self._ask("attach", member=member, was=was)

    def left_out(self) -> Mapping[str, str]:
        answer = self._ask("left-out")
        found = answer.get("members") or {} if isinstance(answer, dict) else None
        if not isinstance(found, dict):
            raise self._wrong("left-out", '{"members": {"NAME": "REASON", …}}')
        return {str(member): str(reason) for member, reason in found.items()}

    def _ask(self, do: str, **more: Any) -> Any:
        return self._call({"do": do, **more})

    def _text(self, do: str, key: str, **more: Any) -> str:
        answer = self._ask(do, **more)
        return str(answer.get(key) or "") if isinstance(answer, dict) else ""

    def _wrong(self, do: str, right: str) -> Permanent:
        return Permanent(f"hook {self.name} answers {do} with something else than {right}")


def _command(name: str, settings: HookSettings) -> Caller:
    words = list(settings.command or ())

    def call(question: Mapping[str, Any]) -> Any:
        text = json.dumps(question, ensure_ascii=False).encode()
        try:
            ended = subprocess.run(words, input=text, capture_output=True, timeout=settings.timeout, check=False)
        except subprocess.TimeoutExpired as e:
            raise Transient(f"hook {name}: {words[0]} gave no answer within {settings.timeout} s") from e
        except (OSError, ValueError) as e:  # ValueError: a NUL in a word
            raise Permanent(f"hook {name}: {words[0]} cannot be run: {getattr(e, 'strerror', None) or e}") from e
        said = " ".join(ended.stderr.decode("utf-8", "replace").split())[:LONGEST]
        if ended.returncode == AGAIN:
            raise Transient(f"hook {name} cannot {question['do']} now: {said or f'exit code {AGAIN}'}")
        if ended.returncode:
            raise Refused(f"hook {name} will not {question['do']}: {said or f'exit code {ended.returncode}'}")
        return _decoded(name, question, ended.stdout)

    return call


def _webhook(name: str, settings: HookSettings) -> Caller:
    def headers() -> Mapping[str, str]:
        token = secret_of(settings.token, settings.token_file, name)
        return {"Authorization": f"Bearer {token}"} if token else {}

    rest = Rest(settings.url or "", f"hook {name}", headers, settings.ca_file or True, None, float(settings.timeout))

    def call(question: Mapping[str, Any]) -> Any:
        answer = rest.ask("POST", "", str(question["do"]), json=question)
        if answer is not None and not isinstance(answer, dict):  # a proxy's page, for one: nobody has said yes
            raise Transient(f"hook {name} at {settings.url} answers {question['do']} with what is no JSON object")
        return answer

    return call


def _decoded(name: str, question: Mapping[str, Any], text: bytes) -> Any:
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except ValueError as e:
        raise Permanent(f"hook {name} answers {question['do']} with something that is no JSON") from e
