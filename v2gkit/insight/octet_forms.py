"""Reads octets in the forms in which people have them: hex of every spelling, dumps, base64, arrays, strings, log lines, files.

    pieces(b"0000: 80 9a 02 ...")          -> (Piece(octets, form), ...), one for each message or frame that stands there
    frames(octets)                         -> (Document(octets, payload type, remark), ...): what the V2GTP frames among them carry

Any octets in, pieces or one ExiError out that says what is there and what is wanted; every step looks at each character a fixed number of
times. What they mean in EXI is not asked here, only where a message may begin: 0x80, or 0x01FE before a V2GTP frame.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from v2g.exi.errors import ExiError
from v2g.session.v2gtp import HEADER_LENGTH, frame

HEX = frozenset("0123456789abcdefABCDEF")
WANTED = "an EXI message begins with 0x80, a V2GTP frame with 0x01FE"
FORMS = "hex, a hex dump, base64, an array or string of a program, a log or trace with hex in its lines, or the octets themselves"
CAPTURES = {  # first octets of what is another thing altogether
    b"\x0a\x0d\x0d\x0a": "a pcapng capture",
    b"\xd4\xc3\xb2\xa1": "a pcap capture",
    b"\xa1\xb2\xc3\xd4": "a pcap capture",
    b"\x4d\x3c\xb2\xa1": "a pcap capture",
    b"\xa1\xb2\x3c\x4d": "a pcap capture",
    b"\x1f\x8b": "compressed with gzip",
    b"PK\x03\x04": "a zip archive",
}
WRAPS = frozenset((32, 48, 60, 64, 72, 76, 80, 96, 120, 128, 160))  # digits after which tools begin another line
WHOLE = 3  # octets of the shortest run in a log line that may be a message; a port or a year is shorter
_OFFSET = re.compile(r"\s*(?:0x)?([0-9a-fA-F]{4,16})(:?)(?:\s+|\Z)")
_SUFFIX = re.compile(r"(?:[uUlL]+|_?u8)\Z")  # of a number in C, Java and Rust
_GROUP = re.compile(r"(\s*)([0-9a-fA-F]+)(?=\s|\||\Z)")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u00([0-9a-fA-F]{2})|([0-7]{1,3})|(.))|([^\\])", re.DOTALL)
_SIMPLE = {"n": 10, "r": 13, "t": 9, "a": 7, "b": 8, "f": 12, "v": 11}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_BASE64_WORD = re.compile(r"(?<![A-Za-z0-9+/_-])(?:g[A-P]|Af[4-7])[A-Za-z0-9+/_-]{6,}={0,2}")  # what 0x80 and 0x01FE begin with there


class Piece(NamedTuple):
    """Octets of one message or of frames, and the form in which they were found; of a log the line that they stood in."""

    octets: bytes
    form: str
    line: str = ""


def begins(octets: bytes) -> bool:
    """Whether a message or a V2GTP frame may begin with these octets."""
    return octets[:1] == b"\x80" or octets[:2] == b"\x01\xfe"


def pieces(given: bytes) -> tuple[Piece, ...]:
    """The octets of each message or frame in what was given, by the first form that fits. Raises ExiError if none does."""
    if not given.strip():
        raise ExiError(f"nothing is given; give {FORMS}")
    for magic, what in CAPTURES.items():
        if given.startswith(magic):
            raise ExiError(f"this is {what}, {FORMS} are wanted here: `v2g decode` reads captures")
    text = _text(given)
    if text is None or "\0" in text:
        return (_raw(given),)
    refusals = [ExiError(f"{_shown(text)} holds no octets of a message; {WANTED}; give {FORMS}")]
    for form in _FORMS:
        try:
            if found := form(text):
                return found
        except ExiError as refusal:
            if form not in _PERHAPS:
                raise
            refusals.append(refusal)
    raise refusals[-1]


def _text(given: bytes) -> str | None:
    encoding = "utf-16" if given[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"  # as shells of one system write what is redirected
    try:
        return given.decode(encoding).strip()
    except UnicodeDecodeError:
        return None


def _raw(given: bytes) -> Piece:
    if begins(given):
        return Piece(given, "octets")
    at = _framed_at(given)
    if at is None:
        raise ExiError(f"{len(given)} octets that begin with 0x{given[:2].hex().upper()} and are no text; {WANTED}")
    return Piece(given[at:], f"octets, from octet {at} on")


def _framed_at(octets: bytes) -> int | None:
    """Where in a packet of another layer a whole V2GTP frame begins."""
    at = octets.find(b"\x01\xfe\x80")
    if at < 0 or at + 8 > len(octets) or int.from_bytes(octets[at + 4 : at + 8], "big") > len(octets) - at - 8:
        return None
    return at


def _checked(octets: bytes, form: str) -> Piece:
    """A piece, if a message may begin so."""
    if begins(octets):
        return Piece(octets, form)
    if (at := _framed_at(octets)) is not None:
        return Piece(octets[at:], f"{form}, from octet {at} on")
    raise ExiError(f"{form} of {len(octets)} octets that begin with 0x{octets[:2].hex().upper()}; {WANTED}")


# --- dumps: an offset, octets, and perhaps the same as text ---


def _dump(text: str) -> tuple[Piece, ...]:
    """What xxd, hexdump -C, od -t x1, tcpdump and Wireshark print. Several dumps follow each other where an offset is 0 again."""
    lines = [line for line in text.splitlines() if line.strip()]
    offsets = [_OFFSET.match(line) for line in lines if line.strip() != "*"]
    first = offsets[0] if offsets else None
    if first is None or not (first[2] or int(first[1], 16) == 0) or not all(offsets):
        return ()
    found: list[bytearray] = []
    for offset in offsets:
        assert offset is not None
        if int(offset[1], 16) == 0 or not found:
            found.append(bytearray())
        found[-1] += _columns(offset.string[offset.end() :], bool(offset[2]))
    if len(offsets) < len(lines):
        raise ExiError("a hex dump that leaves lines out, a * stands for them; print it with -v")
    return tuple(_checked(bytes(octets), "a hex dump") for octets in found if octets)


def _columns(line: str, colon: bool) -> bytes:
    """The octets of a line: groups of hex digits, up to the gap behind which they stand as text."""
    octets, at = bytearray(), 0
    while group := _GROUP.match(line, at):
        gap, digits = group.groups()
        if octets and (len(gap) > 2 or (len(gap) == 2 and (colon or len(octets) % 8))):
            break
        if len(digits) == 4 and not colon and not octets:
            raise ExiError(
                "a hex dump of words of two octets, whose order differs between machines (`hexdump`, `od -x`); "
                "print octets: `hexdump -C`, `od -t x1`, `xxd`"
            )
        if len(digits) % 2:
            break
        octets += bytes.fromhex(digits)
        at = group.end()
    return bytes(octets)


# --- programs ---


def _escaped(text: str) -> tuple[Piece, ...]:
    """Strings with \\x.. in them: of C, Python, a shell, with or without quotes."""
    if "\\x" not in text and "\\u00" not in text:
        return ()
    quote, quoted, bare = "", bytearray(), bytearray()
    for x, u, octal, simple, plain in _ESCAPE.findall(text):
        if plain and plain in "\"'" and quote in ("", plain):
            quote = "" if quote else plain
            continue
        if simple == "\n" or (plain and not quote and (plain.isspace() or not bare)):
            continue  # a line that goes on, or what stands around the string
        value = int(x or u, 16) if x or u else int(octal, 8) if octal else _SIMPLE.get(simple, ord(simple)) if simple else ord(plain)
        if value > 255:
            raise ExiError(f"an escaped string with {_shown(chr(value))}, which is no octet")
        (quoted if quote else bare).append(value)
    return (_checked(bytes(quoted or bare), "an escaped string"),)


def _array(text: str) -> tuple[Piece, ...]:
    """Arrays of C, Java, Rust, Python, JSON: numbers between braces or brackets, hexadecimal or decimal, signed or not."""
    found = []
    for body in re.findall(r"\{([^{}]*)\}", text) or re.findall(r"\[([^\[\]]*)\]", text):
        bare = re.sub(r"/\*[^*]*\*/|//[^\n]*|\(\w*\)", " ", body)
        words = [_SUFFIX.sub("", word.strip()) for word in bare.split(",")] if "," in bare else bare.split()
        octets = [octets for base in (16, 10) if (octets := _numbers([word for word in words if word], base)) is not None]
        if octets and len(octets[0]) > 1:
            found.append(_checked(next((o for o in octets if begins(o)), octets[0]), "an array"))
    return tuple(found)


def _numbers(words: list[str], base: int) -> bytes | None:
    """Octets, each written in that base unless it says 0x; None for what are none."""
    octets = bytearray()
    for word in words:
        digits = word.removeprefix("-")
        hexadecimal = digits[:2] in ("0x", "0X") or base == 16
        digits = digits[2:] if digits[:2] in ("0x", "0X") else digits
        if not 0 < len(digits) <= 3 or not HEX.issuperset(digits) or not (hexadecimal or digits.isdecimal()):
            return None
        value = int(digits, 16 if hexadecimal else 10) * (-1 if word[0] == "-" else 1)
        if not -128 <= value <= 255:
            return None
        octets.append(value & 255)
    return bytes(octets)


# --- hex and base64 ---


def _hex(text: str) -> tuple[Piece, ...]:
    """Hex digits with whatever stands between them: blanks, colons, commas, 0x, quotes. One piece per line where each may begin one."""
    lines = [line for line in ("".join(_digits(line) or ["?"]) for line in text.splitlines()) if line]
    if any("?" in line for line in lines):
        return ()
    wrapped = len({len(line) for line in lines[:-1]}) == 1 and len(lines[0]) in WRAPS and len(lines[-1]) < len(lines[0])
    many = not wrapped and len(lines) > 1 and all(len(line) % 2 == 0 and begins(bytes.fromhex(line[:4].ljust(4, "0"))) for line in lines)
    found = []
    for digits in lines if many else ["".join(lines)]:
        if len(digits) % 2:
            raise ExiError(f"{len(digits)} hex digits, an odd number: one is missing or too many")
        found.append(_checked(bytes.fromhex(digits), "hex"))
    return tuple(found)


def _digits(line: str) -> list[str] | None:
    """The hex digits of a line that has nothing else but separators; None if it has."""
    found = []
    for word in re.split(r"[\s:;,._|\"'`()<>\[\]{}$=\\&-]+", line):
        digits = word[2:] if word[:2] in ("0x", "0X") else word.removesuffix("h") if len(word) == 3 else word
        if not HEX.issuperset(digits):
            return None
        found.append(digits)
    return found


def _base64(text: str) -> tuple[Piece, ...]:
    compact = "".join(text.split()).strip("\"'`,;")
    octets = _unbased(compact) if _BASE64.fullmatch(compact) else None
    return () if octets is None else (_checked(octets, "base64"),)


def _unbased(text: str) -> bytes | None:
    """What base64 stands for, of either alphabet and with or without its end, if a message may begin so."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        octets = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if begins(octets) or _framed_at(octets) is not None else None


