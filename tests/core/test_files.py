"""Files: uploaded, read, renamed, thrown away."""

import base64
import hashlib
import os

import httpx
import pytest
from fixtures.files import chunked, content, form_file, send, upload, used
from fixtures.installation import SignUp, TestTenant


def test_what_was_uploaded_comes_back(acme: TestTenant) -> None:
    sent = os.urandom(3_000_000)
    file = upload(acme, sent, "a b.bin")
    assert (file["name"], file["size"]) == ("a b.bin", len(sent))
    assert file["sha256"] == hashlib.sha256(sent).hexdigest()
    answer = content(acme, file)
    assert answer.content == sent
    assert answer.headers["content-length"] == str(len(sent))
    digest = base64.b64encode(hashlib.sha256(sent).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert acme.http.get(f"/api/v1/files/{file['id']}").json() == file
    assert acme.http.get("/api/v1/files").json()["items"] == [file]


@pytest.mark.parametrize("sent", [b"", b"x"], ids=["empty", "one byte"])
def test_the_smallest_files_are_files(acme: TestTenant, sent: bytes) -> None:
    answer = content(acme, upload(acme, sent))
    assert (answer.status_code, answer.content) == (200, sent)


def test_a_body_need_not_say_how_long_it_is(acme: TestTenant) -> None:
    pieces = [os.urandom(70_000) for _ in range(30)]
    answer = acme.http.post("/api/v1/files?name=s", content=chunked(*pieces))
    assert content(acme, answer.json()).content == b"".join(pieces)
    assert used(acme) == 2_100_000


NAMES = {
    "../../etc/passwd": "passwd",
    "C:\\Users\\me\\plan.txt": "plan.txt",
    "a\r\nSet-Cookie: x.txt": "aSet-Cookie_ x.txt",
    "photo\u202egpj.exe": "photogpj.exe",
    "re\u0301sume\u0301.pdf": "r\u00e9sum\u00e9.pdf",
    "..": "file",
    "con.txt": "_con.txt",
    "x" * 300 + ".jpeg": "x" * 250 + ".jpeg",
}


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_are_made_harmless(acme: TestTenant, name: str) -> None:
    file = upload(acme, b"x", name)
    assert file["name"] == NAMES[name]
    disposition = content(acme, file).headers["content-disposition"]
    assert disposition.isascii()
    assert disposition.isprintable()


def test_a_name_comes_in_content_disposition_as_well(acme: TestTenant) -> None:
    header = "attachment; filename=\"plain.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt"
    answer = send(acme, b"x", None, Content_Disposition=header)
    assert answer.json()["name"] == "€ rates.txt"
    said = content(acme, answer.json()).headers["content-disposition"]
    assert said == "inline; filename=\"rates.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt"


def test_a_damaged_body_is_not_kept(acme: TestTenant) -> None:
    right = base64.b64encode(hashlib.sha256(b"whole").digest()).decode()
    assert send(acme, b"whole", Repr_Digest=f"sha-256=:{right}:").status_code == 201
    for header in ("Repr_Digest", "Content_Digest"):
        answer = send(acme, b"hole", **{header: f"sha-256=:{right}:"})
        assert (answer.status_code, answer.json()["type"]) == (
            422,
            "/docs/problems/digest-mismatch",
        )
    assert send(acme, b"whole", Repr_Digest="sha-256=nonsense").status_code == 400
    assert used(acme) == len(b"whole")


def test_known_malware_is_refused(acme: TestTenant) -> None:
    virus = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    answer = send(acme, virus, "innocent.txt")
    assert answer.json()["type"] == "/docs/problems/file-refused"
    assert acme.http.get("/api/v1/files").json()["items"] == []


def test_each_file_of_a_form_is_kept_or_refused_by_itself(acme: TestTenant) -> None:
    virus = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    sent = [
        form_file("one.txt", b"1" * 200_000),
        form_file("virus.txt", virus + b"!" * 100_000),
        ("comment", (None, b"no file")),
        form_file("two.txt", b"\r\n--2"),
    ]
    answer = acme.http.post("/api/v1/files/batch", files=sent)
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [(each["name"], each["status"]) for each in results] == [
        ("one.txt", 201),
        ("virus.txt", 422),
        ("two.txt", 201),
    ]
    assert results[1]["problem"]["type"] == "/docs/problems/file-refused"
    assert content(acme, results[0]["file"]).content == b"1" * 200_000
    assert content(acme, results[2]["file"]).content == b"\r\n--2"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; na", 400),
        ("multipart/form-data; boundary=x", b"nothing of the kind", 400),
        ("multipart/form-data", b"--x--", 400),
        ("application/json", b"{}", 415),
    ],
)
def test_a_broken_form_is_refused(acme: TestTenant, kind: str, body: bytes, status: int) -> None:
    answer = acme.http.post("/api/v1/files/batch", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text


def test_a_file_is_renamed_and_noted_upon(acme: TestTenant) -> None:
    address = f"/api/v1/files/{upload(acme, b'x')['id']}"
    change = {"name": "../b.txt", "metadata": {"project": "roof"}}
    changed = acme.http.patch(address, json=change, headers={"If-Match": '"1"'})
    assert changed.json()["name"] == "b.txt"
    assert changed.json()["metadata"] == {"project": "roof"}
    late = acme.http.patch(address, json={"name": "c"}, headers={"If-Match": '"1"'})
    assert late.status_code == 412
    assert acme.http.patch(address, json={"size": 1}).status_code == 400


def test_the_list_is_sorted_and_filtered(acme: TestTenant) -> None:
    for name, size in (("b", 3), ("a", 1), ("c", 2)):
        upload(acme, b"x" * size, name)

    def names(query: str) -> str:
        items = acme.http.get(f"/api/v1/files?{query}").json()["items"]
        return "".join(item["name"] for item in items)

    assert (names("sort=name"), names("sort=-size"), names("size[gte]=2&sort=size")) == (
        "abc",
        "bca",
        "cb",
    )


def test_the_trash_gives_back_what_is_in_it(acme: TestTenant) -> None:
    file = upload(acme, b"kept")
    address = f"/api/v1/files/{file['id']}"
    assert acme.http.delete(address).status_code == 204
    for gone in (address, f"{address}/content", f"{address}/preview"):
        assert acme.http.get(gone).status_code == 404
    assert acme.http.get("/api/v1/files/trash").json()["items"][0]["id"] == file["id"]
    assert used(acme) == 4
    restored = acme.http.post(f"/api/v1/files/trash/{file['id']}/restore")
    assert restored.json()["id"] == file["id"]
    assert content(acme, file).content == b"kept"


def test_a_customer_sees_no_files(acme: TestTenant) -> None:
    file = upload(acme, b"x")
    customer = acme.add_user("customer").http
    for path in ("/api/v1/files", f"/api/v1/files/{file['id']}/content", "/api/v1/files/tus"):
        assert customer.get(path).status_code == 403
    assert customer.post("/api/v1/files", content=b"x").status_code == 403


def test_another_tenant_reaches_nothing(sign_up: SignUp) -> None:
    ours, theirs = sign_up(), sign_up()
    file = upload(ours, b"ours")
    address = f"/api/v1/files/{file['id']}"
    answers: list[httpx.Response] = [
        theirs.http.get(address),
        theirs.http.get(f"{address}/content"),
        theirs.http.delete(address),
        theirs.http.post(f"{address}/links", json={}),
    ]
    assert {answer.status_code for answer in answers} == {404}
