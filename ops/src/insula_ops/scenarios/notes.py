"""People who read notes, and people who write them."""

import random
import secrets
from urllib.parse import urlencode

from locust import between, task

from insula_ops.people import Company, Person

COMPANY = Company(modules=("notes",))
NOTES = "/api/v1/notes"
_ONE = f"{NOTES}/{{id}}"
_WORDS = ("roof", "garden", "water", "strawberries", "harvest", "ladder", "soil", "weather")


class NotesReader(Person):
    """Leafs through the list, opens notes, looks at some of them again, searches."""

    company = COMPANY
    wait_time = between(0.05, 0.5)

    def on_start(self) -> None:
        super().on_start()
        self._etags: dict[str, str] = {}

    @task(4)
    def leaf_through(self) -> None:
        query: dict[str, str] = {"limit": "20"}
        for _ in range(3):
            path = f"{NOTES}?{urlencode(query)}"
            with self.client.get(path, headers=self.headers(), name=NOTES) as answer:
                page = answer.json() if answer.ok else {"items": [], "next": None}
            for note in random.sample(page["items"], min(2, len(page["items"]))):
                self._open(note["id"])
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    @task(1)
    def search(self) -> None:
        path = f"{NOTES}?{urlencode({'q': random.choice(_WORDS)})}"
        self.client.get(path, headers=self.headers(), name=f"{NOTES}?q=")

    def _open(self, note_id: str) -> None:
        known = {"If-None-Match": etag} if (etag := self._etags.get(note_id)) else {}
        path, headers = f"{NOTES}/{note_id}", self.headers(**known)
        with self.client.get(path, headers=headers, name=_ONE, catch_response=True) as answer:
            if answer.status_code == 200:
                self._etags[note_id] = answer.headers["etag"]
            elif answer.status_code in (304, 404):  # unchanged, or thrown away meanwhile
                answer.success()


class NotesWriter(Person):
    """Writes notes, changes them as somebody who has read them first, throws some away."""

    company = COMPANY
    wait_time = between(0.2, 1.0)

    def on_start(self) -> None:
        super().on_start()
        self._written: list[str] = []

    @task(3)
    def write(self) -> None:
        headers = self.headers(**{"Idempotency-Key": secrets.token_hex(16)})
        note = {"title": f"About {random.choice(_WORDS)}", "body": _body()}
        with self.client.post(NOTES, json=note, headers=headers) as answer:
            if answer.ok:
                self._written.append(answer.json()["id"])

    @task(2)
    def revise(self) -> None:
        if not self._written:
            return
        path = f"{NOTES}/{random.choice(self._written)}"
        with self.client.get(path, headers=self.headers(), name=_ONE) as answer:
            etag = answer.headers["etag"]
        headers = self.headers(**{"If-Match": etag})
        self.client.patch(path, json={"body": _body()}, headers=headers, name=_ONE)

    @task(1)
    def throw_away(self) -> None:
        if len(self._written) > 10:
            path = f"{NOTES}/{self._written.pop(0)}"
            self.client.delete(path, headers=self.headers(), name=_ONE)


def _body() -> str:
    lines = (" ".join(random.choices(_WORDS, k=12)) for _ in range(random.randint(1, 20)))
    return f"# {random.choice(_WORDS)}\n\n" + "\n\n".join(f"- [ ] {line}" for line in lines)
