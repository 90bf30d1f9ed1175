"""A blog worth looking at, for a demo tenant."""

from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from insula.module import Demo

from insula_tenants.blog.permissions import MANAGE, WRITE
from insula_tenants.blog.schemas import ArticleCreate, CommentCreate
from insula_tenants.blog.service import articles, comments, people

_ARTICLES = (
    ArticleCreate(
        title="A house of many households",
        summary="What an insula was, and why this server is called like it.",
        tags=["house", "history"],
        publish=True,
        body="""In the cities of Rome most people lived in an *insula*: shops on the ground floor,
flats above, **shared walls and water**.

| floor | who |
|---|---|
| ground | baker, tavern |
| first | the well-off |
| fifth | those who could climb |

> Nobody owned the stairs, everybody swept them.
""",
    ),
    ArticleCreate(
        title="The roof garden in its third summer",
        summary="Chard, tomatoes, and what the pigeons left.",
        tags=["garden", "house"],
        publish=True,
        body="""Three beds, one can, and a rota.

```python
def litres(beds: int, celsius: float) -> float:
    return beds * max(0.0, celsius - 15) / 2
```

1. Water at seven in the morning.
2. Never at noon.
""",
    ),
    ArticleCreate(
        title="Stairs: a draft",
        summary="Not for readers yet.",
        tags=["house"],
        body="The fourth step creaks.",
    ),
)


async def fill(tx: Work, demo: Demo) -> None:
    """Two articles, a draft, and a conversation."""
    owner: UUID = demo.owner_id
    caller = Caller(owner, owner, "owner", frozenset({WRITE, MANAGE}))
    made = [await articles.create(tx, article, owner) for article in _ARTICLES]
    first = await comments.create(
        tx, made[1].id, CommentCreate(body="Did the *basil* survive?"), caller
    )
    answer = CommentCreate(body="Under glass, yes.", parent_id=first.id)
    await comments.create(tx, made[1].id, answer, caller)
    await people.favourite(tx, owner, made[1].id)
