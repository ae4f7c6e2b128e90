"""Which parameter set of a service a car takes."""

import pytest

from evcc.iso20.services import fitting
from tests.evcc.scripted_station import parameter_set
from v2g.iso20.services import SERVICES
from v2g.services import Selection

PLUG = SERVICES["DC"].connector
SCHEDULED = parameter_set(1, ControlMode=1, MobilityNeedsMode=1, Connector=PLUG)
BY_CAR = parameter_set(2, ControlMode=2, MobilityNeedsMode=1, Connector=PLUG)
BY_STATION = parameter_set(3, ControlMode=2, MobilityNeedsMode=2, Connector=PLUG)
WRONG = parameter_set(4, ControlMode=1, MobilityNeedsMode=2, Connector=PLUG)  # [V2G20-2663]
ELSEWHERE = parameter_set(5, ControlMode=1, MobilityNeedsMode=1, Connector=9)


@pytest.mark.parametrize(
    ("control", "sets", "taken"),
    [
        ("Dynamic", (BY_STATION, BY_CAR), Selection("DC", 2, "Dynamic", "EVCC")),
        ("Dynamic", (SCHEDULED, BY_STATION), Selection("DC", 3, "Dynamic", "SECC")),
        ("Scheduled", (BY_CAR, SCHEDULED), Selection("DC", 1, "Scheduled", "EVCC")),
        ("Scheduled", (WRONG, ELSEWHERE), None),
        ("Dynamic", (), None),
    ],
)
def test_a_car_takes_the_set_of_its_control_in_which_it_states_its_needs_itself_where_there_is_one(control, sets, taken):
    assert fitting("DC", control, sets) == taken
