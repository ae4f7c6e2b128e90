"""One DIN message of a real car in every form in which people hold octets."""

import base64
import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from shutil import which

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.exi.errors import ExiError
from v2g.session.v2gtp import frame
from v2gkit.insight.exi_reading import Question, answer, documents
from v2gkit.insight.octet_forms import Piece, frames, pieces

MESSAGE = bytes.fromhex("809a02004080c1014181c210b8")  # ContractAuthenticationReq
LONG = bytes.fromhex("809a02004080c1014181c210080004820400000c99002062050193080c0c802064c8010190140c80a200000000000000000000000000")
FRAME = frame(0x8001, MESSAGE)
PAIRS = [f"{octet:02x}" for octet in MESSAGE]
ETHERNET = bytes.fromhex("001122334455a0b1c2d3e4f586dd60000000") + bytes(56) + FRAME


def xxd(octets: bytes, width: int = 16) -> str:
    """As xxd prints: groups of two octets, two blanks, the same as text."""
    rows = []
    for at in range(0, len(octets), width):
        row = octets[at : at + width]
        groups = " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
        rows.append(f"{at:08x}: {groups:<{width * 5 // 2}} {text(row)}")
    return "\n".join(rows)


def canonical(octets: bytes) -> str:
    """As hexdump -C prints: a wider gap in the middle, text between bars, the length at the end."""
    rows = []
    for at in range(0, len(octets), 16):
        row = octets[at : at + 16]
        halves = f"{row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}"
        rows.append(f"{at:08x}  {halves}  |{text(row)}|")
    return "\n".join([*rows, f"{len(octets):08x}"])


def od(octets: bytes) -> str:
    """As od -t x1 prints: octal offsets."""
    rows = [f"{at:07o} {octets[at : at + 16].hex(' ')}" for at in range(0, len(octets), 16)]
    return "\n".join([*rows, f"{len(octets):07o}"])


def shark(octets: bytes) -> str:
    """As Wireshark copies `as hex dump`."""
    rows = (octets[at : at + 16] for at in range(0, len(octets), 16))
    return "\n".join(f"{at * 16:04x}   {row.hex(' '):<47}   {text(row)}" for at, row in enumerate(rows))


def text(row: bytes) -> str:
    return "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)


FORMS: dict[str, Callable[[bytes], str | bytes]] = {
    "octets": bytes,
    "bare hex": lambda o: o.hex(),
    "upper case": lambda o: o.hex().upper(),
    "spaced": lambda o: o.hex(" ").upper(),
    "quoted": lambda o: f'"{o.hex(" ")}"',
    "0x before all": lambda o: "0x" + o.hex(),
    "0x before each": lambda o: " ".join(f"0x{octet:02X}" for octet in o),
    "0x and commas": lambda o: ", ".join(f"0x{octet:02x}" for octet in o),
    "h behind each": lambda o: " ".join(f"{octet:02X}h" for octet in o),
    "colons": lambda o: o.hex(":"),
    "dashes": lambda o: o.hex("-"),
    "groups of two octets": lambda o: o.hex(" ", -2),
    "wrapped": lambda o: o.hex()[:20] + "\n" + o.hex()[20:],
    "byte order mark": lambda o: o.hex().encode("utf-8-sig"),
    "UTF-16 of a shell": lambda o: (o.hex(" ") + "\r\n").encode("utf-16"),
    "xxd": xxd,
    "xxd of another width": lambda o: xxd(o, 6),
    "xxd -p": lambda o: "\n".join(o.hex()[at : at + 60] for at in range(0, 2 * len(o), 60)),
    "xxd -i": lambda o: f"unsigned char m_bin[] = {{\n  {', '.join(f'0x{x:02x}' for x in o)}\n}};\nunsigned int m_bin_len = {len(o)};",
    "hexdump -C": canonical,
    "od -t x1": od,
    "tcpdump -X": lambda o: "\n".join(f"\t0x{line[4:8]}:  {line[10:]}" for line in xxd(o).splitlines()),
    "Wireshark hex dump": shark,
    "Wireshark escaped string": lambda o: (
        '"' + "".join(f"\\x{x:02x}" for x in o[:8]) + '" \\\n"' + "".join(f"\\x{x:02x}" for x in o[8:]) + '"'
    ),
    "Wireshark C array": lambda o: f"char peer0_0[] = {{ /* Packet 3 */\n{', '.join(f'0x{x:02x}' for x in o)} }};",
    "C array": lambda o: f"uint8_t exi[{len(o)}] = {{ {', '.join(f'0x{x:02X}U' for x in o)} }}; // ContractAuthenticationReq",
    "Java array": lambda o: f"new byte[] {{ {', '.join(f'(byte) 0x{x:02X}' for x in o)} }}",
    "Java array, signed": lambda o: "{" + ", ".join(str(x - 256 if x > 127 else x) for x in o) + "}",
    "Rust array": lambda o: f"let exi = [0x{o[0]:02x}u8, {', '.join(f'0x{x:02x}' for x in o[1:])}];",
    "Rust array, each with its type": lambda o: f"&[{', '.join(f'0x{x:02x}_u8' for x in o)}]",
    "list of numbers": lambda o: str(list(o)),
    "list of hex": lambda o: "[" + ", ".join(f"{x:02x}" for x in o) + "]",
    "Python bytes": lambda o: repr(o),
    "printf": lambda o: "printf '" + "".join(f"\\x{x:02x}" for x in o) + "' | nc ::1 15118",
    "JSON string": lambda o: json.dumps(o.decode("latin-1")),
    "base64": lambda o: base64.b64encode(o).decode(),
    "base64 of URLs, without end": lambda o: base64.urlsafe_b64encode(o).decode().rstrip("="),
    "base64 in lines": lambda o: base64.encodebytes(o).decode(),
    "log line with blanks": lambda o: f"[SNIFFER] EXI from 15118 to 49155 ({len(o)}bytes) = {o.hex(' ').upper()}",
    "log line": lambda o: f"2026-11-28 12:00:01,808 DEBUG session 80ab12 EXI: {o.hex()} (DIN)",
    "log line with base64": lambda o: f"12:00:01 INFO exi={base64.b64encode(o).decode()} ns=urn:din:70121:2012:MsgDef",
    "a trace": lambda o: json.dumps({"type": "frame", "exi": o.hex()}),
}


