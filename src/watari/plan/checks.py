"""What a plan that was read from a file must be, beyond the types of its values."""

import re
from collections import Counter
from typing import Final

from watari.errors import BadInput
from watari.plan.plan import Plan

_ID: Final = re.compile(r"p-[0-9a-f]{8,64}")  # the journal's file is named by it
_AGAIN: Final = "make the plan again, for example with `watari plan balance -o plan.json`"


def checked(plan: Plan, source: str) -> Plan:
    """The plan itself. Raises BadInput that names `source` when it cannot be carried out as it stands."""
    if wrong := _wrong(plan):
        raise BadInput(f"{source}: {wrong}; {_AGAIN}")
    return plan


def _wrong(plan: Plan) -> str:
    if not _ID.fullmatch(plan.id):
        return f'id "{plan.id}" is not p- and at least 8 hexadecimal digits'
    for id, times in Counter(operation.id for operation in plan.operations).items():
        if times > 1:
            return f'{times} operations have the id "{id}"'
    for operation in plan.operations:
        if not operation.steps:
            return f'operation "{operation.id}" has no steps'
    return ""
