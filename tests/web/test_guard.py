"""The gate: every route closed, names of other hosts turned away, other sites' requests refused."""

from __future__ import annotations

import logging

import pytest

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.web.app import routes
from gyroscope.web.guard import OPEN
from gyroscope.web.login import TRIES, Tries

PLACES = {"incident": "flights-0", "model": "flights", "name": "drift"}


@pytest.mark.parametrize("route", [route for route in routes() if route.path not in OPEN], ids=lambda route: route.path)
def test_a_stranger_gets_nothing(site, route):
    path = route.path.format(**PLACES)
    method = "POST" if "POST" in route.methods else "GET"
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic Zm9vOmJhcg=="},
        {"Cookie": f"{site.cookie}=wrong"},
        {"Cookie": f"{site.cookie}={site.first.api_key}"},
        {"Authorization": "Bearer wrong", **site.sign_in()},
    ):
        answer = site.ask(path, method, b"{}" if method == "POST" else None, headers)
        assert answer.status == 401, (path, headers)
        assert "flights" not in answer.text


def test_unknown_paths_are_closed_too(site):
    assert site.ask("/nowhere").status == 401
    assert site.ask_as_program("/nowhere").status == 404
    assert site.ask_as_program("/static/../keys/api_key").status == 404
    assert site.ask_as_program("/static/..%2f..%2fkeys%2fapi_key").status == 404


def test_health_says_nothing_and_asks_for_nothing(site):
    answer = site.ask("/healthz", headers={"Host": "anything.example"})
    assert (answer.status, answer.body) == (200, b"ok\n")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST", 200),
        ("[::1]:{port}", 200),
        ("127.0.0.1:9", 200),  # a forwarded port
        ("rebind.example:{port}", 421),
        ("127.0.0.1.example", 421),
        ("localhost.", 421),
        ("localhost@evil.example", 421),
        ("evil.example/localhost", 421),
        ("localhost:port", 421),
        ("0.0.0.0:{port}", 421),
        ("", 421),
    ],
)
def test_only_our_own_names_are_answered(site, host, status):
    """A page whose name was pointed at this machine (DNS rebinding) sends its own name."""
    headers = {"Authorization": f"Bearer {site.first.api_key}", "Host": host.format(port=site.port)}
    assert site.ask("/v1/status", headers=headers).status == status
    if status != 200:
        assert site.ask(f"/login?code={site.first.login_code}", headers={"Host": host}).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://{host}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://{host}"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),  # another program of this machine; cookies know no ports
        ({"Origin": "http://{host}.evil.example"}, 403),
        ({"Origin": "http://{host}", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_other_sites_cannot_write_with_a_persons_cookie(site, headers, status):
    sent = {name: value.format(host=site.host) for name, value in headers.items()}
    body = b'{"model": "flights", "labels": []}'
    answer = site.ask("/v1/labels", "POST", body, {**site.sign_in(), "Content-Type": "application/json", **sent})
    assert answer.status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
    ],
)
def test_other_sites_cannot_embed_what_a_person_may_see(site, headers, status):
    assert site.ask("/v1/status", headers={**site.sign_in(), **headers}).status == status


def test_a_key_needs_no_origin(site):
    body = b'{"model": "flights", "labels": []}'
    assert site.ask_as_program("/v1/labels", "POST", body, Content_Type="application/json").status == 200


@pytest.mark.parametrize("path", ["/healthz", "/login", "/", "/v1/status", "/nowhere", "/static/page.js"])
def test_every_answer_is_hardened(site, path):
    for answer in (site.ask(path), site.ask_as_program(path), site.ask(path, headers={"Host": "evil.example"})):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] in ("no-store", "private, no-cache")


def test_the_cookie_is_out_of_reach(site):
    answer = site.ask(f"/login?code={site.parts.keys.new_login_code()}")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and "Path=/" in cookie


def test_a_login_link_works_once(site):
    code = site.parts.keys.new_login_code()
    assert site.ask(f"/login?code={code}").status == 200
    assert site.ask(f"/login?code={code}").status == 401


def test_a_picture_on_another_page_does_not_use_up_a_link(site):
    code = site.parts.keys.new_login_code()
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert site.ask(f"/login?code={code}", headers=embedded).status == 403
    assert site.ask(f"/login?code={code}").status == 200


def test_failed_tries_run_out_and_come_back():
    tries, now = Tries(), MachineTime(10**12)
    for _ in range(int(TRIES)):
        assert not tries.is_empty(now)
        tries.failed()
    assert tries.is_empty(now)
    assert not tries.is_empty(MachineTime(now + 6 * SECOND_NS))


def test_secrets_reach_no_log(site, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    code = site.parts.keys.new_login_code()
    cookie = site.ask(f"/login?code={code}").headers["set-cookie"]
    site.ask_as_program("/v1/status")
    token = cookie.partition("=")[2].partition(";")[0]
    written = caplog.text + "".join(capfd.readouterr())
    assert not any(secret in written for secret in (code, token, site.first.api_key))


def test_a_guesser_is_slowed_down(site):
    statuses = [site.ask(f"/login?code=guess{number}").status for number in range(14)]
    assert statuses[0] == 401 and statuses[-1] == 429
