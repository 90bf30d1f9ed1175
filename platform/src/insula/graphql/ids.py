"""Global ids: which type, and which of it (Relay's Global Object Identification)."""

import base64
import binascii
from uuid import UUID

from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say


def global_id(kind: str, key: UUID) -> str:
    raw = f"{kind}:{key}".encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_global_id(text: str) -> tuple[str, UUID]:
    """Type and id.

    Raises:
        InvalidInput: it is no global id.
    """
    try:
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
        kind, _, key = raw.decode("ascii").partition(":")
        return kind, UUID(key)
    except (ValueError, binascii.Error):
        raise InvalidInput(errors=(FieldError("/id", "is not the id of a node"),)) from None


def key_of(text: str, kind: str) -> UUID:
    """The id of a thing of a type, from its global id or plain.

    Raises:
        InvalidInput: it is neither.
    """
    try:
        return UUID(text)
    except ValueError:
        found, key = read_global_id(text)
    if found != kind:
        raise InvalidInput(
            errors=(
                FieldError(
                    "/id", say("is the id of a {found}, not a {kind}", found=found, kind=kind)
                ),
            )
        )
    return key