@pytest.mark.parametrize("octets", [MESSAGE, FRAME, LONG, FRAME + frame(0x8001, LONG)], ids=["message", "frame", "long", "frames"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(form: str, octets: bytes) -> None:
    given = FORMS[form](octets)
    assert b"".join(piece.octets for piece in pieces(given.encode() if isinstance(given, str) else given)) == octets


@pytest.mark.parametrize(
    "form", ["bare hex", "log line", "log line with blanks", "a trace", "C array", "hexdump -C", "od -t x1", "Wireshark hex dump"]
)
def test_several_of_a_kind_are_several(form: str) -> None:
    given = "\n".join(str(FORMS[form](octets)) for octets in (MESSAGE, LONG, MESSAGE))
    noise = "12:00:00 nothing of interest\n" if form.startswith("log") else ""
    assert [piece.octets for piece in pieces((noise + given).encode())] == [MESSAGE, LONG, MESSAGE]


@pytest.mark.parametrize("command", ["xxd", "xxd -p", "xxd -i", "hexdump -C", "od -t x1", "od -A x -t x1z", "base64"])
def test_what_tools_of_this_machine_print(command: str) -> None:
    if which(command.split()[0]) is None:
        pytest.skip(f"{command.split()[0]} is not installed")
    printed = subprocess.run(command.split(), input=LONG, capture_output=True, check=True).stdout
    assert [piece.octets for piece in pieces(printed)] == [LONG]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"", "nothing is given"),
        (b" \n", "nothing is given"),
        (b"809a02004080c1014181c210b", "25 hex digits, an odd number"),
        (b"9000021000", "hex of 5 octets that begin with 0x9000; an EXI message begins with 0x80, a V2GTP frame with 0x01FE"),
        (b"hello", "'hello' holds no octets of a message"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0", "this is a pcapng capture"),
        (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "this is a pcap capture"),
        (b"\x1f\x8b\x08\0", "compressed with gzip"),
        (b"\x90\xff\x00", "3 octets that begin with 0x90FF and are no text"),
        (b"0000000 9a80 0002 8040\n0000006", "words of two octets, whose order differs between machines .*hexdump -C"),
        (canonical(MESSAGE).replace("\n", "\n*\n").encode(), "leaves lines out, .* print it with -v"),
        (b'"\\u0fff\\x80"', None),
        ('"\\x80\u20ac"'.encode(), "an escaped string with '\u20ac', which is no octet"),
        (b"{0x12, 0x34}", "hex of 2 octets that begin with 0x1234"),
        (b"<a/>", "'<a/>' holds no octets of a message"),
    ],
)
def test_what_is_refused_says_what_it_is(given: bytes, says: str | None) -> None:
    with pytest.raises(ExiError, match=says):
        pieces(given)


def test_a_frame_is_found_in_a_packet_of_another_layer() -> None:
    for packet in (ETHERNET, ETHERNET.hex().encode(), base64.b64encode(ETHERNET), shark(ETHERNET).encode()):
        (piece,) = pieces(packet)
        assert piece.octets == FRAME
        assert "from octet 74 on" in piece.form


