"""``/compat/todo-backend``: the API that Todo-Backend (todobackend.com) specifies, on a project.

With a bearer token it is the caller's inbox. The specification's clients send none: for them an
admin issues an address with a token in it, which opens one project.
"""

from typing import Annotated, NamedTuple
from uuid import UUID

from insula.access import PUBLIC
from insula.db import Work
from insula.http.exchange import Caller, Exchange
from litestar import Response, Router, delete, get, patch, post
from litestar.params import PathParameter

from insula_tenants.tasks.errors import ProjectReadOnly
from insula_tenants.tasks.permissions import READ, WRITE
from insula_tenants.tasks.queries import projects
from insula_tenants.tasks.schemas.tasks import Task
from insula_tenants.tasks.schemas.todos import Todo, TodoCreate, TodoUpdate
from insula_tenants.tasks.service import links
from insula_tenants.tasks.service import todos as service
from insula_tenants.tasks.service.projects import inbox

PATH = "/compat/todo-backend"
Token = Annotated[str, PathParameter(min_length=1, max_length=100)]
_REFUSED = (ProjectReadOnly,)


class _Board(NamedTuple):
    """Where a client works, in whose name, and below which address."""

    project_id: UUID
    user_id: UUID
    url: str

    def todo(self, task: Task) -> Todo:
        url = f"{self.url}/{task.id}"
        return Todo(task.id, task.title, task.done, task.position, url)

    def made(self, task: Task) -> Response[Todo]:
        todo = self.todo(task)
        return Response(todo, status_code=201, headers={"location": todo.url})


def _address(exchange: Exchange, below: str) -> str:
    scheme = exchange.scope.get("scheme", "http")
    return f"{scheme}://{exchange.header(b'host')}{PATH}/{below}"


async def _inbox(tx: Work, caller: Caller, exchange: Exchange) -> _Board:
    project = await inbox(tx, caller.user_id)
    return _Board(project.id, caller.user_id, _address(exchange, "todos"))


async def _linked(tx: Work, token: str, exchange: Exchange) -> _Board:
    link = await links.follow(tx, token)
    return _Board(link.project_id, link.user_id, _address(exchange, token))


# With a bearer token


@get("/", right=READ)
async def list_todos(tx: Work, caller: Caller, exchange: Exchange) -> list[Todo]:
    """The todos in the caller's inbox, in their order."""
    if await tx.find(projects.INBOX, user_id=caller.user_id) is None:
        return []
    board = await _inbox(tx, caller, exchange)
    tasks = await service.list_all(tx, board.project_id, board.user_id)
    return [board.todo(task) for task in tasks]


@post("/", right=WRITE)
async def create_todo(
    data: TodoCreate, tx: Work, caller: Caller, exchange: Exchange
) -> Response[Todo]:
    """Add a todo to the caller's inbox."""
    board = await _inbox(tx, caller, exchange)
    return board.made(await service.create(tx, board.project_id, data, board.user_id))


@delete("/", right=WRITE)
async def delete_todos(tx: Work, caller: Caller, exchange: Exchange) -> None:
    """Empty the caller's inbox, as the specification has it."""
    board = await _inbox(tx, caller, exchange)
    await service.delete_all(tx, board.project_id, board.user_id)


@get("/todos/{task_id:uuid}", right=READ)
async def get_todo(task_id: UUID, tx: Work, caller: Caller, exchange: Exchange) -> Todo:
    """One todo of the inbox."""
    project = await tx.one(projects.INBOX, user_id=caller.user_id)
    board = _Board(project.id, caller.user_id, _address(exchange, "todos"))
    return board.todo(await service.find(tx, board.project_id, task_id, board.user_id))


@patch("/todos/{task_id:uuid}", right=WRITE)
async def update_todo(
    task_id: UUID, data: TodoUpdate, tx: Work, caller: Caller, exchange: Exchange
) -> Todo:
    """Change title, order or whether it is completed."""
    board = await _inbox(tx, caller, exchange)
    return board.todo(await service.update(tx, board.project_id, task_id, data, board.user_id))


@delete("/todos/{task_id:uuid}", right=WRITE)
async def delete_todo(task_id: UUID, tx: Work, caller: Caller, exchange: Exchange) -> None:
    """Delete a todo of the inbox."""
    board = await _inbox(tx, caller, exchange)
    await service.delete(tx, board.project_id, task_id, board.user_id)


# With an address that opens one project


@get("/{token:str}", right=PUBLIC)
async def list_linked_todos(token: Token, tx: Work, exchange: Exchange) -> list[Todo]:
    """The todos of the project that the address opens."""
    board = await _linked(tx, token, exchange)
    tasks = await service.list_all(tx, board.project_id, board.user_id)
    return [board.todo(task) for task in tasks]


@post("/{token:str}", right=PUBLIC, problems=_REFUSED)
async def create_linked_todo(
    token: Token, data: TodoCreate, tx: Work, exchange: Exchange
) -> Response[Todo]:
    """Add a todo."""
    board = await _linked(tx, token, exchange)
    return board.made(await service.create(tx, board.project_id, data, board.user_id))


@delete("/{token:str}", right=PUBLIC, problems=_REFUSED)
async def delete_linked_todos(token: Token, tx: Work, exchange: Exchange) -> None:
    """Delete every todo of the project."""
    board = await _linked(tx, token, exchange)
    await service.delete_all(tx, board.project_id, board.user_id)


@get("/{token:str}/{task_id:uuid}", right=PUBLIC)
async def get_linked_todo(token: Token, task_id: UUID, tx: Work, exchange: Exchange) -> Todo:
    """One todo."""
    board = await _linked(tx, token, exchange)
    return board.todo(await service.find(tx, board.project_id, task_id, board.user_id))


@patch("/{token:str}/{task_id:uuid}", right=PUBLIC, problems=_REFUSED)
async def update_linked_todo(
    token: Token, task_id: UUID, data: TodoUpdate, tx: Work, exchange: Exchange
) -> Todo:
    """Change title, order or whether it is completed."""
    board = await _linked(tx, token, exchange)
    return board.todo(await service.update(tx, board.project_id, task_id, data, board.user_id))


@delete("/{token:str}/{task_id:uuid}", right=PUBLIC, problems=_REFUSED)
async def delete_linked_todo(token: Token, task_id: UUID, tx: Work, exchange: Exchange) -> None:
    """Delete a todo."""
    board = await _linked(tx, token, exchange)
    await service.delete(tx, board.project_id, task_id, board.user_id)


ROUTER = Router(
    path=PATH,
    route_handlers=[
        list_todos, create_todo, delete_todos, get_todo, update_todo, delete_todo,
        list_linked_todos, create_linked_todo, delete_linked_todos, get_linked_todo,
        update_linked_todo, delete_linked_todo,
    ],
)  # fmt: skip