# --- lines around them ---


def _traced(text: str) -> tuple[Piece, ...]:
    """Records of our own traces, or any lines of JSON with `exi` in hexadecimal."""
    found = []
    for line in text.splitlines():
        if not line.lstrip().startswith("{"):
            return ()
        try:
            record = json.loads(line)
            octets = bytes.fromhex(record["exi"]) if isinstance(record, dict) and isinstance(record.get("exi"), str) else None
            kind = int(str(record.get("payload_type")), 16) if octets and "payload_type" in record else None
        except (ValueError, RecursionError):
            return ()
        if octets:
            found.append(Piece(octets if kind is None else frame(kind & 0xFFFF, octets), "a trace"))
    return tuple(found)


def _logged(text: str) -> tuple[Piece, ...]:
    """Lines of a log: in each the longest run of hex, or the word of base64, that may begin a message."""
    found = []
    for line in text.splitlines():
        runs = [octets for octets in _runs(line) if len(octets) >= WHOLE]
        runs += [octets for word in _BASE64_WORD.findall(line) if (octets := _unbased(word)) is not None]
        if runs:
            found.append(Piece(max(runs, key=len), "a log line", line))
    return tuple(found)


def _runs(line: str) -> Iterator[bytes]:
    """Runs of hex words of one length, each from where a message may begin."""
    run: list[str] = []
    end = 0
    for word in re.finditer(r"[0-9A-Za-z]+", line):
        digits = word[0][2:] if word[0][:2] in ("0x", "0X") else word[0]
        fits = len(digits) % 2 == 0 and HEX.issuperset(digits) and digits != ""
        joins = (
            len(line[end : word.start()]) <= 3 and not line[end : word.start()].strip(" \t:,.;|-") and len(digits) <= len(run[0])
            if run
            else False
        )
        if not (fits and joins):
            yield _begun(run)
            run = []
        if fits:
            run.append(digits)
        end = word.end()
    yield _begun(run)


