"""ParkingStatus at hardware that runs: what an outlet is asked about the place of a vehicle, and when."""

from dataclasses import dataclass, field

import pytest

from evcc.parking import Parking
from secc.evse import EVSE
from secc.station import Arrival, Departure, ParkingPlace
from tests.secc.test_server import bench, run


@dataclass
class Yard(EVSE):
    """An outlet at a place that is `far` away; it logs what it is asked."""

    far: int = 250
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def read_place(self, arrival: Arrival) -> ParkingPlace:
        left = self.far - (arrival.travel or 0)
        self.log.append(f"{arrival.status} {left}")
        return ParkingPlace(3, None, left, occupied=left == 0 and arrival.status == "Completed")

    async def check_out(self, departure: Departure) -> bool:
        self.log.append(f"{departure.status} {departure.time > 1_700_000_000}")
        return True

    async def check_isolation(self, voltage: float) -> bool:
        self.log.append("isolation")
        return True

    async def close_contactor(self) -> bool:
        self.log.append("close")
        return True

    async def open_contactor(self) -> bool:
        self.log.append("open")
        return True


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_an_outlet_is_asked_for_its_place_before_it_is_closed_and_lets_the_vehicle_go_after_it_is_open(service: str) -> None:
    async def story() -> None:
        yard = Yard()
        parking = ("VehicleCheckIn", "VehicleCheckOut")
        async with bench(evse=yard, parking=parking, check_in_required=True) as it:
            result = await it.visit(service, parking=Parking(parking))
            assert result.ended.well, result.ended
            assert result.as_dict()["parking"] == list(parking)
        moves = [move for move in dict.fromkeys(yard.log) if not move.startswith("Completed 0")]
        assert moves[:4] == ["CheckIn 250", "Processing 150", "Processing 50", "Processing 0"]
        assert yard.log.index("Completed 0") < yard.log.index("close")
        assert yard.log.index("close") < yard.log.index("open") < yard.log.index("CheckOut True") < yard.log.index("Completed True")

    run(story)


def test_an_outlet_that_demands_a_check_in_ends_the_session_of_a_car_that_has_none() -> None:
    async def story() -> None:
        yard = Yard()
        async with bench(evse=yard, parking=("VehicleCheckIn",), check_in_required=True) as it:
            result = await it.visit("DC")
            assert "FAILED_ServiceSelectionInvalid" in str(result.ended.error)
        assert "close" not in yard.log

    run(story)
