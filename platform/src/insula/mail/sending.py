"""Writing a mail into a transaction, and the job that sends it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from insula.db import Work
from insula.jobs import GiveUp, Job, JobContext, TryAgain, enqueue
from insula.mail import templates
from insula.mail.captured import CapturedMail, captured_in
from insula.mail.letter import BadAddress, Letter, address, to_message
from insula.mail.transport import Nowhere, Refused, Server, Smtp, Transport, Unreachable
from insula.settings import Settings, SettingsError


class Mailer:
    """What sends mail; the service ``mailer`` of jobs."""

    def __init__(self, sender: str, transport: Transport) -> None:
        """
        Raises:
            BadAddress: ``sender`` is not an address.
        """
        address(sender)
        self._sender = sender
        self._transport = transport

    @classmethod
    def of(cls, settings: Settings) -> "Mailer":
        """
        Raises:
            SettingsError: the sender or the server cannot be read.
        """
        transport: Transport = Nowhere()
        if settings.smtp_url:
            transport = Smtp(Server.read(settings.smtp_url))
        elif settings.mail_capture:
            transport = CapturedMail(captured_in(settings))
        try:
            return cls(settings.mail_from, transport)
        except BadAddress as error:
            raise SettingsError(f"INSULA_MAIL_FROM: {error}.") from error

    async def send(self, letter: Letter, job_id: UUID) -> None:
        """
        Raises:
            BadAddress, Refused, Unreachable: see there.
        """
        message = to_message(letter, sender=self._sender, job_id=job_id, at=datetime.now(UTC))
        await self._transport.send(message)


async def _send(context: JobContext, letter: Letter) -> None:
    mailer: Mailer = context.services["mailer"]
    try:
        await mailer.send(letter, context.job_id)
    except (Refused, BadAddress) as error:
        raise GiveUp(str(error)) from error
    except Unreachable as error:
        raise TryAgain(str(error)) from error


SEND = Job(
    name="mail.send",
    args=Letter,
    run=_send,
    summary="Hand a mail to the mail server",
    attempts=14,
    backoff=timedelta(seconds=30),
    backoff_limit=timedelta(hours=4),
    timeout=timedelta(minutes=2),
)
"""Tried for about a day."""


async def send_mail(
    tx: Work,
    *,
    template: str,
    to: str,
    context: dict[str, Any],
    locale: str = "en",
    to_name: str = "",
    reply_to: str = "",
    unsubscribe: str = "",
    at: datetime | None = None,
    key: str | None = None,
) -> UUID:
    """Have a mail sent once the transaction has committed, or later: ``at``. Returns the job's id.

    It is rendered now, so that it says what was true in this transaction, and what is wrong with
    template or context fails here and not at night. ``key`` is as in
    :func:`insula.jobs.enqueue`: a mail that waits under the same key is replaced.

    Raises:
        TemplateMissing: there is no such template.
        BadAddress: ``to`` or ``reply_to`` is not a mail address.
    """
    address(to, to_name)
    if reply_to:
        address(reply_to)
    rendered = templates.render(template, locale, context)
    letter = Letter(
        to=to,
        to_name=to_name,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        locale=rendered.locale,
        reply_to=reply_to,
        unsubscribe=unsubscribe,
    )
    return await enqueue(tx, SEND, letter, at=at, key=key)
