"""Leave to discharge that comes and goes while a car charges: a CSMS, a station and a car, the two as processes, over real sockets."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.ocpp_bridge.test_live import Process, read
from tests.starved import again, heed
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

STATION = "DE*V2G*E1"
POWER = -4_000.0  # W that the CSMS asks for


def giving(record: dict) -> bool:
    """Whether a record says that the car gives what the CSMS asks for."""
    return record.get("name") == "OutputMeasured" and record["facts"]["voltage"] * record["facts"]["current"] < 0.9 * POWER


def taking(record: dict) -> bool:
    """Whether a record says that the car charges."""
    return record.get("name") == "OutputMeasured" and record["facts"]["current"] > 1


def begun(record: dict) -> bool:
    return record.get("name") == "EVReported"


async def until(true: Callable[[], object]) -> None:
    """Wait until something is true of what other processes do."""
    while not true():  # noqa: ASYNC110 - a file and a peer have no such event
        await asyncio.sleep(0.05)


async def played(
    tmp_path: Path, before: list[str], after: list[str], when: Callable[[dict], bool], enough: Callable[[dict], bool]
) -> tuple[list[dict], list[dict]]:
    """A session whose CSMS allows the services `before`, and from a record in the trace that is `when` on those `after`.

    The car stays until a record behind the second choice of a service is `enough`. The trace of the station, and the needs that the CSMS
    was told.
    """
    csms = Csms(Strategy("setpoint", setpoint=POWER), transfers=before, sample_interval=1)
    server = await csms.serve()
    port, trace = next(iter(server.sockets)).getsockname()[1], tmp_path / "trace.jsonl"
    station = await Process.start(
        *("secc", "--json", "--once", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--services", "DC,DC_BPT"),
        *("--trace", str(trace), "--ocpp", f"ws://127.0.0.1:{port}/ocpp"),
    )
    car = None
    try:
        address = (await station.says(lambda line: line["event"] == "listening"))["address"]
        await until(lambda: STATION in csms.stations and csms.stations[STATION].connectors)  # it speaks OCPP before the car comes
        wish = ("--service", "DC_BPT", "--service", "DC", "--control", "dynamic", "--soc", "70")
        car = await Process.start("ev", "--json", "--no-tls", "--connect", address, *wish)
        gone = asyncio.ensure_future(car.process.wait())
        await until(lambda: any(map(when, read(trace))) or gone.done())
        [tx] = csms.stations[STATION].transactions.values()
        answer = await csms.call(STATION, "NotifyAllowedEnergyTransfer", {"transactionId": tx.id, "allowedEnergyTransfer": after})
        await until(lambda: any(map(enough, behind(read(trace)))) or gone.done())
        car.leave()
        result, ended = (await car.rest())[-1], (await station.rest())[-1]
        heed(result, ended)
        assert answer == {"status": "Accepted"}
        assert result["ok"], result
        assert ended["ok"], ended
        return read(trace), [told["chargingNeeds"] for told in tx.needs]
    finally:
        for process in filter(None, (car, station)):
            process.kill()
            await process.rest()  # for what it says of a timer, when the CSMS has found nobody to talk to
        server.close()
        await server.wait_closed()


def offers(records: list[dict]) -> list[list[int]]:
    """The energy services of each ServiceDiscoveryRes, by their ids."""
    found = [record["message"][record["name"]] for record in records if record.get("name") == "ServiceDiscoveryRes"]
    return [[each["ServiceID"] for each in one["EnergyTransferServiceList"]["Service"]] for one in found]


def behind(records: list[dict]) -> list[dict]:
    """The records behind the second choice of a service."""
    places = [place for place, record in enumerate(records) if record.get("name") == "ServiceSelected"]
    return records[places[1] :] if len(places) > 1 else []


def transfers(told: list[dict]) -> list[str]:
    return [needs["requestedEnergyTransfer"] for needs in told]


def selected(records: list[dict]) -> list[str]:
    return [record["facts"]["service"] for record in records if record.get("name") == "ServiceSelected"]


def discharge_limits(records: list[dict]) -> list[int]:
    """EVSEMaximumDischargePower of each DC_ChargeLoopRes that has one."""
    found = [record["message"][record["name"]] for record in records if record.get("name") == "DC_ChargeLoopRes"]
    return [
        one["BPT_Dynamic_DC_CLResControlMode"]["EVSEMaximumDischargePower"]["Value"]
        for one in found
        if "BPT_Dynamic_DC_CLResControlMode" in one
    ]


def place_of(records: list[dict], name: str) -> int:
    return next(place for place, record in enumerate(records) if record.get("name") == name)


@again
def test_leave_that_is_withdrawn_ends_the_discharge_and_the_service(tmp_path: Path):
    records, told = asyncio.run(asyncio.wait_for(played(tmp_path, ["DC", "DC_BPT"], ["DC"], giving, taking), 300))
    assert offers(records) == [[2, 6], [2]]
    assert selected(records) == transfers(told) == ["DC_BPT", "DC"]
    rest = records[place_of(records, "ServicesAllowed") :]
    assert set(discharge_limits(rest)) <= {0}  # from that moment, by the service that it still has
    charging = rest[place_of(rest, "ServiceSelected") :]
    outputs = [record["facts"]["current"] for record in charging if record.get("name") == "OutputMeasured"]
    assert outputs
    assert min(outputs) >= 0


@again
def test_leave_that_is_granted_brings_the_car_to_the_bidirectional_service(tmp_path: Path):
    records, told = asyncio.run(asyncio.wait_for(played(tmp_path, ["DC"], ["DC", "DC_BPT"], begun, giving), 300))
    assert offers(records) == [[2], [2, 6]]
    assert selected(records) == transfers(told) == ["DC", "DC_BPT"]
    before = records[: place_of(records, "ServicesAllowed")]
    assert not any(map(giving, before))
    assert any(map(giving, records))
    assert [needs["v2xChargingParameters"]["maxVoltage"] for needs in told] == [500, 500]  # of this car; the outlet could 920
