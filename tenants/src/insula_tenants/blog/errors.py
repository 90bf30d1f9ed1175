"""What can go wrong in the blog."""

from insula.http.problem import Forbidden, Problem


class NotYourArticle(Forbidden):
    """Only its author, or somebody with ``blog:manage``, may change an article."""

    status, slug, title = 403, "blog-not-your-article", "This is somebody else's article"


class NotYourComment(Forbidden):
    """Only its author, or somebody with ``blog:manage``, may change a comment."""

    status, slug, title = 403, "blog-not-your-comment", "This is somebody else's comment"


class EditWindowOver(Forbidden):
    """A comment can be changed for some minutes after it was written; the blog's settings say for
    how many. It can still be deleted."""

    status, slug, title = 403, "blog-edit-window-over", "It is too late to change this comment"


class WritingClosed(Forbidden):
    """The blog's setting ``community`` is off: only the team writes, and nobody registers."""

    status, slug, title = 403, "blog-writing-closed", "This blog takes no articles from readers"


class CommentsClosed(Problem):
    """Comments are closed, for this article or for the whole blog."""

    status, slug, title = 409, "blog-comments-closed", "Comments are closed"


class ThreadTooDeep(Problem):
    """Answer to a comment further up: a thread has at most twenty levels."""

    status, slug, title = 409, "blog-thread-too-deep", "The thread is too deep"


class SlugTaken(Problem):
    """Another article is, or was, found under this slug; old addresses keep their meaning."""

    status, slug, title = 409, "blog-slug-taken", "This slug is taken"


class UsernameTaken(Problem):
    """Another author has this username; case makes no difference."""

    status, slug, title = 409, "blog-username-taken", "This username is taken"


class FollowingYourself(Problem):
    """Authors do not follow themselves."""

    status, slug, title = 422, "blog-following-yourself", "You cannot follow yourself"


class ImportUnreadable(Problem):
    """The upload is not in the format that was named, is too large when unpacked, or is made to
    harm whoever reads it."""

    status, slug, title = 400, "blog-import-unreadable", "The import cannot be read"
