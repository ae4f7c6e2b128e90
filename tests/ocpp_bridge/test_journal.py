"""What survives a restart of the station."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge.wire import journal_file
from ocpp_bridge.wire.journal import compacted, lines, undelivered
from ocpp_bridge.wire.journal_file import Journal
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import check
from tests.ocpp_bridge.ocpp_stand import WALL, stand
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy


def event(number: int, kind: str = "Updated", tx: str = "t", seq: int | None = None) -> Call:
    info = {"transactionId": tx}
    payload = {"eventType": kind, "seqNo": number if seq is None else seq, "transactionInfo": info, "evse": {"id": 1, "connectorId": 1}}
    return Call("TransactionEvent", payload, 1, tx, kept=True, number=number)


def seqs(calls: list[Call]) -> list[int]:
    return [call.payload["seqNo"] for call in calls]


def test_what_was_not_delivered_comes_back_in_order():
    octets = lines([event(1, "Started"), event(2), 1, event(3, "Ended"), 2])
    assert seqs(undelivered(octets, WALL)) == [3]
    assert undelivered(b"", WALL) == []


def test_a_transaction_that_was_cut_off_ends_with_the_number_that_follows():
    calls = undelivered(lines([event(1, "Started"), event(2), 1, 2, event(3, "Started", "other")]), WALL)
    told = [(c.payload["eventType"], c.payload["seqNo"], c.about) for c in calls]
    assert told == [("Started", 3, "other"), ("Ended", 3, "t"), ("Ended", 4, "other")]
    assert calls[1].payload["transactionInfo"]["stoppedReason"] == "PowerLoss"
    check("ocpp2.1", "TransactionEvent", "Request", calls[1].payload)


def test_a_line_that_the_loss_of_power_cut_is_left_out():
    octets = lines([event(1, "Started"), event(2, "Ended")])
    assert seqs(undelivered(octets[:-5], WALL))[:1] == [1]


@pytest.mark.parametrize("octets", [b"{}\n", b"[]\n", b"hello\n", b'{"over":1,"call":2}\n', b"\xff\xfe\n"])
def test_a_file_that_is_no_journal_is_refused(octets):
    with pytest.raises(ValueError, match="no line of a journal"):
        undelivered(octets, WALL)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["Started", "Updated", "Ended"]), st.booleans()), max_size=20))
def test_compacting_changes_nothing_that_comes_back(story):
    news, seq = [], {"a": 0, "b": 0}
    for number, (tx, kind, delivered) in enumerate(story, 1):
        news.append(event(number, kind, tx, seq[tx]))
        seq[tx] += 1
        if delivered:
            news.append(number)
    octets = lines(news)
    small = compacted(octets)
    assert len(small) <= len(octets) + 40
    assert [(c.about, c.payload) for c in undelivered(small, WALL)] == [(c.about, c.payload) for c in undelivered(octets, WALL)]


def test_a_journal_is_compacted_when_it_has_grown(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_file, "JOURNAL_MAXIMUM", 2000)
    journal = Journal(tmp_path / "journal")
    journal.begin(b"")
    for number in range(1, 200):
        journal.append(lines([event(number, "Started" if number == 1 else "Updated"), number]))
    assert journal.path.stat().st_size < 4000
    assert seqs(journal.read(WALL)) == [200]


def test_an_unreadable_journal_is_moved_aside(tmp_path):
    (tmp_path / "events.journal").write_bytes(b"nonsense\n")
    assert Journal(tmp_path / "events.journal").read(WALL) == []
    assert (tmp_path / "events.unreadable").read_bytes() == b"nonsense\n"


def test_a_station_that_restarts_delivers_what_it_owed(tmp_path):
    async def scene():
        path = tmp_path / "events.journal"
        csms = Csms(Strategy("none"))
        server = await csms.serve()
        port = next(iter(server.sockets)).getsockname()[1]
        async with stand(port=1, journal=path) as s:  # nobody listens there
            s.arrive()
            await s.until(lambda: path.exists() and b"CablePluggedIn" in path.read_bytes())
            tx = s.point.bridge.charger.evses[1].transaction.id
        async with stand(port=port, journal=path) as s:
            await s.until(
                lambda: csms.stations and tx in csms.stations["CS-1"].transactions and csms.stations["CS-1"].transactions[tx].ended
            )
            events = csms.stations["CS-1"].transactions[tx].events
            assert [(e["eventType"], e["seqNo"], e["offline"]) for e in events] == [("Started", 0, True), ("Ended", 1, True)]
            await s.until(lambda: not s.point.bridge.charger.outbox.kept)
        async with stand(port=port, journal=path) as s:
            await s.until(lambda: s.point.bridge.charger.accepted)
            assert not s.frames.calls("TransactionEvent")
        server.close()

    asyncio.run(asyncio.wait_for(scene(), 300))