@pytest.mark.parametrize(
    ("octets", "payloads", "remark"),
    [
        (MESSAGE, [(MESSAGE, None)], ""),
        (FRAME, [(MESSAGE, 0x8001)], ""),
        (FRAME + FRAME, [(MESSAGE, 0x8001)] * 2, ""),
        (FRAME + b"\xde\xad\xbe\xef", [(MESSAGE, 0x8001)], "announces 13 octets, 4 more follow: 0xdeadbeef"),
        (FRAME + FRAME[:8], [(MESSAGE, 0x8001)], "announces 13 octets, 8 more follow"),
        (FRAME[:-1], [(MESSAGE[:-1], 0x8001)], "announces 13 octets, 12 are there"),
    ],
)
def test_what_frames_carry(octets: bytes, payloads: list[tuple[bytes, int | None]], remark: str) -> None:
    found = frames(octets)
    assert [(document.octets, document.payload_type) for document in found] == payloads
    assert all(remark in document.remark for document in found)
    assert bool(found[-1].remark) == bool(remark)


@pytest.mark.parametrize("octets", [FRAME[:2], FRAME[:7], FRAME[:8]])
def test_a_header_alone_carries_nothing(octets: bytes) -> None:
    with pytest.raises(ExiError, match=f"{len(octets)} octets of a V2GTP frame, and the header alone has 8"):
        frames(octets)


@pytest.mark.parametrize(
    ("octets", "findings"),
    [
        (FRAME, []),
        (FRAME + b"\xde\xad\xbe\xef", ["the V2GTP header announces 13 octets, 4 more follow: 0xdeadbeef"]),
        (FRAME[:7] + b"\x0c" + MESSAGE, ["the V2GTP header announces 12 octets, 1 more follow: 0xb8"]),
        (FRAME[:7] + b"\x20" + MESSAGE, ["the V2GTP header announces 32 octets, 13 are there"]),
        (FRAME[:7] + b"\x0f" + MESSAGE + b"\0\0", ["V2G_Message: 2 octets 0x00 follow the end (at bit 104)"]),
    ],
)
def test_a_length_that_is_not_the_length_costs_a_finding(octets: bytes, findings: list[str]) -> None:
    (document,) = documents(octets)
    told = answer(document, Question())
    assert told.reading.name.local == "V2G_Message"
    assert list(told.findings) == findings


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (bytes.fromhex("01fe9000000000021000"), "payload type 0x9000 is an SDP request, which is no EXI"),
        (FRAME[:7] + b"\x20" + MESSAGE[:-2], "octets are wanted.*; the V2GTP header announces 32 octets, 11 are there"),
        (FRAME[:7] + b"\x04" + MESSAGE[:-2], "octets are wanted.*; the V2GTP header announces 4 octets, 7 more follow"),
    ],
)
def test_a_frame_without_a_message_says_why(octets: bytes, says: str) -> None:
    (document,) = documents(octets)
    for name in (None, "din"):
        with pytest.raises(ExiError, match=says):
            answer(document, Question(set=name))


NEAR = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")),
    st.text(alphabet="0189afFEx\\{}[]\"',:*/- \n()=#", max_size=200).map(str.encode),
    st.builds(
        lambda form, octets, cut: (lambda g: (g.encode() if isinstance(g, str) else g)[:cut])(FORMS[form](octets)),
        st.sampled_from(sorted(FORMS)),
        st.binary(min_size=1, max_size=40).map(lambda b: b"\x80" + b),
        st.integers(0, 400),
    ),
)


def read_or_refused(octets: bytes) -> tuple[Piece, ...]:
    """The pieces, none where they are refused with one clear reason."""
    try:
        return pieces(octets)
    except ExiError as refusal:
        told = str(refusal)
    assert 0 < len(told) < 500
    return ()


@settings(deadline=None, max_examples=2000)
@given(NEAR)
def test_any_octets_give_pieces_or_one_clear_reason(given: bytes) -> None:
    for piece in read_or_refused(given):
        assert piece.octets[:1] == b"\x80" or piece.octets[:2] == b"\x01\xfe" or piece.form == "a trace"
        with contextlib.suppress(ExiError):
            assert all(document.octets in piece.octets for document in frames(piece.octets))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(FORMS)), st.binary(min_size=20, max_size=80))
def test_any_message_survives_every_form(form: str, tail: bytes) -> None:
    octets = b"\x80" + tail
    given = FORMS[form](octets)
    assert b"".join(piece.octets for piece in pieces(given.encode() if isinstance(given, str) else given)) == octets


UNITS = ('\\"', '"', "'", "{", "[", "(", "/*", "//", "(a", "{1,", "80 ", "80:", "8080 80 ", "0x", "\\x8", "gA", "gAAAAAAA-", "0000: 80\n")
UNITS += ("0000 80 ", "01", "{\n", '{"exi":', "80\n", "80 8 ")


@pytest.mark.parametrize("unit", UNITS)
def test_long_texts_are_looked_at_a_fixed_number_of_times(unit: str) -> None:
    """In processor seconds: what grows with the length takes one at most, what grows with its square a minute."""
    before = time.process_time()
    for tail in ("", "?"):
        read_or_refused((unit * (250_000 // len(unit)) + tail).encode())
    assert time.process_time() - before < 20
