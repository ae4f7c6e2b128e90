"""HTTP answers without a network: whole ones in any pieces, and every kind of liar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import BODY, HEAD, Reading, Request, Response, request_octets

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Response(200, b"hello"), False),
    (b"HTTP/1.1 204 No Content\r\n\r\n", Response(204), True),
    (b"HTTP/1.0 404 Not Found\r\nX: y\r\n\r\ngone", Response(404, b"gone"), True),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length:0\r\n\r\n", Response(201), False),
    (CHUNKED + b"5;x=y\r\nhello\r\nA\r\n, station!\r\n0\r\n\r\n", Response(200, b"hello, station!"), False),
]  # fmt: skip


@given(st.sampled_from(ANSWERS), st.integers(1, 40))
def test_an_answer_is_read_in_any_pieces(answer: tuple[bytes, Response, bool], size: int) -> None:
    octets, wanted, closes = answer
    reading = Reading()
    found = (reading.receive(octets[at : at + size]) for at in range(0, len(octets), size))
    assert next((each for each in found if each is not None), None) == (None if closes else wanted)
    if closes:
        assert reading.end() == wanted


@pytest.mark.parametrize(
    ("octets", "trouble"),
    [
        (b"SSH-2.0-x\r\n\r\n", Trouble.MALFORMED),
        (b"HTTP/1.1 999 x\r\n\r\n", Trouble.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", Trouble.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", Trouble.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Trouble.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Trouble.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Trouble.MALFORMED),
        (CHUNKED + b"xyz\r\n", Trouble.MALFORMED),
        (CHUNKED + b"2\r\nabcd", Trouble.MALFORMED),
        (CHUNKED + b"0" * 200, Trouble.MALFORMED),
        (CHUNKED + b"ffffffff\r\n", Trouble.HUGE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", Trouble.HUGE),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY + 1), Trouble.HUGE),
        (b"a" * (HEAD + 1), Trouble.HUGE),
    ],
)
def test_what_is_no_answer_is_told(octets: bytes, trouble: Trouble) -> None:
    with pytest.raises(GridFault) as caught:
        Reading().receive(octets)
    assert caught.value.trouble is trouble


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_octets_are_an_answer_or_one_clear_error(pieces: list[bytes]) -> None:
    reading = Reading()
    try:
        for piece in (b"HTTP/1.1 200 OK\r\n", *pieces):
            reading.receive(piece)
        reading.end()
    except GridFault as fault:
        assert str(fault).isprintable()  # noqa: PT017 - what is told of octets that are none


def test_an_answer_that_ends_early_is_none() -> None:
    reading = Reading()
    assert reading.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel") is None
    with pytest.raises(GridFault, match="hangs up after 3 octets"):
        reading.end()


def test_a_request_is_lines_of_ascii_and_does_not_show_its_secrets() -> None:
    request = Request("POST", "https://vtn.example:8443/3.1/auth/token?a=b", b"client_secret=x", {"Authorization": "Bearer secret"})
    assert request_octets(request).startswith(b"POST /3.1/auth/token?a=b HTTP/1.1\r\nHost: vtn.example:8443\r\nConnection: close\r\n")
    assert request_octets(request).endswith(b"Content-Length: 15\r\n\r\nclient_secret=x")
    assert "secret" not in repr(request)
    with pytest.raises(ValueError, match="no line of ASCII"):
        request_octets(Request("GET", "http://vtn.example/", None, {"Authorization": "a\r\nb"}))
