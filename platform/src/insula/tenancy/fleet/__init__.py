"""Migrating the catalogue and every tenant (docs/guides/operating.md, "Migrating the fleet").

``files`` says what is to be applied, ``claims`` which tenants lack it, ``run`` walks over them,
``pace`` estimates how long that takes, ``plan`` says it all without doing it.

Truth is in each tenant's ``insula_migrations``; ``tenant_modules`` in the catalogue is the index by
which those that are behind are found without asking them all.
"""

from insula.tenancy.fleet.files import Files, tenant_files
from insula.tenancy.fleet.migrating import migrate_fleet
from insula.tenancy.fleet.plan import Plan, plan_fleet
from insula.tenancy.fleet.report import Failure, Options, Progress, Report

__all__ = [
    "Failure",
    "Files",
    "Options",
    "Plan",
    "Progress",
    "Report",
    "migrate_fleet",
    "plan_fleet",
    "tenant_files",
]
