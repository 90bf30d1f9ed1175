"""How the RealWorld API says no: 422 for what is wrong with the input, and ``{"errors": {…}}``."""

import re

import msgspec
from insula.http.dialect import Dialect
from insula.http.problem import (
    Forbidden,
    InvalidInput,
    NotFound,
    Problem,
    TokenExpired,
    Unauthenticated,
)
from insula.identity.errors import EmailTaken, InvalidCredentials

from insula_tenants.blog.errors import NotYourArticle, NotYourComment, UsernameTaken

_MISSING = re.compile(r"(?:missing required|The) field `(\w+)`")
_BLANK = re.compile(r"of length >= 1|matching |got `null`")


class Errors(msgspec.Struct):
    errors: dict[str, list[str]]


class Missing(NotFound):
    """No article, comment or profile of this name that you may see."""

    status, slug, title = 404, "realworld-missing", "Not found"

    def __init__(self, what: str = "resource") -> None:
        super().__init__(f"There is no such {what}.")
        self.what = what


def render(problem: Problem) -> Errors:
    """A problem as RealWorld's clients expect it."""
    if isinstance(problem, InvalidInput):
        return Errors(_of_fields(problem))
    key, text = _said(problem)
    return Errors({key: [text]})


def _of_fields(problem: InvalidInput) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for error in problem.errors:
        name = error.pointer.rpartition("/")[2].removeprefix("?")
        text = str(error.detail)
        if missing := _MISSING.search(text):
            name, text = missing[1], "can't be blank"
        elif _BLANK.search(text):
            text = "can't be blank"
        found.setdefault(name or "body", []).append(text)
    return found or {"body": [str(problem.detail or problem.title)]}


def _said(problem: Problem) -> tuple[str, str]:
    match problem:
        case Missing():
            return problem.what, "not found"
        case InvalidCredentials():
            return "credentials", "invalid"
        case TokenExpired():
            return "token", "is invalid"
        case Unauthenticated():
            return "token", "is missing"
        case EmailTaken():
            return "email", "has already been taken"
        case UsernameTaken():
            return "username", "has already been taken"
        case NotYourArticle():
            return "article", "forbidden"
        case NotYourComment():
            return "comment", "forbidden"
        case Forbidden():
            return "resource", "forbidden"
        case NotFound():
            return "resource", "not found"
    return "message", str(problem.detail or problem.title)


DIALECT = Dialect(document=Errors, render=render, statuses={400: 422}, schemes=("token", "bearer"))
