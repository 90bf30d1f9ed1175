"""What can go wrong with notes."""

from insula.http.problem import Problem


class NoSuchTask(Problem):
    """The note has no task of this number."""

    status, slug, title = 404, "notes-no-such-task", "No such task"


class PathTaken(Problem):
    """Another note has come to lie at this note's path in the vault since it was deleted."""

    status, slug, title = 409, "notes-path-taken", "Another note lies at this path"


class VaultUnreadable(Problem):
    """The upload is no zip file that can be read, or holds more than a vault may."""

    status, slug, title = 400, "notes-vault-unreadable", "The vault cannot be read"
