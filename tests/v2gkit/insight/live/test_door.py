"""Who may see the live viewer."""

import pytest

from v2gkit.insight.live.door import LOCAL, POLICY, Door

HERE = Door("", LOCAL, 8000)
ANYWHERE = Door("secret", frozenset(), 8000)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:9999", "[::1]:8000", "localhost"])
def test_whoever_asks_for_this_machine_is_let_in(host: str) -> None:
    assert HERE.refusal({"host": host}, "") is None
    assert HERE.refusal({"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}, "") is None
    assert HERE.refusal({"host": host, "sec-fetch-site": "none"}, "") is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": ""},
        {"host": "evil.example:8000"},
        {"host": "127.0.0.1.evil.example:8000"},
        {"host": "localhost.evil.example"},
        {"host": "127.0.0.1:8000, 127.0.0.1:8000"},
        {"host": "127.0.0.1:8000", "origin": "http://evil.example"},
        {"host": "127.0.0.1:8000", "origin": "null"},
        {"host": "127.0.0.1:8000", "origin": "https://127.0.0.1:8000"},
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:9000"},
        {"host": "127.0.0.1:8000", "sec-fetch-site": "cross-site"},
        {"host": "127.0.0.1:8000", "sec-fetch-site": "same-site"},
        {"host": "127.0.0.1:8000", "sec-fetch-site": "same-origin, cross-site"},
    ],
)
def test_what_a_foreign_page_started_is_refused(headers: dict[str, str]) -> None:
    assert HERE.refusal(headers, "")


@pytest.mark.parametrize("token", ["", "Secret", "secret ", "secre", "sécret", "\udcff", "secretsecret"])
def test_on_a_network_a_token_is_demanded(token: str) -> None:
    assert ANYWHERE.refusal({"host": "station.example:8000"}, token)
    assert ANYWHERE.refusal({"host": "station.example:8000"}, "secret") is None
    assert ANYWHERE.refusal({"host": "station.example:8000", "origin": "http://evil.example"}, "secret")


def test_the_policy_lets_nothing_foreign_run() -> None:
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
