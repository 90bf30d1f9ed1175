"""What the code says, held against the translations: what is missing, and what nobody says."""

import ast
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from string import Formatter

import msgspec

from insula.http.problem import KINDS
from insula.i18n.catalogues import LANGUAGES, SOURCE, language, packages

_CALLS = {"say": 1, "say_count": 2}
"""Functions whose first arguments are templates."""


_FOR_OPERATORS = ("cli", "cli.py", "tests")
"""What speaks to operators, in English."""
_UNMARKED = "f-string: "
"""Ahead of what is put together before anybody can translate it."""


class Message(msgspec.Struct, frozen=True, order=True):
    """A sentence that the code says."""

    template: str
    plural: str
    """Empty where nothing is counted."""
    where: str
    """``<package>/<file>:<line>``, or the class of a problem."""


class Gap(msgspec.Struct, frozen=True, order=True):
    """A sentence and the language that it is missing in, or broken."""

    language: str
    template: str
    where: str
    fault: str


class LanguageReport(msgspec.Struct, frozen=True):
    messages: int
    gaps: tuple[Gap, ...]
    unused: tuple[tuple[str, str], ...]
    """Language and template of translations of what nobody says any more."""


def messages() -> list[Message]:
    """Everything that ``say`` and ``say_count`` are called with in the platform and the installed
    modules, and the title and details of every kind of problem."""
    found = {message for package in packages() for message in _in_package(package, package.name)}
    for kind in KINDS.values():
        found.add(Message(kind.title, "", f"{kind.__module__}.{kind.__qualname__}"))
    return sorted(found)


def _in_package(folder: Traversable, where: str) -> Iterator[Message]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{where}/{entry.name}"
        if entry.name in _FOR_OPERATORS:
            continue
        if entry.is_dir():
            yield from _in_package(entry, path)
        elif entry.name.endswith(".py"):
            yield from _in_source(entry.read_text(encoding="utf-8"), path)


def _in_source(source: str, path: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and _is_fault(node.targets):
            yield from _said(node.value, f"{path}:{node.lineno}")
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        where = f"{path}:{node.lineno}"
        if count := _CALLS.get(node.func.id, 0):
            literals = [_literal(argument) for argument in node.args[:count]]
            if None not in literals:
                yield Message(literals[0] or "", "".join(map(str, literals[1:])), where)
        elif node.func.id == "FieldError" or node.func.id in _kinds():
            for argument in node.args[node.func.id == "FieldError" :][:1]:
                yield from _said(argument, where)


def _is_fault(targets: list[ast.expr]) -> bool:
    """Whether it is what a :class:`FieldError` is going to say, by our habit."""
    return any(isinstance(target, ast.Name) and target.id == "fault" for target in targets)


def _said(node: ast.expr, where: str) -> Iterator[Message]:
    if (said := _literal(node)) is not None:
        yield Message(said, "", where)
    elif isinstance(node, ast.JoinedStr):
        yield Message(f"{_UNMARKED}{ast.unparse(node)}", "", where)


def _literal(node: ast.expr) -> str | None:
    said = node.value if isinstance(node, ast.Constant) else None
    return said if isinstance(said, str) and said else None


def _kinds() -> frozenset[str]:
    """Names of classes whose first argument a person reads."""
    return frozenset(kind.__name__ for kind in KINDS.values())


def report() -> LanguageReport:
    """Hold every language against what the code says. Import the modules first: kinds of problems
    are known once they are."""
    said = messages()
    templates = {message.template for message in said}
    others = [name for name in LANGUAGES if name != SOURCE]
    gaps = {
        (name, message.template): gap
        for name in others
        for message in said
        if (gap := _gap(name, message)) is not None
    }
    unused = [
        (name, template)
        for name in others
        for template in language(name)
        if template not in templates
    ]
    return LanguageReport(len(templates), tuple(sorted(gaps.values())), tuple(sorted(unused)))


def _gap(name: str, message: Message) -> Gap | None:
    if message.template.startswith(_UNMARKED):
        wrong = "put together before it can be translated: use say()"
        return Gap(name, message.template, message.where, wrong)
    translations = language(name)
    if translations.find(message.template) is None:
        return Gap(name, message.template, message.where, "not translated")
    wanted = _fields(message.template) | _fields(message.plural)
    for form in translations.forms(message.template):
        if not form:
            return Gap(name, message.template, message.where, "a plural form is empty")
        if unknown := _fields(form) - wanted:
            return Gap(name, message.template, message.where, f"names {sorted(unknown)}")
        if not message.plural and wanted - _fields(form):
            wrong = f"leaves out {sorted(wanted - _fields(form))}"
            return Gap(name, message.template, message.where, wrong)
    return None


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}
