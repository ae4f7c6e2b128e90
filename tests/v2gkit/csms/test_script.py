"""Scripts that operate stations over time."""

import asyncio

import pytest

from tests.ocpp_bridge.ocpp_stand import stand
from tests.v2gkit.csms.houses import lodge
from v2gkit.cli.main import main
from v2gkit.csms.script import perform, read

SCRIPT = """
[[step]]
at = 0.2
station = "NOBODY"
start = 1
[[step]]
station = "*"
call = "ClearCache"
every = 1
[[step]]
at = 0.1
station = "CS-1"
setpoint = -5000
"""


def test_steps_are_done_in_their_order_and_one_that_fails_costs_no_other(tmp_path):
    (tmp_path / "script.toml").write_text(SCRIPT)
    steps = read(tmp_path / "script.toml")
    assert [step.at for step in steps] == [0.0, 0.1, 0.2]

    async def scene() -> None:
        told: list[tuple[str, str]] = []
        async with lodge(tmp_path) as at, stand(at.csms) as s:
            await s.until(lambda: "CS-1" in at.csms.stations and at.csms.stations["CS-1"].status)
            running = asyncio.create_task(perform(at.party, steps, lambda station, text: told.append((station, text))))
            await s.until(lambda: len([line for line in told if "ClearCache: Accepted" in line[1]]) == 2)
            running.cancel()
        assert [line for line in told if "no car" in line[1]]
        assert ("NOBODY", "script, 0.2 s: start: NotFound: no station NOBODY was seen") in told

    asyncio.run(asyncio.wait_for(scene(), 300))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[step]]\nstation = 'X'\n", "nothing to do"),
        ("[[step]]\nstation = 'X'\nstart = 1\nstop = ''\n", "start and stop to do"),
        ("step = []\n", "0 steps"),
        ("[[step]]\nstation = 'X'\nstrat = 1\n", "strat"),
        ("nonsense", "script.toml"),
    ],
)
def test_a_script_that_is_wrong_is_said_with_its_place(text, reason, tmp_path, capsys):
    (tmp_path / "script.toml").write_text(text)
    assert main(["csms", "--port", "0", "--strategy", "none", "--script", str(tmp_path / "script.toml")]) == 2
    assert reason in capsys.readouterr().err
