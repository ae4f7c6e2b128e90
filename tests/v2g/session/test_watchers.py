"""Whoever watches a connection may fail at any moment; the connection never learns of it, and the session is counted."""

import pytest

from tests.v2g.session.peers import Answering, Asking, Station, car_tls, drive, go, station_tls
from v2g.session.endpoint import Event
from v2g.session.link import Connected, Disconnected, Observer, Secured
from v2g.session.transport import Server, run

WHEN = ("made", "secret", "octets", Connected.__name__, Secured.__name__, Disconnected.__name__)


class Failing(Observer):
    """An observer whose disk is full from some moment on."""

    def __init__(self, when: str, calls: list[str]):
        self._when, self._calls = when, calls
        self._try("made")

    def _try(self, what: str) -> None:
        self._calls.append(what)
        if what == self._when:
            raise OSError(28, "No space left on device")

    def event(self, event: Event) -> None:
        self._try(type(event).__name__)

    def octets(self, sent: bool, octets: bytes, now: float) -> None:
        self._try("octets")

    def secret(self, line: bytes) -> None:
        self._try("secret")


@pytest.mark.parametrize("when", WHEN)
def test_an_observer_that_fails_costs_neither_end_its_session(when: str, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    async def scenario() -> None:
        station = Station()
        failing = [lambda *_: Failing(when, calls), station.observe]
        async with Server(station.attend, "::1", 0, station_tls(), observe=failing) as server:
            ended = await run(lambda link: Asking(), "::1", server.port, car_tls(), observe=[lambda *_: Failing(when, [])])
            served = await server.served.get()
        assert ended.well
        assert served.ended is not None
        assert served.ended.well
        assert station.witnesses[1].of(Disconnected)  # the one behind it was told to the end

    go(scenario())
    assert calls.count(when) == 1  # and of nothing more after that
    said = [record for record in caplog.records if "watches no more" in record.getMessage()]
    assert len(said) == 2  # once at each end


def test_the_endpoint_of_these_tests_is_a_whole_session() -> None:
    async def scenario() -> None:
        station = Station()
        async with Server(station.attend, "::1", 0, station_tls(), observe=[station.observe]) as server:
            assert (await drive(server.port, car_tls())).ended.well
        assert isinstance(station.endpoints[0], Answering)

    go(scenario())
