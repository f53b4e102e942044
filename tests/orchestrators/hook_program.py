"""An orchestrator as an operator might write one: a program around a JSON file. `python hook_program.py STATE`.

The file: {"members": {name: {"server", "out", "theirs", "sick", "left", "needed", "stubborn"}}}; {"down": true}: it
cannot answer.
"""

import json
import sys
from pathlib import Path
from typing import Any


def answer(path: Path, question: dict[str, Any]) -> Any:
    state = json.loads(path.read_text())
    members: dict[str, dict[str, Any]] = state["members"]
    if state.get("down"):
        sys.stderr.write("the pool is being repaired\n")
        sys.exit(75)
    member = members.get(question.get("member", ""))
    match question["do"]:
        case "members":
            wanted = {server["id"] for server in question["servers"]}
            return {"members": {m["server"]: name for name, m in members.items() if m["server"] in wanted}}
        case "left-out":
            return {
                "members": {name: m["out"] for name, m in members.items() if m.get("out", "").startswith("watari: ")}
            }
        case "standing":
            return standing(member, question["was"])
    if member is None:
        sys.stderr.write("no such member\n")
        sys.exit(1)
    match question["do"]:
        case "was":
            return {"was": "sick" if member.get("sick") else "fit"}
        case "why-not":
            return {"why": member.get("needed", "")}
        case "detach":
            member["out"] = member.get("out") or question["reason"]
        case "attach" if not member.get("stubborn"):
            if member.get("out", "").startswith("watari: "):
                member["out"] = ""
    path.write_text(json.dumps(state))
    return None


def standing(member: dict[str, Any] | None, was: str) -> Any:
    if member is None:
        return {"known": False}
    out = member.get("out", "")
    if out:
        ours = out.startswith("watari: ")
        return {"out": True, "ours": ours, "left": member.get("left", "") if ours else "", "note": out}
    fit = not member.get("sick") or was == "sick"
    return {"out": False, "serving": fit, "note": "" if fit else "its check fails"}


if __name__ == "__main__":
    said = answer(Path(sys.argv[1]), json.load(sys.stdin))
    if said is not None:
        json.dump(said, sys.stdout)
