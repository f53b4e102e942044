"""Try a target out by hand."""

import uuid
from datetime import UTC, datetime

import requests

from watari.app.notify.message import trial
from watari.app.notify.sending import send
from watari.app.notify.targets import Target
from watari.errors import WatariError


def try_out(target: Target) -> tuple[bool, str]:
    """Send one message; whether it arrived, and what came back."""
    message = trial(uuid.uuid4().hex, target.name, datetime.now(UTC))
    try:
        with requests.Session() as session:
            return True, send(target, message, session)
    except WatariError as e:
        return False, str(e)
