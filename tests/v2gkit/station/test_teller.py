"""What a station reports of a car's state of charge: when it is first heard, and the last of it with the end."""

from typing import Any

from secc import station as words
from v2g.energy.needs import Needs
from v2g.session.endpoint import Ended
from v2g.session.link import Disconnected
from v2gkit.station.teller import Teller


def told(*events: Any) -> list[tuple[str, dict[str, Any]]]:
    said: list[tuple[str, dict[str, Any]]] = []
    teller = Teller(lambda event, **facts: said.append((event, facts)), "DE*V2G*E1", 3)
    for event in events:
        teller.event(event)
    return said


def test_a_state_of_charge_is_told_once_and_the_last_of_it_with_the_end() -> None:
    over = Disconnected(9.0, "peer", True, ended=Ended("Terminate"))
    said = told(words.NeedsChanged(1.0, Needs(soc=41.0), first=True), words.EVReported(2.0, soc=42.0), words.EVReported(3.0), over)
    assert [(event, facts["soc"]) for event, facts in said] == [("soc", 41.0), ("ended", 42.0)]


def test_a_car_that_says_none_is_told_without() -> None:
    said = told(
        words.NeedsChanged(1.0, Needs(), first=True), words.EVReported(2.0), Disconnected(9.0, "peer", True, ended=Ended("Terminate"))
    )
    assert [event for event, _ in said] == ["ended"]
    assert "soc" not in said[0][1]
