"""Webhooks: what an admin sets up, and what a receiver gets."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.background import WorkerProcess
from fixtures.inside import inside
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.mail import MailServer, text_of
from fixtures.npm import packages, run_node
from fixtures.receiver import Received, Receiver
from fixtures.waiting import eventually
from insula.db import Statement
from insula.webhooks.tables import WebhookRow
from sqlalchemy import bindparam, select
from standardwebhooks import Webhook, WebhookVerificationError

ALL = ["*"]
SEALED = Statement(select(WebhookRow.secret).where(WebhookRow.id == bindparam("id")), bytes)


def subscribe(tenant: TestTenant, url: str, *events: str) -> dict[str, Any]:
    answer = tenant.http.post("/api/v1/webhooks", json={"url": url, "events": events or ALL})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/webhooks/{made['id']}"
    return made


def try_out(tenant: TestTenant, webhook: dict[str, Any]) -> dict[str, Any]:
    """Send the test event; its delivery."""
    answer = tenant.http.post(f"/api/v1/webhooks/{webhook['id']}/test")
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def finished(tenant: TestTenant, delivery: dict[str, Any], attempts: int = 1) -> dict[str, Any]:
    """The delivery, once it has been tried so often."""
    path = f"/api/v1/webhooks/{delivery['webhook_id']}/deliveries/{delivery['id']}"

    def look() -> dict[str, Any]:
        found: dict[str, Any] = tenant.http.get(path).json()
        assert found["attempts"] >= attempts
        return found

    return eventually(look)


_VERIFY = """
import { Webhook } from "standardwebhooks";
import { readFileSync } from "node:fs";
const { secret, body, headers } = JSON.parse(readFileSync(process.argv[2], "utf8"));
console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
"""


def test_a_delivery_is_verified_by_the_official_libraries(
    acme: TestTenant, receiver: Receiver, worker: WorkerProcess, tmp_path: Path
) -> None:
    webhook = subscribe(acme, receiver.url)
    delivery = try_out(acme, webhook)
    (got,) = receiver.wait_for(1)
    assert Webhook(webhook["secret"]).verify(got.body, got.headers) == got.event
    given = tmp_path / "given.json"
    given.write_text(
        json.dumps({"secret": webhook["secret"], "body": got.body.decode(), "headers": got.headers})
    )
    verified = run_node(packages("standardwebhooks@1.1.1"), _VERIFY, str(given))
    assert json.loads(verified) == got.event
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook["secret"]).verify(got.body + b" ", got.headers)
    assert got.headers["webhook-id"] == got.event["id"] == delivery["event_id"]


def test_the_body_is_a_cloud_event(
    acme: TestTenant, receiver: Receiver, worker: WorkerProcess
) -> None:
    try_out(acme, subscribe(acme, receiver.url))
    (got,) = receiver.wait_for(1)
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.headers["user-agent"].startswith("Insula/")
    event = got.event
    assert (event["specversion"], event["type"]) == ("1.0", "webhooks.test.sent")
    assert event["source"] == f"urn:uuid:{acme.id}"
    assert event["data"] == {"message": "This webhook works."}


def test_what_happens_reaches_whom_it_concerns(
    acme: TestTenant,
    make_receiver: Callable[[], Receiver],
    worker: WorkerProcess,
    sign_up: SignUp,
) -> None:
    wants, wants_not, elsewhere = make_receiver(), make_receiver(), make_receiver()
    subscribe(acme, wants.url, "webhooks.*")
    subscribe(acme, wants_not.url, "events.consumer.rewound")
    subscribe(sign_up(), elsewhere.url)
    doomed = subscribe(acme, "https://93.184.216.34/hook")
    acme.http.patch(f"/api/v1/webhooks/{doomed['id']}", json={"enabled": False})
    (got,) = wants.wait_for(1)
    assert got.event["type"] == "webhooks.endpoint.disabled"
    assert got.event["data"] == {
        "id": doomed["id"], "url": "https://93.184.216.34/hook", "reason": "manual"
    }  # fmt: skip
    rewind = acme.http.post(
        "/api/v1/events/rewind", json={"consumer": "webhooks", "after": got.event["id"]}
    )
    assert rewind.status_code == 204
    wants_not.wait_for(1)
    assert wants_not.said("type") == ["events.consumer.rewound"]
    assert elsewhere.requests == []


def test_after_a_rotation_both_secrets_are_good_for_a_while(
    acme: TestTenant, receiver: Receiver, worker: WorkerProcess
) -> None:
    webhook = subscribe(acme, receiver.url)
    path = f"/api/v1/webhooks/{webhook['id']}"
    rotated = acme.http.post(f"{path}/rotate", json={}).json()
    assert rotated["secret"] != webhook["secret"]
    assert rotated["previous_secret_until"] is not None
    try_out(acme, webhook)
    got = receiver.wait_for(1)[0]
    for secret in (webhook["secret"], rotated["secret"]):
        assert Webhook(secret).verify(got.body, got.headers)
    leaked = acme.http.post(f"{path}/rotate", json={"overlap_hours": 0}).json()
    try_out(acme, webhook)
    got = receiver.wait_for(2)[1]
    assert Webhook(leaked["secret"]).verify(got.body, got.headers)
    for secret in (webhook["secret"], rotated["secret"]):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(got.body, got.headers)


async def test_a_secret_is_shown_once_and_kept_sealed(
    installation: Installation, acme: TestTenant
) -> None:
    webhook = subscribe(acme, "https://93.184.216.34/")
    path = f"/api/v1/webhooks/{webhook['id']}"
    for answer in (acme.http.get("/api/v1/webhooks"), acme.http.get(path)):
        assert "whsec_" not in answer.text
    async with inside(installation) as platform:
        tenant = await platform.tenant(acme)
        async with platform.transaction(tenant) as tx:
            sealed = await tx.one(SEALED, id=webhook["id"])
    raw = Webhook(webhook["secret"])._whsecret
    assert len(raw) == 32
    assert raw not in sealed


def test_the_log_tells_what_was_sent_and_answered(
    acme: TestTenant, receiver: Receiver, worker: WorkerProcess
) -> None:
    receiver.answer = lambda _: (503, {"X-Why": "ti"}, b"no \0 beds \xff" + b"z" * 5000)
    delivery = try_out(acme, subscribe(acme, receiver.url))
    seen = finished(acme, delivery)
    assert (seen["status"], seen["response_status"]) == ("waiting", 503)
    assert seen["next_at"] > seen["created_at"]
    (attempt,) = seen["log"]
    assert attempt["number"] == 1
    assert attempt["response_headers"]["x-why"] == "ti"
    assert attempt["response_body"].startswith("no \ufffd beds \ufffdzzz")
    assert len(attempt["response_body"]) == 2000
    assert attempt["request_headers"]["webhook-id"] == delivery["event_id"]
    assert seen["body"].encode() == receiver.requests[0].body
    listed = acme.http.get(
        f"/api/v1/webhooks/{delivery['webhook_id']}/deliveries", params={"status": "waiting"}
    ).json()
    assert [item["id"] for item in listed["items"]] == [delivery["id"]]


def test_a_delivery_is_sent_again_by_hand(
    acme: TestTenant, receiver: Receiver, worker: WorkerProcess
) -> None:
    webhook = subscribe(acme, receiver.url)
    delivery = try_out(acme, webhook)
    assert finished(acme, delivery)["status"] == "delivered"
    path = f"/api/v1/webhooks/{webhook['id']}/deliveries/{delivery['id']}/redeliver"
    again = acme.http.post(path)
    assert (again.status_code, again.json()["status"]) == (202, "waiting")
    first, second = receiver.wait_for(2)
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    log = finished(acme, delivery, attempts=2)["log"]
    assert [attempt["number"] for attempt in log] == [2, 1]


def test_an_endpoint_that_is_gone_is_switched_off_at_once(
    acme: TestTenant,
    make_receiver: Callable[[], Receiver],
    worker: WorkerProcess,
    mail_server: MailServer,
) -> None:
    gone, watching = make_receiver(), make_receiver()
    gone.answer = lambda _: (410, {}, b"")
    subscribe(acme, watching.url, "webhooks.endpoint.disabled")
    webhook = subscribe(acme, gone.url)
    assert finished(acme, try_out(acme, webhook))["status"] == "failed"
    path = f"/api/v1/webhooks/{webhook['id']}"
    seen = acme.http.get(path).json()
    assert (seen["status"], seen["disabled_because"]) == ("disabled", "gone")
    assert watching.wait_for(1)[0].event["data"]["reason"] == "gone"
    (mail,) = mail_server.wait_for(acme.owner.email)
    assert mail["Subject"].endswith("was switched off")
    assert "gone for good (410)" in text_of(mail)
    for refused in (f"{path}/test", f"{path}/recover"):
        answer = acme.http.post(refused, json={"since": "2020-01-01T00:00:00Z"})
        assert answer.json()["type"].endswith("/webhook-disabled")
    gone.answer = lambda _: (200, {}, b"")
    enabled = acme.http.patch(path, json={"enabled": True}).json()
    assert (enabled["status"], enabled["disabled_because"]) == ("active", None)
    answer = acme.http.post(f"{path}/recover", json={"since": "2020-01-01T00:00:00Z"})
    assert (answer.status_code, answer.json()) == (202, {"deliveries": 1})
    gone.wait_for(2)


def test_redirects_are_failures_and_not_followed(
    acme: TestTenant, make_receiver: Callable[[], Receiver], worker: WorkerProcess
) -> None:
    one, other = make_receiver(), make_receiver()
    one.answer = lambda _: (307, {"Location": other.url}, b"")
    seen = finished(acme, try_out(acme, subscribe(acme, one.url)))
    assert (seen["status"], seen["response_status"]) == ("waiting", 307)
    assert other.requests == []


def test_a_slow_endpoint_holds_up_nobody(
    acme: TestTenant,
    make_receiver: Callable[[], Receiver],
    worker: WorkerProcess,
    sign_up: SignUp,
) -> None:
    slow, quick, neighbour = make_receiver(), make_receiver(), make_receiver()
    release = threading.Event()

    def dawdle(_: Received) -> tuple[int, dict[str, str], bytes]:
        release.wait(60)
        return 200, {}, b""

    slow.answer = dawdle
    others = sign_up()
    lazy, brisk, next_door = (
        subscribe(acme, slow.url), subscribe(acme, quick.url), subscribe(others, neighbour.url)
    )  # fmt: skip
    for _ in range(12):
        try_out(acme, lazy)
    slow.wait_for(1)
    assert finished(acme, try_out(acme, brisk))["status"] == "delivered"
    assert finished(others, try_out(others, next_door))["status"] == "delivered"
    assert not release.is_set()
    release.set()
    slow.wait_for(12)


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest", "http://localhost:1/",
     "ftp://example.com/", "http://me:secret@example.com/", "not a url", "https://example.com:22/"],
)  # fmt: skip
def test_what_must_not_be_called_is_refused(acme: TestTenant, url: str) -> None:
    made = acme.http.post("/api/v1/webhooks", json={"url": url, "events": ALL})
    assert made.status_code == 422, made.text
    problem = made.json()
    assert problem["type"].endswith("/webhook-url-refused")
    assert problem["errors"][0]["pointer"] == "/url"
    mine = subscribe(acme, "https://93.184.216.34/")
    changed = acme.http.patch(f"/api/v1/webhooks/{mine['id']}", json={"url": url})
    assert changed.status_code == 422


def test_events_that_nobody_emits_are_refused(acme: TestTenant) -> None:
    asked = {"url": "https://93.184.216.34/", "events": ["webhooks.*", "blgo.*"]}
    answer = acme.http.post("/api/v1/webhooks", json=asked)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/events/1", "detail": "nothing is called blgo.*"}
    ]
    kinds = acme.http.get("/api/v1/webhooks/event-types").json()
    assert "webhooks.endpoint.disabled" in {kind["type"] for kind in kinds}


@pytest.mark.parametrize(
    "events", [[], ["*"] * 51, ["**"], ["a b"], [""], ["webhooks.*.x"], ["Webhooks.*"], "*", None]
)
def test_patterns_have_one_form(acme: TestTenant, events: object) -> None:
    asked = {"url": "https://93.184.216.34/", "events": events}
    answer = acme.http.post("/api/v1/webhooks", json=asked)
    assert answer.status_code == 400, answer.text


def test_there_is_a_limit_to_webhooks(acme: TestTenant) -> None:
    for _ in range(50):
        subscribe(acme, "https://93.184.216.34/")
    form = {"url": "https://93.184.216.34/", "events": ALL}
    answer = acme.http.post("/api/v1/webhooks", json=form)
    assert (answer.status_code, answer.json()["type"]) == (409, "/docs/problems/too-many-webhooks")


def test_changes_are_versioned(acme: TestTenant) -> None:
    webhook = subscribe(acme, "https://93.184.216.34/", "webhooks.*", "webhooks.*")
    assert webhook["events"] == ["webhooks.*"]
    path = f"/api/v1/webhooks/{webhook['id']}"
    changed = acme.http.patch(path, json={"description": "Till"}, headers={"If-Match": '"1"'})
    assert (changed.json()["description"], changed.headers["etag"]) == ("Till", '"2"')
    stale = acme.http.patch(path, json={"description": "No"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert acme.http.delete(path).status_code == 204
    assert acme.http.get(path).status_code == acme.http.delete(path).status_code == 404


def test_webhooks_are_for_admins(acme: TestTenant) -> None:
    member, admin = acme.add_user("member"), acme.add_user("admin")
    assert member.http.get("/api/v1/webhooks").status_code == 403
    assert admin.http.get("/api/v1/webhooks").status_code == 200


def test_a_deleted_webhook_gets_nothing_more(
    acme: TestTenant, make_receiver: Callable[[], Receiver], worker: WorkerProcess
) -> None:
    one, other = make_receiver(), make_receiver()
    release = threading.Event()
    one.answer = lambda _: (200 if release.wait(60) else 500, {}, b"")
    webhook, watching = subscribe(acme, one.url), subscribe(acme, other.url)
    try_out(acme, webhook)
    one.wait_for(1)
    assert acme.http.delete(f"/api/v1/webhooks/{webhook['id']}").status_code == 204
    release.set()
    assert finished(acme, try_out(acme, watching))["status"] == "delivered"
    assert len(one.requests) == 1


def test_a_name_without_an_address_is_a_failure_like_others(
    acme: TestTenant, worker: WorkerProcess
) -> None:
    webhook = subscribe(acme, "http://nowhere.invalid/")  # it may get one yet
    seen = finished(acme, try_out(acme, webhook))
    assert seen["log"][0]["error"] == "the name nowhere.invalid has no address"
    assert (seen["status"], seen["response_status"]) == ("waiting", None)
