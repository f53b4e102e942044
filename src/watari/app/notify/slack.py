"""A message as Slack shows it, and what speaks Slack's incoming webhooks: blocks, and a text for those without blocks.

What comes from outside is never read as markup: `&`, `<` and `>` are entities, so that nothing mentions, links or
names a channel, and a text in which anything else could be markup stands in a code span, where it is exact as well.
"""

import re
from typing import Any, Final

from watari.app.notify.message import Json, matter_line, plan_line, run_line

MOST_IN_BLOCK: Final = 2900  # characters; Slack takes 3000
MOST_IN_TEXT: Final = 12000  # of the text beside the blocks
_MARKUP: Final = re.compile(r"[*_~`\[\]@#|\\]|:[\w+'-]+:|://|www\.")  # of Slack, and of others that take its messages
_TITLES: Final = {
    "began": "New", "lasting": "Still open", "resolved": "Resolved", "plans": "Waits for approval", "runs": "Ended",
}  # fmt: skip
_MORE: Final = {
    "began": ": `watari status --findings`", "lasting": ": `watari status --findings`",
    "plans": ": `watari plans list`", "runs": ": `watari runs list`",
}  # fmt: skip


def payload(message: Json) -> Json:
    """The body of the request."""
    summary, lines = message["summary"], _lines(message)
    foot = " · ".join(filter(None, ("watari", message.get("cloud", ""), message["at"], message["id"])))
    blocks: list[Json] = [{"type": "section", "text": _mrkdwn(f"{_shout(message)}{text_of(summary)}")}]
    blocks += [{"type": "section", "text": _mrkdwn(part)} for part in _packed(lines, MOST_IN_BLOCK)]
    blocks.append({"type": "context", "elements": [_mrkdwn(text_of(foot))]})
    text = _packed([f"{_shout(message)}{text_of(summary)}", *lines], MOST_IN_TEXT)[0]
    return {"text": text, "blocks": blocks}


def text_of(text: str) -> str:
    """A text from outside within markup of ours."""
    return code(text) if _MARKUP.search(text) else _escaped(text)


def code(text: str) -> str:
    """Exactly that text, whatever it holds; a backtick, which would end the span, becomes an apostrophe."""
    return f"`{_escaped(text.replace('`', 'ʼ'))}`" if text else ""


def _lines(message: Json) -> list[str]:
    lines: list[str] = []
    for section, title in _TITLES.items():
        if not (items := message.get(section)):
            continue
        if section == "began" and message["first"]:
            title = "Open now"
        lines.append(f"*{title}*")
        lines += [line for item in items for line in _LINES.get(section, _of_matter)(item)]
        if (more := message["counts"][section] - len(items)) > 0:
            lines.append(f"… and {more:,} more{_MORE.get(section, '')}")
    return lines


def _of_matter(item: Json) -> list[str]:
    when = f" (since {item['since']}" + (f", until {item['until']})" if "until" in item else ")")
    if item["about"] == "trouble":
        line = f"• *{item['severity']}* {text_of(matter_line(item))}{when}"
    else:
        line = f"• *{item['severity']}* {code(item['code'])} {code(item['subject'])} {text_of(item['text'])}{when}"
    return [line, *([f"    {text_of(item['help'])}"] if item["help"] and "until" not in item else [])]


def _of_plan(item: Json) -> list[str]:
    return [f"• {code(plan_line(item))}", f"    look: {code(item['show'])}; agree: {code(item['approve'])}"]


def _of_run(item: Json) -> list[str]:
    failures = [f"    {item_['state']}: {code(item_['name'])} {text_of(item_['note'])}" for item_ in item["not_done"]]
    return [f"• {code(run_line(item))}", *failures, *([f"    {code(item['show'])}"] if failures else [])]


_LINES: Final[dict[str, Any]] = {"plans": _of_plan, "runs": _of_run}


def _shout(message: Json) -> str:
    """What has to be seen first."""
    return {"error": "*Error* ", "warning": "*Warning* "}.get(message["severity"], "")


def _packed(lines: list[str], most: int) -> list[str]:
    """The lines in as few texts of at most that length as they take, in their order."""
    packed: list[str] = []
    for line in lines:
        if packed and len(packed[-1]) + 1 + len(line) <= most:
            packed[-1] += f"\n{line}"
        else:
            packed.append(line)
    return packed


def _mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
