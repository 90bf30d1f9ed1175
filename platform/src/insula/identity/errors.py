"""What can go wrong with users and sessions."""

from insula.http.problem import Forbidden, Problem


class InvalidCredentials(Problem):
    """The e-mail address and password do not belong together, or the user is disabled. Which of
    these it is, is not said."""

    status, slug, title = 401, "invalid-credentials", "E-mail address or password is wrong"


class RefreshRejected(Problem):
    """The refresh token is unknown, expired, spent or its session was ended: sign in again. A spent
    token that comes back ends its whole session (RFC 9700, section 4.14.2)."""

    status, slug, title = 401, "refresh-rejected", "Sign in again"


class EmailTaken(Problem):
    """Another user of this tenant has this e-mail address."""

    status, slug, title = 409, "email-taken", "This e-mail address is taken"


class LastOwner(Problem):
    """A tenant always has an active owner: make somebody else an owner first."""

    status, slug, title = 409, "last-owner", "The tenant needs an owner"


class OutranksYou(Forbidden):
    """Only an owner can make, change or disable an owner."""

    status, slug, title = 403, "outranks-you", "Only an owner can do this"


class TenantFull(Problem):
    """The tenant has as many users as the operator allows: disable some, or ask for more."""

    status, slug, title = 403, "tenant-full", "There is no room for another user"
