"""IEEE 2030.5: client procedures of `cactus-test-definitions`, which others wrote, played against our client in virtual time.

The server is that of `sep2_server.py`, led by `sep2_lab.py`: a procedure's actions make what it serves, and what is asked and sent is told
to the procedure. One is passed when every step of it is complete, its criteria are met (but for those of `UNREAD`), and the cap that holds
after each round is the one that the server means.
`LACKING` names those that want what the client has not, `UNREAD` those whose steps are complete while criteria want readings or ratings.
"""

import functools
from pathlib import Path
from typing import Any

import pytest

from tests.interop.sep2_lab import GIVEN, LFDIS, OWNER, PIN, TAKEN, Lab
from v2gkit.grid.book import Book
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.link import Promise
from v2gkit.grid.sep2 import reports
from v2gkit.grid.sep2.client import Client
from v2gkit.grid.sep2.following import Following
from v2gkit.grid.sep2.prices import Tariff, tariff_of
from v2gkit.grid.sep2.rating import Rating

ROOT = Path(__file__).parents[2]
PROCEDURES = next(iter((ROOT / ".interop" / "csip").glob("lib/*/site-packages/cactus_test_definitions/client/procedures")), None)
pytestmark = pytest.mark.skipif(PROCEDURES is None, reason="cactus-test-definitions is not in .interop/csip (it wants Python 3.12)")
LONGEST = 80 * 3_600.0  # s of a procedure: one lasts three days
BEHIND = 3_600.0  # s for which a procedure goes on behind its last step, where its criteria are not met yet
TOLD = "https://site.example/utility/sep2"
LACKING = {
    "a person who takes the DER off the grid": "ALL-07 MUL-01",
    "apparent and reactive power, and the modes of a battery": "STO-02 STO-03 STO-05 STO-06",
}
UNJUDGED = ("readings-voltage", "readings-site-reactive-power", "readings-der-reactive-power", "readings-der-stored-energy")
UNREAD = {
    "readings of voltage and reactive power": "ALL-06 ALL-10 MUL-02",
    "stored energy of a battery": "STO-01 STO-04",
}


class Site:
    """Our client of one device, and what its site holds to."""

    def __init__(self, server: Lab, procedure: dict[str, Any], lfdi: str) -> None:
        self.server, self.url = server, f"{TOLD}/{lfdi}"
        pin = PIN if server.server.links and "edev-registration-links" not in str(procedure) else None
        last = next((name for name in ("/.well-known/csipaus",) if "create-wellknown-route" in str(procedure)), "/dcap")
        self.client = Client(
            "http://[::1]" + last, Rating(TAKEN, GIVEN, lfdi), "1.3" if last != "/dcap" else "1.2", pin, "1234567890",
            owner=OWNER, notified=self.url, drm="Demand Response" in procedure["Category"],
        )  # fmt: skip
        self.following, self.book = Following("u", Rating(TAKEN, GIVEN, lfdi)), Book("site", {"u": Promise(900)})
        self.session: Any = None
        self.tariff = Tariff({})
        self.early = False

    def carried(self, script: Any) -> Any:
        try:
            request = next(script)
            while True:
                if self.server.cut:
                    raise GridFault(Trouble.UNREACHABLE, "the link is cut")
                request = script.send(self.server.answer(request.method, request.url, request.body or b""))
        except StopIteration as end:
            return end.value

    def opened(self) -> None:
        self.session = self.carried(self.client.opening(self.server.now))
        self.carried(self.client.reporting(self.session, self.server.now))

    def round(self) -> None:
        server, client, now = self.server, self.client, self.server.now
        before = repr(server.server.programs)
        found = self.carried(client.polling(self.session))
        assert not found.faults
        assert not self.book.take_all("u", "sep2", self.following.told(found.controls, now, found.gradient), now)
        self.book.settle(now)
        self.carried(client.responding(self.session, found, now))
        self.carried(client.stating(self.session, found, now, self.drawn(now)))
        self.carried(client.metering(self.session, 9_000.0, now))
        self.carried(client.metering(self.session, self.drawn(now), now, reports.CHARGERS))
        charges = self.carried(client.pricing(self.session, now))
        if charges:
            self.tariff = tariff_of(charges, now)
        self.carried(client.responding_to_prices(self.session, charges, now))
        self.carried(client.subscribing(self.session))
        if repr(server.server.programs) == before:  # what was changed meanwhile is for the next round
            demand_meant(server, self.book)

    def drawn(self, now: float) -> float:
        """What the chargers draw, W: in ALL-08 somebody stops them for a while."""
        stopped = self.server.enabled.keys() & {"PUT-DERSTATUS-DISCONNECT"} and "operationalModeStatus" in str(self.server.steps)
        return 0.0 if stopped and "generating or consuming" in str(self.server.steps) else 9_000.0


