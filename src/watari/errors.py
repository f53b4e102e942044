"""Kinds of failure, named for what the caller has to do about them."""


class WatariError(Exception):
    """The root: whatever Watari raises on purpose."""


class Transient(WatariError):
    """Ask again later; nothing changed."""


class Permanent(WatariError):
    """Asking again cannot help; something outside has to be mended first."""


class Refused(Permanent):
    """The cloud said no to this one request; the rest may go on."""


class Stale(Permanent):
    """The world is no longer what the plan saw; plan again."""


class Busy(Permanent):
    """Another process works on the same thing; wait for it."""


class BadInput(Permanent):
    """A file or an argument is wrong; the message says where and what would be right."""


class NotFound(BadInput):
    """There is nothing of that name."""
