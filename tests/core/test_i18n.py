"""Languages: negotiated, chosen by user and tenant, and complete."""

from pathlib import Path

import httpx
import pytest
from fixtures.command import CommandLine
from fixtures.installation import Installation, SignUp, TestTenant
from insula.i18n import LANGUAGES, say_count
from insula.i18n.catalogues import language
from insula.i18n.formatting import format_money
from insula.i18n.negotiation import negotiate
from insula.mail.templates import render

NOWHERE = "/api/v1/users/00000000-0000-7000-8000-000000000000"
NOT_FOUND = {"en": "Not found", "de": "Nicht gefunden", "ar": "غير موجود"}


def told(answer: httpx.Response) -> str:
    """The language of a refusal, which its title and its header agree on."""
    language = answer.headers["content-language"]
    assert answer.json()["title"] == NOT_FOUND[language]
    assert "accept-language" in answer.headers["vary"].lower()
    return language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("fr, de;q=0.5, en;q=0.8", "en"),
        ("fr-CA, ar-EG-x-new;q=0.3", "ar"),
        ("de;q=0, en", "en"),
        ("de;q=0", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("zh-Hant-TW, *;q=0.1", "en"),
        ("", "en"),
        (", ,;q=,de;q=9, ar;q=0.5;q=1, " + "x" * 5000, "en"),
    ],
)
def test_a_refusal_speaks_what_the_client_asks_for(
    acme: TestTenant, header: str, language: str
) -> None:
    assert told(acme.http.get(NOWHERE, headers={"Accept-Language": header})) == language


def test_what_a_person_has_chosen_goes_before_what_the_device_asks_for(acme: TestTenant) -> None:
    member = acme.add_user("admin")
    answer = member.http.patch("/api/v1/me", json={"locale": "de-CH", "time_zone": "Asia/Tokyo"})
    assert answer.status_code == 200, answer.text
    again = acme.sign_in(member.email)
    assert told(again.http.get(NOWHERE, headers={"Accept-Language": "ar"})) == "de"
    me = again.http.get("/api/v1/me").json()
    assert (me["locale"], me["time_zone"]) == ("de", "Asia/Tokyo")
    again.http.patch("/api/v1/me", json={"locale": None})
    free = acme.sign_in(member.email)
    assert told(free.http.get(NOWHERE, headers={"Accept-Language": "ar"})) == "ar"


def test_a_tenants_language_is_for_those_who_ask_for_none(sign_up: SignUp) -> None:
    acme, other = sign_up(), sign_up()
    assert acme.http.patch("/api/v1/settings", json={"locale": "ar"}).json()["locale"] == "ar"
    silent = {"Accept-Language": ""}
    assert told(acme.http.get(NOWHERE, headers=silent)) == "ar"
    assert told(acme.http.get(NOWHERE, headers={"Accept-Language": "fr"})) == "ar"
    assert told(acme.http.get(NOWHERE, headers={"Accept-Language": "de"})) == "de"
    assert told(other.http.get(NOWHERE, headers=silent)) == "en"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"locale": "xx"}, "/locale"), ({"time_zone": "Mars/Olympus"}, "/time_zone")],
)
def test_languages_and_zones_that_there_are_not_are_refused(
    acme: TestTenant, change: dict[str, str], pointer: str
) -> None:
    for path in ("/api/v1/me", "/api/v1/settings"):
        answer = acme.http.patch(path, json=change)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_money_has_the_currencys_own_decimals() -> None:
    said = {currency: format_money(123456, currency, "en") for currency in ("EUR", "JPY", "KWD")}
    assert said == {"EUR": "€1,234.56", "JPY": "¥123,456", "KWD": "KWD\xa0123.456"}


def test_equal_wishes_are_taken_in_their_order() -> None:
    assert negotiate("ar, de") == "ar"
    assert negotiate("de, ar") == "de"


def test_nothing_is_missing_in_any_language(installation: Installation) -> None:
    """Every sentence of the code, with its placeholders; and none that nobody says."""
    found = CommandLine(installation).json("i18n", "report")
    assert found["gaps"] == []
    assert found["unused"] == []
    assert found["messages"] > 200


def test_what_is_wrong_with_the_input_is_said_in_the_readers_language(acme: TestTenant) -> None:
    form = {"email": "a@example.com", "name": "", "password": "correct horse", "role": "member"}
    answer = acme.http.post("/api/v1/users", json=form, headers={"Accept-Language": "de"})
    assert answer.json()["title"] == "Ein Teil der Eingabe ist ungültig"
    assert answer.json()["errors"] == [
        {"pointer": "/name", "detail": "`str` der Länge >= 1 erwartet"}
    ]
    unknown = acme.http.post(
        "/api/v1/users", json=form | {"name": "A", "emial": 1}, headers={"Accept-Language": "ar"}
    )
    assert unknown.json()["errors"][0]["detail"] == "لا يوجد هنا حقل باسم `emial`"


def test_plurals_have_the_forms_of_the_language() -> None:
    assert say_count("{n} vote", "{n} votes", n=1) == "1 vote"
    assert say_count("{n} vote", "{n} votes", n=2) == "2 votes"
    forms = language("ar").form_of
    assert [forms(n) for n in (0, 1, 2, 3, 11, 100)] == [0, 1, 2, 3, 4, 5]


def test_every_mail_is_there_in_every_language() -> None:
    """A template without a translation would be sent in English."""
    root = Path(__file__).parents[2]
    templates = [
        file
        for source in ("platform/src", "tenants/src")
        for file in (root / source).rglob("templates/mail/*.en.md")
    ]
    missing = [
        other
        for file in templates
        for name in LANGUAGES
        if not (other := file.with_name(file.name.replace(".en.", f".{name}."))).exists()
    ]
    assert templates
    assert missing == []


@pytest.mark.parametrize(
    ("locale", "says", "direction"),
    [("de-AT", "du wolltest an", "ltr"), ("ar", "طلبتَ تذكيرك", "rtl"), ("fr", "you wanted", "ltr")],
)
def test_a_mail_speaks_its_readers_language(locale: str, says: str, direction: str) -> None:
    context = {"name": "Mira", "title": "Water the tomatoes", "project": "Roof", "due": "Monday"}
    mail = render("tasks.reminder", locale, context)
    assert says in mail.text
    assert f'dir="{direction}"' in mail.html
    assert "Water the tomatoes" in mail.text
