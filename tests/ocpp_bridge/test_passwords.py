"""The password of a station that its CSMS changes (A01): used from the next connection on, kept over a restart, told to nobody."""

import asyncio
import logging
import stat
from contextlib import asynccontextmanager

import pytest

from ocpp_bridge.wire.passwords import Passwords
from tests.ocpp_bridge.ocpp_stand import door, stand
from v2gkit.csms.server import Csms

OLD, NEW = "old-password-0123456789", "new-password-9876543210"
PLACE = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}


def setting(value: str = NEW) -> dict:
    return {"setVariableData": [PLACE | {"attributeValue": value}]}


@asynccontextmanager
async def met(password: str | None, port: int = 0):
    """A CSMS that knows the station by a password, None: by none; and its port."""
    csms = Csms(door=door(password) if password is not None else None)
    server = await csms.serve(port=port)
    try:
        yield csms, next(iter(server.sockets)).getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def connected(csms: Csms):
    return lambda: "CS-1" in csms.stations and csms.stations["CS-1"].link is not None and csms.stations["CS-1"].connectors


async def asked(csms: Csms, value: str = NEW) -> dict:
    [result] = (await csms.call("CS-1", "SetVariables", setting(value)))["setVariableResult"]
    return result


def run(scene) -> None:
    asyncio.run(asyncio.wait_for(scene(), 300))


def test_a_new_password_is_used_at_once_and_after_a_restart_and_told_to_nobody(tmp_path, caplog):
    file = tmp_path / "state" / "ocpp-password.json"

    async def scene():
        async with met(OLD) as (csms, port):
            async with stand(port=port, endpoint={"password": OLD}, passwords=file) as s:
                await s.until(connected(csms))
                link = csms.stations["CS-1"].link
                csms.admission._door = door(NEW)  # from now on it knows the new one alone
                assert (await asked(csms))["attributeStatus"] == "Accepted"
                await s.until(lambda: connected(csms)() and csms.stations["CS-1"].link is not link)
                await s.until(lambda: OLD not in file.read_text())  # it has worked
                assert stat.S_IMODE(file.stat().st_mode) == 0o600
                assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
                read = (await csms.call("CS-1", "GetVariables", {"getVariableData": [PLACE]}))["getVariableResult"][0]
                assert read["attributeStatus"] == "Rejected"
                assert NEW not in repr(s.point.bridge.charger) + repr(vars(s.point)) + repr(s.point.account())
            async with stand(port=port, endpoint={"password": OLD}, passwords=file) as s:
                csms.stations.clear()
                await s.until(connected(csms))
                assert s.point.account()["failures"] == 0

    with caplog.at_level(logging.DEBUG):
        run(scene)
    assert "another password" in caplog.text
    assert OLD not in caplog.text
    assert NEW not in caplog.text
    assert "Basic " not in caplog.text


def test_the_password_before_is_tried_where_the_new_one_is_refused_and_the_new_one_again(tmp_path):
    async def scene():
        async with met(OLD) as (csms, port), stand(port=port, endpoint={"password": OLD}, passwords=tmp_path / "kept") as s:
            await s.until(connected(csms))
            link = csms.stations["CS-1"].link
            assert (await asked(csms))["attributeStatus"] == "Accepted"  # and the CSMS forgets that it asked for it
            await s.until(lambda: connected(csms)() and csms.stations["CS-1"].link is not link)
            link = csms.stations["CS-1"].link
            csms.admission._door = door(NEW)
            await link.close()
            await s.until(lambda: connected(csms)() and csms.stations["CS-1"].link is not link)

    run(scene)


@pytest.mark.parametrize("place", [None, "a file in the way"])
def test_a_password_that_cannot_be_kept_is_refused_with_the_reason(tmp_path, place):
    file = None
    if place is not None:
        (tmp_path / "state").write_text("")
        file = tmp_path / "state" / "kept"

    async def scene():
        async with met(OLD) as (csms, port), stand(port=port, endpoint={"password": OLD}, passwords=file) as s:
            await s.until(connected(csms))
            link = csms.stations["CS-1"].link
            answer = await asked(csms)
            assert (answer["attributeStatus"], answer["attributeStatusInfo"]["reasonCode"]) == ("Rejected", "OutOfStorage")
            assert (await asked(csms, "too short"))["attributeStatusInfo"]["reasonCode"] == "InvalidValue"
            await csms.call("CS-1", "GetVariables", {"getVariableData": [PLACE]})
            assert csms.stations["CS-1"].link is link
            await link.close()
            await s.until(lambda: connected(csms)() and csms.stations["CS-1"].link is not link)  # by the old one

    run(scene)


def test_a_station_without_a_password_goes_over_to_profile_1_with_one(tmp_path):
    async def scene():
        async with met(None) as (csms, port), stand(port=port, passwords=tmp_path / "kept") as s:
            await s.until(connected(csms))
            profile = s.point.bridge.charger.variables
            assert profile["SecurityCtrlr.SecurityProfile"] == "0"
            csms.admission._door, link = door(NEW), csms.stations["CS-1"].link
            assert (await asked(csms))["attributeStatus"] == "Accepted"
            await s.until(lambda: connected(csms)() and csms.stations["CS-1"].link is not link)
            assert profile["SecurityCtrlr.SecurityProfile"] == "1"

    run(scene)


def test_who_shows_a_certificate_takes_no_password(tmp_path):
    passwords = Passwords("CS-1", None, tmp_path / "kept", by_certificate=True)
    assert passwords.objection(NEW)[0] == "UnsupportedParam"
    assert passwords.present is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"station": "CS-1"}', b'{"station": "CS-2", "passwords": ["x"]}', b"\xff" * 100_000])
def test_a_file_that_is_none_of_the_stations_leaves_the_configured_password(tmp_path, content):
    file = tmp_path / "kept"
    file.write_bytes(content)
    passwords = Passwords("CS-1", OLD, file)
    passwords.read()
    assert passwords.present == OLD


def test_only_a_refusal_of_the_password_is_one(tmp_path):
    passwords = Passwords("CS-1", OLD, tmp_path / "kept")
    assert passwords.objection(NEW) is None
    passwords.refused(503)
    assert passwords.present == NEW
    passwords.refused(401)
    assert passwords.present == OLD
    assert not passwords.worked()  # the new one may still come into use
    passwords.refused(401)
    assert passwords.present == NEW
    assert passwords.worked()
    passwords.write()
    again = Passwords("CS-1", OLD, tmp_path / "kept")
    again.read()
    assert again.present == NEW
    again.refused(401)
    assert again.present == OLD  # the configured one is the last resort
