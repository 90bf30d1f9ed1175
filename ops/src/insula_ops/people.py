"""Signing up and signing in, as everybody in a scenario has to."""

import secrets
import threading
import time
from typing import Any

from locust import FastHttpUser
from locust.contrib.fasthttp import FastHttpSession

PASSWORD = secrets.token_urlsafe(16)


class Company:
    """The tenant of one run in one process: the first person to arrive signs it up."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self.slug = f"lab-{secrets.token_hex(5)}"
        self._modules = modules
        self._lock = threading.Lock()  # gevent's: Locust has patched threading
        self._owner: dict[str, str] = {}

    def hire(self, client: FastHttpSession, role: str) -> str:
        """Make a user with this role; the e-mail address."""
        owner = self.owner(client)
        email = f"{secrets.token_hex(6)}@{self.slug}.example"
        form = {"email": email, "name": "Lab", "password": PASSWORD, "role": role}
        post(client, "/api/v1/users", form, owner)
        return email

    def owner(self, client: FastHttpSession) -> dict[str, str]:
        """Headers that name the owner."""
        with self._lock:
            if not self._owner:
                self._found(client)
        return self._owner

    def _found(self, client: FastHttpSession) -> None:
        owner = {"email": f"owner@{self.slug}.example", "name": "Lab", "password": PASSWORD}
        form = {"slug": self.slug, "name": "Lab", "owner": owner}
        tokens = post(client, "/api/v1/tenants", form, {})
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        for module in self._modules:
            client.put(f"/api/v1/modules/{module}", headers=headers)
        self._owner = headers


class Person(FastHttpUser):
    """Somebody signed in. ``company`` and ``role`` are the scenario's to set."""

    abstract = True
    company: Company
    role = "member"

    def on_start(self) -> None:
        email = self.company.hire(self.client, self.role)
        tenant = {"Insula-Tenant": self.company.slug}
        self._sign_in("/api/v1/sessions", {"email": email, "password": PASSWORD}, tenant)

    def headers(self, **more: str) -> dict[str, str]:
        """The person's token, renewed in good time, and what else the request carries."""
        if time.monotonic() > self._renew_at:
            tenant = {"Insula-Tenant": self.company.slug}
            form = {"refresh_token": self._tokens["refresh_token"]}
            self._sign_in("/api/v1/sessions/refresh", form, tenant)
        return {"Authorization": f"Bearer {self._tokens['access_token']}", **more}

    def _sign_in(self, path: str, form: dict[str, str], headers: dict[str, str]) -> None:
        self._tokens = post(self.client, path, form, headers)
        self._renew_at = time.monotonic() + self._tokens["expires_in"] / 2


def post(
    client: FastHttpSession, path: str, form: dict[str, Any], headers: dict[str, str]
) -> dict[str, Any]:
    """The decoded answer; what is refused ends the person, and is counted as a failure."""
    with client.post(path, json=form, headers=headers, catch_response=True) as answer:
        if not 200 <= answer.status_code < 300:
            answer.failure(f"{answer.status_code} {answer.text}")
            answer.raise_for_status()
        decoded: dict[str, Any] = answer.json()
        return decoded
