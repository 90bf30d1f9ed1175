"""What can go wrong with files."""

from typing import Any

from insula.http.problem import Problem


class QuotaExceeded(Problem):
    """The tenant's files would take more than its quota: delete some, the trash included."""

    status, slug, title = 413, "quota-exceeded", "There is no room left for this file"


class FileTooLarge(Problem):
    """One file may have so many bytes and no more."""

    status, slug, title = 413, "file-too-large", "The file is too large"


class DigestMismatch(Problem):
    """The bytes that arrived are not those that ``Repr-Digest`` or ``Content-Digest`` speaks of:
    send them again."""

    status, slug, title = 422, "digest-mismatch", "The file was damaged on its way"


class FileRefused(Problem):
    """What is in the file must not be stored here, such as known malware."""

    status, slug, title = 422, "file-refused", "This file is not accepted"


class BodyIncomplete(Problem):
    """The connection ended before the body did, or the body is not as long as it said."""

    status, slug, title = 400, "body-incomplete", "The body is incomplete"


class RangeNotSatisfiable(Problem):
    """The file ends before the range begins; ``Content-Range`` says how long it is."""

    status, slug, title = 416, "range-not-satisfiable", "The file has no such range"

    def __init__(self, detail: str = "", *, size: int = 0, **options: Any) -> None:
        headers = {"Content-Range": f"bytes */{size}"}
        super().__init__(detail, headers=headers, **options)


class NotAnImage(Problem):
    """Previews are made of JPEG, PNG, GIF, WebP and AVIF images that can be read whole."""

    status, slug, title = 422, "no-preview", "No preview can be made of this file"


class LinkRefused(Problem):
    """The link was not made here, was changed, or has expired: ask for another."""

    status, slug, title = 403, "link-refused", "The link is not valid any more"


class LinkUsed(Problem):
    """Something was uploaded by this link already; it is good for one file."""

    status, slug, title = 409, "link-used", "The link was used already"


class TusVersion(Problem):
    """Send ``Tus-Resumable: 1.0.0``; the protocol is described at https://tus.io."""

    status, slug, title = 412, "tus-version", "Another version of tus is spoken here"

    def __init__(self, detail: str = "", **options: Any) -> None:
        super().__init__(detail, headers={"Tus-Version": "1.0.0"}, **options)


class OffsetConflict(Problem):
    """``Upload-Offset`` is not where the upload stands, or another request has taken it over: ask
    with HEAD where it stands, and go on from there."""

    status, slug, title = 409, "offset-conflict", "The upload does not stand there"


class UploadExpired(Problem):
    """Nothing was sent for too long, so the upload was dropped: begin another."""

    status, slug, title = 410, "upload-expired", "The upload has expired"


class ChecksumMismatch(Problem):
    """The bytes of this request are not those that ``Upload-Checksum`` speaks of; none of them
    was kept. (460 is the tus protocol's own status.)"""

    status, slug, title = 460, "checksum-mismatch", "The bytes were damaged on their way"


class TooManyAttachments(Problem):
    """A thing may have so many attachments and no more: delete some."""

    status, slug, title = 409, "too-many-attachments", "There are too many attachments"


class AlreadyAttached(Problem):
    """The file belongs to something else already; a file has one place."""

    status, slug, title = 409, "already-attached", "The file is attached elsewhere"
