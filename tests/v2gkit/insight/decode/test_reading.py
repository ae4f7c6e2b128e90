"""Captures of every form become the records that the session's own trace has; whatever is no capture is one clear error."""

import contextlib
import gzip
import json
import random
import struct
import tracemalloc
from ipaddress import IPv6Address, ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from tests.v2gkit.insight.decode.captures import (
    CAR,
    DIN,
    DIN_SAID,
    EPOCH,
    STATION,
    Said,
    Tls,
    frames,
    pcap,
    pcapng,
    real_sessions,
)
from v2g.session import sdp
from v2g.session.trace import RECORDS
from v2g.session.v2gtp import PayloadType, frame
from v2gkit.insight.decode import records

EXPECTED = [(who, name) for who, name, _ in DIN]


def read(path: Path, keys: Path | None = None) -> list[dict[str, Any]]:
    return list(records(path, keys))


def told_of(tmp_path: Path, octets: bytes) -> list[dict[str, Any]]:
    file = tmp_path / "capture"
    file.write_bytes(octets)
    return read(file)


def of(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in told if each["type"] == kind]


def notes(told: list[dict[str, Any]], topic: str) -> list[dict[str, Any]]:
    return [each["facts"] for each in of(told, "note") if each["topic"] == topic]


def names(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [("car" if each["direction"] == "received" else "station", each["name"]) for each in of(told, "frame")]


def datagram(source: tuple[str, int], target: tuple[str, int], payload: bytes) -> bytes:
    """An Ethernet frame with UDP over IPv6."""
    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
    ends = ip_address(source[0]).packed + ip_address(target[0]).packed
    return bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + ends + udp


# --- forms of files ---


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_pcap_of_either_order_and_resolution(tmp_path: Path, order: str, nano: bool) -> None:
    told = told_of(tmp_path, pcap(frames(DIN_SAID), order=order, nano=nano))
    assert names(told) == EXPECTED
    assert [round(each["at"], 6) for each in of(told, "frame")] == [0.03, 0.04, 0.05, 0.06, 0.07]
    assert of(told, "frame")[0]["epoch"] == pytest.approx(EPOCH + 0.03, abs=1e-6)


def test_a_capture_packed_by_gzip(tmp_path: Path) -> None:
    assert names(told_of(tmp_path, gzip.compress(pcap(frames(DIN_SAID))))) == EXPECTED


LINKS = {  # link type -> what stands before IP, for IPv6
    0: b"\x1e\0\0\0",
    12: b"",
    101: b"",
    108: b"\0\0\0\x1e",
    113: bytes(14) + b"\x86\xdd",
    229: b"",
    276: b"\x86\xdd" + bytes(18),
}


@pytest.mark.parametrize("link", LINKS)
def test_links_other_than_ethernet(tmp_path: Path, link: int) -> None:
    packets = [LINKS[link] + each[14:] for each in frames(DIN_SAID)]
    assert names(told_of(tmp_path, pcap(packets, link=link))) == EXPECTED


@pytest.mark.parametrize("tags", [b"\x81\x00\x00\x05", b"\x88\xa8\x00\x05\x81\x00\x00\x06"])
def test_vlan_tags_and_padding(tmp_path: Path, tags: bytes) -> None:
    packets = [(each[:12] + tags + each[12:]).ljust(90, b"\0") for each in frames(DIN_SAID)]
    assert names(told_of(tmp_path, pcap(packets))) == EXPECTED


def test_ipv4_and_extension_headers_of_ipv6(tmp_path: Path) -> None:
    assert names(told_of(tmp_path, pcap(frames(DIN_SAID, ("10.0.0.2", 50001), ("10.0.0.1", 15118))))) == EXPECTED
    longer = []
    for each in frames(DIN_SAID):
        payload = int.from_bytes(each[18:20], "big")
        longer.append(each[:18] + (payload + 8).to_bytes(2, "big") + b"\0" + each[21:54] + b"\x06" + bytes(7) + each[54:])
    assert names(told_of(tmp_path, pcap(longer))) == EXPECTED


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("resolution", "units"), [(9, 10**9), (3, 10**3), (0x80 | 20, 2**20)])
def test_pcapng_of_any_order_and_resolution_with_blocks_that_nobody_knows(tmp_path: Path, order: str, resolution: int, units: int) -> None:
    octets = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(order + "HHB3x", 9, 1, resolution) + struct.pack(order + "HHq", 14, 8, 1000) + bytes(4)
    octets += block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + options)
    for place, each in enumerate(frames(DIN_SAID)):
        ticks = round((EPOCH - 1000 + place) * units)
        octets += block(order, 0x0BAD, b"nobody knows")
        octets += block(order, 6, struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(each), len(each)) + each)
    told = told_of(tmp_path, octets)
    assert names(told) == EXPECTED
    assert of(told, "frame")[1]["at"] == pytest.approx(4.0, abs=0.002)
    assert of(told, "trace")[0]["epoch"] == pytest.approx(EPOCH, abs=0.002)


