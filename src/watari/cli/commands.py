"""Which command is which class; loaded only when it is called for, so that starting up stays quick."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint
from itertools import takewhile
from typing import Final

from cliff.commandmanager import CommandManager

NAMESPACE: Final = "watari.cli"
COMMANDS: Final[dict[str, str]] = {
    "apply": "watari.cli.apply:Apply",
    "audit": "watari.cli.audit:Audit",
    "demo": "watari.cli.demo:DemoDay",
    "exporter": "watari.cli.exporter:Exporter",
    "go": "watari.cli.stop:Go",
    "history list": "watari.cli.history:HistoryList",
    "lab down": "watari.cli.lab:LabDown",
    "lab reset": "watari.cli.lab:LabReset",
    "lab status": "watari.cli.lab:LabStatus",
    "lab up": "watari.cli.lab:LabUp",
    "members attach": "watari.cli.members:MembersAttach",
    "members list": "watari.cli.members:MembersList",
    "notify test": "watari.cli.notify:NotifyTest",
    "plan balance": "watari.cli.plan_balance:PlanBalance",
    "plan drain": "watari.cli.plan_drain:PlanDrain",
    "plans approve": "watari.cli.plans:PlansApprove",
    "plans list": "watari.cli.plans:PlansList",
    "plans reject": "watari.cli.plans:PlansReject",
    "plans show": "watari.cli.plans:PlansShow",
    "replay": "watari.cli.replay:Replay",
    "runs cancel": "watari.cli.runs:RunsCancel",
    "runs list": "watari.cli.runs:RunsList",
    "runs resume": "watari.cli.runs:RunsResume",
    "runs show": "watari.cli.runs:RunsShow",
    "runs undo": "watari.cli.runs:RunsUndo",
    "serve": "watari.cli.serve:Serve",
    "snapshot": "watari.cli.snapshot:Snapshot",
    "status": "watari.cli.status:StatusList",
    "stop": "watari.cli.stop:Stop",
    "worker": "watari.cli.worker:Worker",
}


class Commands(CommandManager):
    """The table above as cliff looks commands up; nothing is discovered, so nothing has to be installed."""

    def __init__(self) -> None:
        super().__init__(NAMESPACE)

    def _load_commands(self) -> None:
        self.commands.update({name: EntryPoint(name, value, NAMESPACE) for name, value in COMMANDS.items()})

    def unknown(self, argv: Sequence[str]) -> str:
        """What to say about words that are no command: the ones that begin so, the nearest, or all there are."""
        words = list(takewhile(lambda word: not word.startswith("-"), argv))
        if not words:
            return f"{argv[0]} is no global option; options of a command stand after it, see watari --help"
        if below := [f"watari {name}" for name in sorted(self.commands) if name.startswith(f"{words[0]} ")]:
            return f'"{" ".join(words)}" is no command; use {" or ".join(below)}'
        near = get_close_matches(words[0], [name.split()[0] for name in self.commands], n=1)
        likely = [name for name in sorted(self.commands) if near and name.split()[0] == near[0]]
        hint = (
            f"did you mean {' or '.join(likely)}?" if likely else f"the commands are {', '.join(sorted(self.commands))}"
        )
        return f'"{words[0]}" is no command; {hint}'
