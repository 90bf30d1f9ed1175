"""What can go wrong with polls."""

from insula.http.problem import Problem


class AlreadyVoted(Problem):
    """This user, token or browser has voted, and the poll does not let votes be changed."""

    status, slug, title = 409, "polls-already-voted", "You have voted already"


class PollNotOpen(Problem):
    """The poll takes no votes now: it has not opened yet, or it is closed."""

    status, slug, title = 409, "polls-not-open", "The poll is not open"


class PollHasVotes(Problem):
    """What people have voted on cannot be changed any more, except for when it closes."""

    status, slug, title = 409, "polls-has-votes", "The poll has votes already"


class PollStays(Problem):
    """The poll cannot go from its present state into this one; see the guide to polls for what
    may be opened, closed and reopened when."""

    status, slug, title = 409, "polls-stays", "The poll cannot do this in its state"


class VotingTokenRefused(Problem):
    """The poll asks for a voting token, in the header ``Voting-Token``. None was sent, or one
    that this poll did not issue, or that was withdrawn."""

    status, slug, title = 403, "polls-voting-token-refused", "This needs a voting token"


class ResultsHidden(Problem):
    """The poll does not show its results yet: some show them to those who have voted, some to
    everybody once they are closed."""

    status, slug, title = 403, "polls-results-hidden", "The results are not shown yet"
