"""Which of GraphQL's two media types a client wants (GraphQL over HTTP, section 6.1)."""

from typing import Final

from insula.http.problem import NotAcceptable
from insula.i18n import say

JSON: Final = "application/json"
RESPONSE: Final = "application/graphql-response+json"


def choose(accept: str) -> str:
    """The media type of the answer. Who names none gets JSON, which old clients know.

    Raises:
        NotAcceptable: it wants neither.
    """
    best, most = "", 0.0
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = _quality(parameters)
        kind = _OFFERED.get(name)
        if kind is not None and quality > most:
            best, most = kind, quality
    if best:
        return best
    if accept.strip():
        raise NotAcceptable(say("Here is {response} and {json}.", response=RESPONSE, json=JSON))
    return JSON


_OFFERED: Final = {RESPONSE: RESPONSE, JSON: JSON, "*/*": JSON, "application/*": JSON}


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