def play(procedure: dict[str, Any]) -> Site:
    """Play a procedure to its end; fails where the client does not what it wants."""
    scene = Lab(procedure)
    before = procedure.get("Preconditions") or {}
    if before.get("immediate_start"):
        scene.do(scene.later)
    sites = [Site(scene, procedure, lfdi) for lfdi in LFDIS[: 2 if "end_device_indexes" in str(before) else 1]]

    def hear(url: str, body: bytes) -> None:
        site = next(each for each in sites if each.url == url)
        assert site.client.subscriptions is not None
        site.client.subscriptions.notified(body)
        site.early = True

    scene.hear = hear
    started, denied = bool(before.get("immediate_start")), 0
    due, ends = scene.now, scene.now + LONGEST
    criteria = [each for each in (procedure.get("Criteria") or {}).get("checks") or () if each["type"] not in UNJUDGED]
    ignored = {name for each in criteria for name in (each.get("parameters") or {}).get("ignored_steps", ())}
    while not scene.finished:
        if not scene.left - ignored:  # whoever conducts a procedure ends it then, and looks at the rest for a while
            ends = min(ends, scene.now + BEHIND)
            if all(map(scene.holds, criteria)) or scene.now >= ends:
                break
        assert scene.now < ends, f"never complete: {sorted(scene.left)}"
        scene.wait()
        if scene.now >= due or any(site.early for site in sites):
            for site in sites:
                site.early = False
                try:
                    if site.session is None:
                        site.opened()
                    started = started or scene.start()
                    site.round()
                    started = started or scene.start()
                except GridFault as fault:  # as the shell does
                    if fault.trouble is not Trouble.UNREACHABLE and scene.server.devices[0].pin == PIN:
                        raise
                    denied += fault.trouble is Trouble.DENIED
                    site.session = None
            due = scene.now + max(scene.server.rates["derp"], 1)
        scene.server.announce()
        scene.now = scene.now + 1 if any(site.early for site in sites) else min(due, max(scene.deadline(), scene.now + 1))
    known = scene.server.devices[0].pin == PIN
    assert bool(denied) is not known
    assert known or all(site.session is None for site in sites)  # where another is meant, nothing but the registration was asked for
    for check in criteria:
        assert scene.holds(check), (check, sorted(scene.left))
    return sites[0]


def demand_meant(server: Lab, book: Book) -> None:
    """Fail unless the caps that hold are those that the server means, where that does not depend on what was before.

    While a limit rises as slowly as it has to, what holds is less.
    """
    held = book.standing(server.now)
    for cap, by, modes in (
        (held.import_cap, held.import_by, ("opModImpLimW", "opModLoadLimW")),
        (held.export_cap, held.export_by, ("opModExpLimW", "opModGenLimW")),
    ):
        wanted = [server.meant(mode) for mode in modes]
        off = [server.meant(mode) for mode in ("opModConnect", "opModEnergize")]
        if None in wanted or None in off:
            continue
        meant = 0.0 if 0.0 in off else min(each for each in wanted if each is not None)
        assert cap == meant or (cap < meant and any(":ramp:" in each for each in by)), (server.now, cap, wanted, off)


@functools.cache
def procedures() -> dict[str, dict[str, Any]]:
    import yaml

    assert PROCEDURES is not None
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted(PROCEDURES.glob("*.yaml"))}


def named(groups: dict[str, str]) -> set[str]:
    return {name for names in groups.values() for name in names.split()}


def passed() -> list[str]:
    return [] if PROCEDURES is None else [name for name in procedures() if name not in named(LACKING)]


@pytest.mark.parametrize("name", passed())
def test_the_client_passes_a_procedure(name: str) -> None:
    play(procedures()[name])


def test_every_procedure_is_played_or_named() -> None:
    lacking = named(LACKING)
    assert lacking | named(UNREAD) <= procedures().keys()
    assert not lacking & named(UNREAD)
    assert len(passed()) + len(lacking) == len(procedures())
    for name in sorted(lacking):
        with pytest.raises((AssertionError, NotImplementedError)):
            play(procedures()[name])
    wanted = {
        name
        for name, procedure in procedures().items()
        for check in (procedure.get("Criteria") or {}).get("checks") or ()
        if check["type"] in UNJUDGED
    }
    assert named(UNREAD) == wanted - lacking


def test_a_price_is_understood_as_the_procedure_says() -> None:
    """The words of PRC-02: blocks from 100 kWh on, components that add up, credits below 0, a fixed cost of a day."""
    procedure = procedures()["PRC-02"]
    seen: list[Tariff] = []

    scene = Lab(procedure)
    scene.do(scene.later)
    site = Site(scene, procedure, LFDIS[0])
    site.opened()
    scene.enabled.clear()
    for _ in range(2):
        site.round()
        seen.append(site.tariff)
    hour = int(scene.now) // 3_600 * 3_600
    imports = {part.start: part.blocks for part in seen[0].ways["import"]}
    exports = {part.start: part.blocks for part in seen[0].ways["export"]}
    assert imports[hour + 7_200] == ((0, 0.000004), (100, 0.000005))
    assert exports[hour + 7_200] == ((0, 0.000001), (100, 0.000002))
    assert imports[hour + 7_500] == ((0, -0.999998),)
    assert exports[hour + 7_500] == ((0, -1.000001),)
    assert imports[hour + 7_800] == ((0, 0.000003),)
    assert hour + 7_800 not in exports
    assert [part.blocks for part in seen[0].ways["day"]] == [((0, 0.00001),)]
    prices = seen[0].prices()
    assert prices is not None
    assert prices.currency == "AUD"
    assert prices.exports.at(hour + 7_600) == 1.000001  # what is given earns
    assert seen[1] == seen[0]
