"""A mail as it is kept until it is sent, and as it goes over the wire."""

import email.policy
import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

import msgspec

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<inner>[^<>]+)>|(?P<bare>[^<>]+)")
_FORBIDDEN = re.compile(r"""[ <>,;:"()\[\]\\]|@.*@""")
_MAX_SUBJECT = 300


class BadAddress(ValueError):
    """Not an address that mail can be sent to."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered mail."""

    to: str
    to_name: str = ""
    subject: str
    text: str
    html: str
    locale: str = "en"
    reply_to: str = ""
    unsubscribe: str = ""
    """Where the receiver can say "no more" with one click (RFC 8058): an ``https://`` URL."""


def one_line(text: str) -> str:
    """As a header can hold it: whatever could begin another header is a space."""
    return _CONTROL.sub(" ", text).strip()


def to_message(letter: Letter, *, sender: str, job_id: UUID, at: datetime) -> EmailMessage:
    """The message. Its ``Message-ID`` is the job's: sent twice, it is recognisably the same.

    Raises:
        BadAddress: an address cannot be written into a header.
    """
    message = EmailMessage(policy=email.policy.SMTP)
    origin = address(sender)
    message["From"] = origin
    message["To"] = address(letter.to, letter.to_name)
    message["Subject"] = one_line(letter.subject)[:_MAX_SUBJECT]
    message["Date"] = format_datetime(at.astimezone(UTC))
    message["Message-ID"] = f"<{job_id}@{origin.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = one_line(letter.locale)
    if letter.reply_to:
        message["Reply-To"] = address(letter.reply_to)
    if letter.unsubscribe:
        _add_unsubscribe(message, letter.unsubscribe)
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


def _add_unsubscribe(message: EmailMessage, url: str) -> None:
    """RFC 2369 and, over HTTPS, one click (RFC 8058)."""
    if any(ord(char) <= 32 or char in "<>" for char in url):
        raise BadAddress(f"not a URL for List-Unsubscribe: {url!r}")
    message["List-Unsubscribe"] = f"<{url}>"
    if url.startswith("https://"):
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def address(text: str, name: str = "") -> Address:
    """``Name <user@host>`` or ``user@host``.

    Raises:
        BadAddress: it is neither.
    """
    found = _MAILBOX.fullmatch(text) if _CONTROL.search(text) is None else None
    spec = (found["inner"] or found["bare"]).strip() if found else ""
    user, at, host = spec.rpartition("@")
    if not (user and at and host) or len(spec) > 254 or _FORBIDDEN.search(spec):
        raise BadAddress(f"not a mail address: {text!r}")
    display = name or (found["name"] or "" if found else "").strip(' "')
    try:
        return Address(one_line(display), user, host)
    except ValueError as error:
        raise BadAddress(f"not a mail address: {text!r}") from error
