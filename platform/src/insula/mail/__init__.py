"""Mail: written from templates, in the caller's transaction, sent by a job.

    await send_mail(tx, template="tasks.reminder", to=user.email, context={"task": task.title})

The template is ``templates/mail/reminder.en.md`` in the module ``tasks``: see
:mod:`insula.mail.templates`. The mail goes out if the transaction commits, and is tried again for a
day if the server does not take it.
"""

from insula.mail.sending import send_mail

__all__ = ["send_mail"]