def test_simple_and_old_packets_and_a_second_section(tmp_path: Path) -> None:
    octets = b""
    packets = frames(DIN_SAID)
    for order, some in (("<", packets[:5]), (">", packets[5:])):
        octets += block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(
            order, 1, struct.pack(order + "HHI", 1, 0, 0)
        )
        for place, each in enumerate(some):
            if place % 2:
                octets += block(order, 3, struct.pack(order + "I", len(each)) + each)
            else:
                octets += block(order, 2, struct.pack(order + "HHIIII", 0, 0, 0, 0, len(each), len(each)) + each)
    assert names(told_of(tmp_path, octets)) == EXPECTED


# --- what the records say ---


def test_the_records_are_those_of_a_trace(tmp_path: Path) -> None:
    told = read(pcapng(tmp_path / "a.pcapng", frames(DIN_SAID)))
    assert [each["type"] for each in told] == ["trace", "connected", "plain", *["frame"] * 5, "end"]
    for record in told:
        assert set(record) == {"type", "connection", "at", "epoch"} | set(RECORDS[record["type"]])
    assert told[1]["local"] == list(STATION)
    assert told[1]["peer"] == list(CAR)
    assert told[2]["requirement"] == ""  # of DIN, which has no TLS
    assert [each["set"] for each in of(told, "frame")] == ["app", "app", "din", "din", "din"]
    assert [each["gap"] for each in of(told, "frame")] == [None, 0.01, 0.01, 0.01, 0.01]
    assert {each["performance"] for each in of(told, "frame") if each["set"] == "din"} == {None}
    assert told[-2]["message"]["V2G_Message"]["Body"] == {"ServiceDiscoveryReq": {}}
    assert (told[-1]["how"], told[-1]["closed_by"], told[-1]["well"]) == ("Broken off", "peer", False)
    assert "after ServiceDiscoveryReq" in told[-1]["error"]


def test_frames_across_segments_and_many_in_one(tmp_path: Path) -> None:
    car, station = b"".join(o for c, o in DIN_SAID if c), b"".join(o for c, o in DIN_SAID if not c)
    several = [Said(True, car), Said(False, station)]
    single = [Said(each.by_car, bytes((octet,))) for each in DIN_SAID for octet in each.octets]
    assert [each[1] for each in names(told_of(tmp_path, pcap(frames(several))))] == [n for w, n in EXPECTED if w == "car"] + [
        n for w, n in EXPECTED if w != "car"
    ]
    assert names(told_of(tmp_path, pcap(frames(single)))) == EXPECTED


def test_segments_that_come_twice_late_and_overlapping(tmp_path: Path) -> None:
    single = [Said(each.by_car, bytes((octet,))) for each in DIN_SAID for octet in each.octets]
    packets = frames(single)
    order = random.Random(7)
    jumbled = [*packets[:3]]
    for place in range(3, len(packets) - 3, 4):
        four = [*packets[place : min(place + 4, len(packets) - 3)], *packets[place : place + 1]]
        order.shuffle(four)
        jumbled += four
    told = told_of(tmp_path, pcap([*jumbled, *packets[-3:]]))
    assert {(who, name) for who, name in names(told)} == set(EXPECTED)
    (counted,) = notes(told, "capture")
    assert counted["repeated"] > 10
    assert counted["reordered"] > 10


def test_octets_that_are_missing_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    packets = frames(DIN_SAID)
    told = told_of(tmp_path, pcap([*packets[:5], *packets[6:]]))
    assert names(told) == EXPECTED[:2] + EXPECTED[3:]
    (gap,) = notes(told, "capture gap")
    assert (gap["from"], gap["octets"]) == ("the car", len(DIN_SAID[2].octets))


def test_packets_that_were_cut_short_are_a_gap(tmp_path: Path) -> None:
    told = told_of(tmp_path, pcap(frames(DIN_SAID), snap=14 + 40 + 20 + 30))
    assert len(names(told)) == 4
    assert notes(told, "capture gap")


@pytest.mark.parametrize("begin", range(3, 8))
def test_a_capture_that_begins_in_mid_session(tmp_path: Path, begin: int) -> None:
    told = told_of(tmp_path, pcap(frames(DIN_SAID)[begin:]))
    assert names(told) == EXPECTED[begin - 3 :]
    assert of(told, "connected")[0]["peer"] == list(CAR)


def test_who_is_the_car_is_told_by_its_requests(tmp_path: Path) -> None:
    """Not by ports, of which the lower is the car's here, nor by who is heard first."""
    car, station = ("fe80::2", 1024), ("fe80::1", 65000)
    told = told_of(tmp_path, pcap(frames(DIN_SAID, car, station)[4:]))
    assert names(told) == EXPECTED[1:]
    assert of(told, "connected")[0]["peer"] == list(car)


