"""What can go wrong with archives, exports and erasures."""

from insula.http.problem import Problem


class ArchiveRefused(Exception):
    """The archive is damaged, is none of Insula's, or does not fit this installation; the message
    says what to do. Nothing of it was imported."""


class TenantNotEmpty(Problem):
    """An archive is imported into a tenant that has nothing yet: no module switched on, no users
    but you, no files but the archive, no webhooks. Sign up another tenant for it."""

    status, slug, title = 409, "tenant-not-empty", "The tenant has something already"


class ExportsUnderWay(Problem):
    """A tenant has three exports written at a time: wait for one of them, or delete it."""

    status, slug, title = 409, "exports-under-way", "Exports are being written already"


class ExportNotReady(Problem):
    """The archive is not written yet, could not be written, or has been deleted: ``status`` of the
    export says which."""

    status, slug, title = 409, "export-not-ready", "There is no archive to download"
