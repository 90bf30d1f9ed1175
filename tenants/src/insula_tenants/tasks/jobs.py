"""What is done in the background."""

from insula_tenants.tasks.service.reminders import REMIND

JOBS = (REMIND,)
