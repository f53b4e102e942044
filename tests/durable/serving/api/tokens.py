"""Tokens that an API of a test knows, and whose they are."""

from collections.abc import Mapping

from watari.web.api.callers import Caller, Unauthorised, token_of

TOKENS = {
    "reading": Caller("rie@Default", "rie", ("reader",), system=True),
    "deciding": Caller("mai@Default", "mai", ("member", "reader"), system=True),
    "ruling": Caller("ayu@Default", "ayu", ("admin",), project="p1"),
    "tenant": Caller("tom@Default", "tom", ("member",), project="p2"),
    "operating": Caller("ops@Default", "ops", ("member",), project="operators"),
}


class KnownTokens:
    """Who sends one of TOKENS is that caller."""

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        return TOKENS.get(token_of(headers))

    def caller(self, headers: Mapping[str, str]) -> Caller:
        if (found := TOKENS.get(token_of(headers))) is None:
            raise Unauthorised("who are you?")
        return found
