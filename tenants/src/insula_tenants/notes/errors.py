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


class TextTooHard(Problem):
    """The grammar check gave up on this text: it takes too long, as pages of brackets do."""

    status, slug, title = 422, "notes-text-too-hard", "The text takes too long to check"


class DictionaryFull(Problem):
    """A dictionary holds 5,000 words of one user, and as many of the tenant."""

    status, slug, title = 409, "notes-dictionary-full", "The dictionary is full"