def _begun(run: list[str]) -> bytes:
    octets = [bytes.fromhex(word) for word in run]
    starts = (i for i, first in enumerate(octets) if begins(first) or (first == b"\x01" and octets[i + 1 : i + 2] == [b"\xfe"]))
    at = next(starts, None)
    return b"" if at is None else b"".join(octets[at:])


_FORMS: tuple[Callable[[str], tuple[Piece, ...]], ...] = (_traced, _dump, _escaped, _array, _hex, _base64, _logged)

_PERHAPS = (_escaped, _array)  # what looks like these may still be a line of a log


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


# --- V2GTP ---


class Document(NamedTuple):
    """An EXI document, the payload type that announced it (None: it stood alone), and what was odd about its frame."""

    octets: bytes
    payload_type: int | None = None
    remark: str = ""
    instead: bytes = b""  # what it may be, where the announced length is not the length that is there


def frames(octets: bytes) -> tuple[Document, ...]:
    """The documents in octets that begin with V2GTP frames; other octets are one document. Raises ExiError for a header without payload."""
    found: list[Document] = []
    while octets[:2] == b"\x01\xfe" and (not found or len(octets) > HEADER_LENGTH):
        kind, length = int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[4:8], "big")
        there = octets[HEADER_LENGTH:]
        if not there:
            raise ExiError(f"{len(octets)} octets of a V2GTP frame, and the header alone has {HEADER_LENGTH}")
        octets, told = there[length:], ""
        if len(there) < length:
            told = f"the V2GTP header announces {length} octets, {len(there)} are there"
        elif octets and (octets[:2] != b"\x01\xfe" or len(octets) <= HEADER_LENGTH):
            told = f"the V2GTP header announces {length} octets, {len(octets)} more follow: 0x{octets[:8].hex()}"
        found.append(Document(there[:length], kind, told, there if told and octets else b""))
    return tuple(found) or (Document(octets),)
