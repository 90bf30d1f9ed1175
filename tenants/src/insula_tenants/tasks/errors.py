"""What can go wrong with tasks."""

from insula.http.problem import Problem


class ProjectReadOnly(Problem):
    """You see this project as a viewer: ask one of its owners to make you an editor."""

    status, slug, title = 403, "tasks-project-read-only", "You may only read this project"


class ProjectNotYours(Problem):
    """Members, visibility and deletion of a project are its owners' affair."""

    status, slug, title = 403, "tasks-project-not-yours", "Only an owner of the project may do this"


class LastProjectOwner(Problem):
    """A project keeps at least one owner: make somebody else one first."""

    status, slug, title = 409, "tasks-last-owner", "The project would have no owner"


class InboxFixed(Problem):
    """An inbox belongs to one user alone: it is not shared, archived or deleted."""

    status, slug, title = 409, "tasks-inbox-fixed", "An inbox cannot be shared or deleted"


class TooDeep(Problem):
    """Subtasks nest at most five deep."""

    status, slug, title = 409, "tasks-too-deep", "Subtasks would nest too deep"


class WouldCircle(Problem):
    """A task cannot lie below itself."""

    status, slug, title = 409, "tasks-would-circle", "A task cannot be its own subtask"


class TooMany(Problem):
    """There is a bound on how many of these one task, project or user may have."""

    status, slug, title = 409, "tasks-too-many", "There are too many of these already"


class NotYourComment(Problem):
    """A comment is changed by who wrote it, and deleted by them or an owner of the project."""

    status, slug, title = 403, "tasks-not-your-comment", "Somebody else wrote this comment"


class AlreadyDone(Problem):
    """The task is completed; reopen it first."""

    status, slug, title = 409, "tasks-already-done", "The task is completed already"


class NotDone(Problem):
    """The task is open, so there is nothing to reopen."""

    status, slug, title = 409, "tasks-not-done", "The task is not completed"
