"""Records out of a file, whatever it is: a capture, a trace, or octets in any of the forms in which people have them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from v2g.session.link import Disconnected
from v2g.session.trace import RECORDS, Record
from v2gkit.insight.decode import discovery, files
from v2gkit.insight.decode.conversation import Conversation, Note
from v2gkit.insight.decode.files import SECOND, Packet, Remark
from v2gkit.insight.decode.keylog import KeyLog, key_log
from v2gkit.insight.decode.logs import records_of_text
from v2gkit.insight.decode.packets import LINKS, Address, Datagram, Segment, carried
from v2gkit.insight.decode.streams import Closed, Lost, Octets, Opened, Reassembly
from v2gkit.insight.decode.telling import Sessions

_DISCOVERIES: Final = 256  # datagrams that wait for a connection: a car asks 50 times
_LINE: Final = 16 * 1024 * 1024  # octets of a line of a trace: the largest message spelled out has 2 MB
# Fields of a trace that a reader counts with; the others are shown as they are.
_SHAPE: Final[dict[str, Any]] = {
    "connection": int,
    "at": int | float,
    "epoch": int | float,
}
_FRAME: Final[dict[str, Any]] = {
    "gap": int | float | None,
    "margin": int | float | None,
    "name": str | None,
    "exi": str,
    "direction": str,
    "findings": list,
    "local": list,
    "peer": list,
    "limits": list,
}


def records(path: Path, keys: Path | None = None, *, decoded: bool = True) -> Iterator[Record]:
    """The records of a file: of a capture, decrypted by the key log `keys` or by secrets inside; of a trace; of octets in text.

    Without `decoded` messages are named and not spelled out, which takes a fifth of the time: their octets are in the record.

    Raises ValueError for a file that holds nothing of a session, OSError for one that cannot be read.
    """
    with path.open("rb") as file:
        first = file.read(4)
    if files.kind(first):
        yield from _Capture(path, keys, decoded).records()
    elif keys is not None:
        raise ValueError(f"{path} is no capture, so the secrets of {keys} open nothing in it; leave --keys out, or give pcap or pcapng")
    elif first[:1] == b"{" and _is_trace(path):
        yield from _trace(path)
    else:
        yield from records_of_text(path, decoded)


def _is_trace(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            record = json.loads(file.readline(_LINE))
        except (ValueError, RecursionError):
            return False
    return isinstance(record, dict) and record.get("type") in RECORDS and "connection" in record


def _trace(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LINE), b""), 1):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    return  # cut off where its writer was
                raise ValueError(f"{path} is no trace: line {number} is no JSON ({error}); give what --trace wrote") from None
            if not isinstance(record, dict) or not isinstance(kind := record.get("type"), str) or kind not in RECORDS:
                raise ValueError(f"{path} is no trace: line {number} is no record of one; give what --trace wrote")
            for name in (*_SHAPE, *RECORDS[kind]):
                if name not in record or not isinstance(record[name], (_SHAPE | _FRAME).get(name, object)):
                    raise ValueError(
                        f"{path} is no trace: in line {number} {name!r} is missing or no value of one; give what --trace wrote"
                    )
            yield record


class _Capture:
    """One capture file while it is read."""

    def __init__(self, path: Path, keys: Path | None, decoded: bool):
        self._path = path
        self._sessions = Sessions(self._wall, decoded=decoded)
        self._keys = KeyLog() if keys is None else key_log(keys)
        self._reassembly = Reassembly()
        self._open: dict[int, Conversation] = {}
        self._discovered: list[tuple[Note, tuple[str, int] | None]] = []
        self._first: int | None = None  # ns since 1970
        self._now = 0.0  # s since the first packet
        self._packets = self._connections = self._fragments = 0
        self._strange: set[int] = set()  # link types that are not read
        self._remarks: list[str] = []
        self._told = False

    def records(self) -> Iterator[Record]:
        """All records, in the order in which things were seen. Raises ValueError where there are none."""
        with files.opened(self._path) as file:
            for found in files.secrets(file, str(self._path)):
                if isinstance(found, Remark):
                    self._remarks.append(found.text)
                else:
                    self._keys.read(found)
        with files.opened(self._path) as file:
            for each in files.packets(file, str(self._path)):
                if isinstance(each, Remark):
                    self._remarks.append(each.text)
                    for conversation in self._open.values():
                        yield from self._counted(conversation.note(self._now, "capture", {"reason": each.text}))
                else:
                    yield from self._counted(self._packet(each))
        for happened in self._reassembly.end():
            yield from self._counted(self._happened(happened))
        yield from self._counted(self._unanswered())
        if not self._told:
            raise ValueError(self._nothing())

    def _counted(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self._told = True
            yield record

    def _nothing(self) -> str:
        """Why a capture gave no record, in words."""
        told = [f"{self._path} has {self._packets} packets and {self._connections} TCP connections, and V2GTP on none of them"]
        told += (
            [f"packets of link type {', '.join(map(str, sorted(self._strange)))} are not read, Ethernet and Linux cooked are"]
            if self._strange
            else []
        )
        told += [f"{self._fragments} packets are parts of larger ones, which are not put together"] if self._fragments else []
        return "; ".join([*told, *self._remarks, "capture on the interface that leads to the car, from before it connects"])

    # --- packets ---

    def _wall(self, at: float) -> float:
        return (self._first or 0) / SECOND + at

    def _packet(self, packet: Packet) -> Iterator[Record]:
        self._packets += 1
        if self._first is None:
            self._first = packet.at
        self._now = (packet.at - self._first) / SECOND
        if packet.link not in LINKS:
            self._strange.add(packet.link)
        found = carried(packet)
        if isinstance(found, Segment):
            for happened in self._reassembly.take(found):
                yield from self._happened(happened)
        elif isinstance(found, Datagram):
            self._hear(found)
        elif found is not None:
            self._fragments += 1

    def _hear(self, datagram: Datagram) -> None:
        heard = discovery.heard(datagram)
        if heard is not None and len(self._discovered) < _DISCOVERIES:
            facts, where = heard
            self._discovered.append(((self._now, discovery.TOPIC, facts), where))

    def _happened(self, happened: Opened | Octets | Lost | Closed) -> Iterator[Record]:
        if isinstance(happened, Opened):
            self._connections += 1
            conversation = Conversation(self._sessions, happened, self._now, self._keys, self._path.name)
            self._open[happened.key] = conversation
            for note in self._led_to(happened.ends):
                yield from conversation.note(*note)
            return
        conversation = self._open[happened.key]
        if isinstance(happened, Octets):
            yield from conversation.octets(happened.end, happened.octets, self._now)
        elif isinstance(happened, Lost):
            yield from conversation.lost(happened.end, happened.octets, self._now)
        else:
            yield from conversation.over(happened, self._now)
            del self._open[happened.key]

    def _led_to(self, ends: tuple[Address, Address]) -> list[Note]:
        """The datagrams that led to a connection: all so far, once one of them names where it goes."""
        if not any(where in ends for _, where in self._discovered if where is not None):
            return []
        notes = [note for note, _ in self._discovered]
        self._discovered.clear()
        return notes

    def _unanswered(self) -> Iterator[Record]:
        """Discovery to which no connection of the capture belongs."""
        if not self._discovered:
            return
        telling = self._sessions.another()
        yield telling.opening(self._discovered[0][0][0], {"capture": self._path.name})
        for note, _ in self._discovered:
            yield telling.note(*note)
        reason = "no connection followed in the capture"
        yield telling.event(Disconnected(self._discovered[-1][0][0], "peer", False, reason))