def test_a_capture_that_begins_within_a_frame(tmp_path: Path) -> None:
    single = [Said(each.by_car, each.octets[at : at + 7]) for each in DIN_SAID for at in range(0, len(each.octets), 7)]
    told = told_of(tmp_path, pcap(frames(single)[5:]))
    assert names(told) == EXPECTED[1:]
    assert notes(told, "framing")[0]["octets"] > 0


def test_many_connections_one_after_the_other_and_at_once(tmp_path: Path) -> None:
    one, other = frames(DIN_SAID), frames(DIN_SAID, ("fe80::3", 50002))
    mixed = [each for pair in zip(one, other, strict=True) for each in pair]
    told = told_of(tmp_path, pcap([*mixed, *one]))
    for connection in (1, 2, 3):
        assert names([each for each in told if each["connection"] == connection]) == EXPECTED
    assert all(earlier["at"] <= later["at"] for earlier, later in pairwise(of(told, "frame")))


def test_what_is_not_v2g_is_left_out(tmp_path: Path) -> None:
    web = frames([Said(True, b"GET / HTTP/1.1\r\n\r\n"), Said(False, b"HTTP/1.1 200 OK\r\n\r\n")], ("fe80::3", 50002), ("fe80::1", 80))
    told = told_of(tmp_path, pcap([*web, *frames(DIN_SAID)]))
    assert {each["connection"] for each in told} == {1}
    with pytest.raises(ValueError, match=r"6 packets|V2GTP on none of them|capture on the interface") as refused:
        told_of(tmp_path, pcap(web))
    assert "1 TCP connections" in str(refused.value)


def test_discovery_is_told_with_the_connection_to_which_it_led(tmp_path: Path) -> None:
    asked = datagram((CAR[0], 40000), ("ff02::1", 15118), sdp.encode(sdp.Request()))
    answered = datagram((STATION[0], 15118), (CAR[0], 40000), sdp.encode(sdp.Response(IPv6Address(STATION[0]), STATION[1])))
    told = told_of(tmp_path, pcap([asked, answered, *frames(DIN_SAID)]))
    assert [each["name"] for each in notes(told, "discovery")] == ["Request", "Response"]
    assert notes(told, "discovery")[1]["port"] == STATION[1]
    told = told_of(tmp_path, pcap([asked, asked]))
    assert [each["type"] for each in told] == ["trace", "note", "note", "end"]
    assert told[-1]["reason"] == "no connection followed in the capture"


def test_frames_that_are_no_message_keep_their_octets_and_the_error(tmp_path: Path) -> None:
    strange = [Said(True, frame(0xB000, b"maker")), Said(False, frame(PayloadType.EXI, b"\x80\xff\xff"))]
    told = told_of(tmp_path, pcap(frames([*DIN_SAID, *strange])))
    maker, broken = of(told, "frame")[-2:]
    assert (maker["name"], maker["exi"], maker["direction"]) == (None, b"maker".hex(), "received")
    assert "of a manufacturer" in maker["error"]
    assert (broken["name"], broken["exi"], broken["direction"]) == (None, "80ffff", "sent")
    assert broken["error"]


def test_a_stream_without_rhythm_is_searched_for_the_next_frame(tmp_path: Path) -> None:
    told = told_of(tmp_path, pcap(frames([*DIN_SAID[:4], Said(True, b"noise" * 9), DIN_SAID[4]])))
    assert names(told) == EXPECTED
    (astray,) = notes(told, "framing")
    assert astray["octets"] == 45
    assert "is no V2GTP header" in astray["reason"]


def test_a_length_beyond_reason_takes_no_memory(tmp_path: Path) -> None:
    liar = b"\x01\xfe\x80\x01\xff\xff\xff\xf0\x80"
    told = told_of(tmp_path, pcap(frames([*DIN_SAID[:4], Said(True, liar), DIN_SAID[4]])))
    assert names(told) == EXPECTED
    assert "announces 4294967280 octets" in notes(told, "framing")[0]["reason"]


@pytest.mark.skipif(not real_sessions().exists(), reason="the sessions of real cars are not here")
def test_sessions_of_real_cars(tmp_path: Path) -> None:
    for place, line in enumerate(real_sessions().read_text().splitlines()):
        session = json.loads(line)
        said = [Said(each["from"] == "car", frame(int(each["type"], 16), bytes.fromhex(each["exi"]))) for each in session["frames"]]
        begin = 0 if place % 3 else min(6, len(said) - 1)  # every third from its middle
        packets = frames(said)
        told = read(pcapng(tmp_path / "real.pcapng", packets if begin == 0 else packets[3 + begin :]))
        found = of(told, "frame")
        assert [each["exi"] for each in found] == [each["exi"] for each in session["frames"][begin:]], session["id"]
        for ours, theirs in zip(found, session["frames"][begin:], strict=True):
            if theirs["message"] == "?":  # what made the list could not read it
                continue
            assert ours["set"] == theirs["set"], session["id"]
            assert ours["direction"] == ("received" if theirs["from"] == "car" else "sent"), session["id"]
            assert ours["name"] == theirs["message"].replace("SessionStopType", "SessionStopReq"), session["id"]


