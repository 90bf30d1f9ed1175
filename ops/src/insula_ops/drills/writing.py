"""People who write notes and keep count of what they were told has been stored."""

import secrets
import threading
from typing import Any

import requests

PASSWORD = secrets.token_urlsafe(16)
_UPDATES = 4
"""How often each note is changed after it was made."""


def found_tenant(url: str, hook: str) -> dict[str, str]:
    """Sign up a tenant with notes on, and a webhook for whatever happens to them; the headers of
    its owner's requests."""
    slug = f"drill-{secrets.token_hex(5)}"
    owner = {"email": f"owner@{slug}.example", "name": "Drill", "password": PASSWORD}
    form: dict[str, Any] = {"slug": slug, "name": "Drill", "owner": owner}
    made = requests.post(f"{url}/api/v1/tenants", json=form, timeout=30)
    made.raise_for_status()
    headers = {"Authorization": f"Bearer {made.json()['access_token']}"}
    requests.put(f"{url}/api/v1/modules/notes", headers=headers, timeout=30).raise_for_status()
    hooked = requests.post(
        f"{url}/api/v1/webhooks", json={"url": hook, "events": ["notes.*"]}, headers=headers,
        timeout=30,
    )  # fmt: skip
    hooked.raise_for_status()
    return headers


class Writer(threading.Thread):
    """Writes until told to stop. A request that fails is sent again with the same idempotency key,
    as a careful client does; only what was acknowledged counts."""

    def __init__(self, url: str, headers: dict[str, str], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, int] = {}
        """Revision of each note that was acknowledged last."""
        self.repeated = 0
        self.refused: list[str] = []
        self._url = url
        self._session = requests.Session()
        self._session.headers.update(headers)
        self._halt = stop

    def run(self) -> None:
        while not self._halt.is_set():
            title = secrets.token_hex(8)
            note = self._send("POST", "/api/v1/notes", {"title": title, "body": "0"})
            if note is None:
                return
            self.acknowledged[note["id"]] = note["revision"]
            for number in range(_UPDATES):
                path = f"/api/v1/notes/{note['id']}"
                changed = self._send("PATCH", path, {"body": f"{number + 1} {title}"})
                if changed is None:
                    return
                self.acknowledged[note["id"]] = changed["revision"]

    def _send(self, method: str, path: str, form: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, however long it takes to get one; None if it was a refusal."""
        key = {"Idempotency-Key": secrets.token_hex(16)} if method == "POST" else {}
        for attempt in range(10_000):
            try:
                answer = self._session.request(
                    method, self._url + path, json=form, headers=key, timeout=20
                )
            except requests.RequestException:
                answer = None
            if answer is not None and answer.ok:
                self.repeated += attempt > 0
                found: dict[str, Any] = answer.json()
                return found
            if answer is not None and answer.status_code not in (409, 429, 502, 503, 504):
                self.refused.append(f"{method} {path}: {answer.status_code} {answer.text}")
                return None
            self._halt.wait(0.1)
        return None
