"""Who may stay: room by stage, fair to sources, whatever comes."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from v2g.session.admission import Crowd, Stage
from v2g.session.pace import Pace, PaceBySource

ROOM = {Stage.SILENT: 6, Stage.SPEAKING: 4, Stage.SECURED: 3, Stage.PARTING: 2}


class Door(RuleBasedStateMachine):
    """A listener that drops whom the crowd names, against a plain model of who is where."""

    def __init__(self) -> None:
        super().__init__()
        self.crowd, self.count, self.where, self.seated = Crowd(ROOM), 0, dict[int, tuple[str, Stage]](), set[int]()

    def put(self, number: int, source: str, stage: Stage) -> None:
        if self.where.get(number) != (source, stage):
            self.where.pop(number, None)
            self.where[number] = source, stage  # a dict keeps the order in which they came
        self.crowd.put(number, source, stage)
        gone = self.crowd.surplus(stage, self.seated.__contains__)
        if gone is None:
            return
        who, at = self.where[gone]
        assert at is stage
        assert gone not in self.seated
        free = [s for n, (s, where) in self.where.items() if where is stage and n not in self.seated]
        most = max(sum(1 for s, where in self.where.values() if s == other and where is stage) for other in set(free))
        assert sum(1 for s, where in self.where.values() if s == who and where is stage) == most
        same = [n for n, (s, where) in self.where.items() if s == who and where is stage and n not in self.seated]
        assert gone == same[0], "the one that came first goes"
        self.crowd.forget(gone)
        del self.where[gone]

    @rule(source=st.sampled_from("aaab"))
    def come(self, source: str) -> None:
        self.count += 1
        self.put(self.count, source, Stage.SILENT)

    @rule(data=st.data(), stage=st.sampled_from(Stage))
    def move(self, data: st.DataObject, stage: Stage) -> None:
        if self.where:
            number = data.draw(st.sampled_from(sorted(self.where)))
            source, _ = self.where[number]
            self.seated.discard(number)
            self.put(number, source, stage)

    @rule(data=st.data())
    def sit(self, data: st.DataObject) -> None:
        secured = sorted(n for n, (_, stage) in self.where.items() if stage is Stage.SECURED)
        if secured and not self.seated:
            self.seated.add(data.draw(st.sampled_from(secured)))

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.where:
            number = data.draw(st.sampled_from(sorted(self.where)))
            for _ in range(2):
                self.crowd.forget(number)
            del self.where[number]
            self.seated.discard(number)

    @invariant()
    def the_account_is_right(self) -> None:
        assert len(self.crowd) == len(self.where)
        for stage in Stage:
            here = sum(1 for _, where in self.where.values() if where is stage)
            assert self.crowd.count(stage) == here
            assert here <= ROOM[stage] + len(self.seated)


TestDoor = Door.TestCase
TestDoor.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_lone_car_outlives_any_flood_from_another_address() -> None:
    crowd = Crowd(ROOM)
    crowd.put(0, "car", Stage.SPEAKING)
    for number in range(1, 500):
        crowd.put(number, "flood", Stage.SPEAKING)
        gone = crowd.surplus(Stage.SPEAKING)
        assert gone != 0
        if gone is not None:
            crowd.forget(gone)
    assert crowd.count(Stage.SPEAKING) == ROOM[Stage.SPEAKING]


def test_a_pace_lets_a_burst_pass_and_then_its_rate() -> None:
    pace = Pace(rate=2, burst=3)
    assert [pace.allows(100.0) for _ in range(5)] == [True, True, True, False, False]
    assert [pace.allows(100.0 + k / 4) for k in range(1, 9)] == [False, True] * 4


def test_a_flood_costs_a_quiet_source_nothing_but_the_common_pace() -> None:
    pace = PaceBySource((1, 2), (100, 100), sources=4)
    assert sum(pace.allows("flood", 10.0) for _ in range(50)) == 2
    assert pace.allows("car", 10.0)
    for number in range(1000):  # sources that never come again are forgotten
        pace.allows(number, 10.0)
    assert len(pace._paces) == 4
    assert not pace.allows("anyone", 10.0)