# --- what is no capture ---


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "nothing is given"),
        (b"\x0a\x0d\x0d\x0a", "it ends at octet"),
        (b"\xd4\xc3\xb2\xa1", "within its header of 24"),
        (pcap([]), "0 packets"),
        (b"PK\x03\x04zip", "zip archive"),
        (b"\x1f\x8bno gzip", "damaged"),
        (b"hello", "holds no octets of a message"),
    ],
)
def test_what_is_no_capture_is_one_clear_error(tmp_path: Path, octets: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        told_of(tmp_path, octets)
    assert "capture" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    whole = pcapng(tmp_path / "a.pcapng", frames(DIN_SAID)).read_bytes()
    told = told_of(tmp_path, whole[:-300])
    assert names(told) == EXPECTED[: len(names(told))]
    assert "damaged: it ends within" in notes(told, "capture")[0]["reason"]
    assert of(told, "end")[0]["reason"] == "the capture ends"


def test_a_packet_beyond_reason_takes_no_memory(tmp_path: Path) -> None:
    octets = pcap(frames(DIN_SAID)) + struct.pack("<IIII", 0, 0, 0x7FFFFFFF, 0x7FFFFFFF)
    assert names(told_of(tmp_path, octets)) == EXPECTED
    open_yet = pcap(frames(DIN_SAID, close=False)) + struct.pack("<IIII", 0, 0, 0x7FFFFFFF, 0x7FFFFFFF)
    assert "announces 2147483647 octets" in notes(told_of(tmp_path, open_yet), "capture")[0]["reason"]


def test_a_block_that_is_packed_small_and_is_huge_takes_no_memory(tmp_path: Path) -> None:
    zeros = struct.pack("<II", 0x0BAD, 2**26) + bytes(2**26 - 12) + struct.pack("<I", 2**26)
    octets = gzip.compress(pcapng(tmp_path / "a.pcapng", frames(DIN_SAID)).read_bytes() + zeros, 1)
    del zeros
    tracemalloc.start()
    told = told_of(tmp_path, octets)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert names(told) == EXPECTED
    assert most < 2**23


def test_frames_of_noise_are_tried_so_long_and_no_longer(tmp_path: Path) -> None:
    """Whatever they cost, the next message is read; and what cannot be read spends the indulgence of the file."""
    order = random.Random(3)
    noise = [Said(True, frame(PayloadType.EXI, b"\x80\x9a\x02" + order.randbytes(8_000))) for _ in range(20)]
    told = told_of(tmp_path, pcap(frames([*DIN_SAID[:4], *noise, DIN_SAID[4]])))
    assert [each for each in names(told) if each[1] is not None] == EXPECTED
    assert len([each for each in of(told, "frame") if "error" in each]) == 20


def _captures() -> list[bytes]:
    tls13 = Tls(SSL.TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384").shake().say(*DIN_SAID).close()
    tls12 = Tls(SSL.TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256").shake().say(*DIN_SAID).close()
    return [pcap(frames(DIN_SAID)), *(_octets(tls) for tls in (tls13, tls12))]


def _octets(tls: Tls) -> bytes:
    from v2gkit.insight.pcapng import header, packet, secrets

    return header("x") + secrets(tls.keys) + b"".join(packet(each, EPOCH + i) for i, each in enumerate(frames(tls.wire)))


@settings(max_examples=300, deadline=None)
@given(
    which=st.integers(0, 2), hurts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12), cut=st.floats(0.2, 1)
)
def test_octets_of_any_kind_give_records_or_one_error(
    tmp_path_factory: Any, which: int, hurts: list[tuple[float, int]], cut: float
) -> None:
    global CAPTURES
    CAPTURES = CAPTURES or _captures()
    octets = bytearray(CAPTURES[which])
    for place, value in hurts:
        octets[int(place * (len(octets) - 1))] = value
    file = tmp_path_factory.getbasetemp() / "mutated"
    file.write_bytes(octets[: int(cut * len(octets))])
    told: list[dict[str, Any]] = []
    with contextlib.suppress(ValueError):  # and no other exception
        told = read(file)
    json.dumps(told)
    assert {each["type"] for each in told} <= set(RECORDS)


CAPTURES: list[bytes] = []
