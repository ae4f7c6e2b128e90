"""Tenants are walls: nobody reads or moves what is another's by any route of the description; roles, keys, rates, the audit trail."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from sqlalchemy import select

from tests.v2gkit.csms.houses import asked
from tests.v2gkit.fleet.depot import written
from tests.v2gkit.fleet.played import Stage
from tests.v2gkit.fleet.test_oidc import issuer
from tests.v2gkit.fleet.test_store import due
from v2gkit.fleet import declared
from v2gkit.fleet.metrics import registry_of
from v2gkit.fleet.rest import keys, site
from v2gkit.fleet.rest.answers import Answers
from v2gkit.fleet.rest.declared import LISTINGS, ROLES, VERBS
from v2gkit.fleet.rest.openapi import description
from v2gkit.fleet.rows import declared_rows, with_added
from v2gkit.fleet.store.reading import added_rows
from v2gkit.fleet.store.tables import METADATA
from v2gkit.grid.standing import Standing
from v2gkit.sql.words import Row

METRO = ("metro", "depot", "bus", "staff", "buses", 'peak"', "metro-secret")  # words that stand in nothing of the shop's
SHOP = ("shop", '"lot"', "guest", "shop-secret")
TIMES = {"start": 1_800_000_000.0, "until": 1_800_000_900.0, "doc": "[]", "kind": "import_cap", "by": ""}
IDS = {"metro": ("depot", "read"), "shop": ("lot", "read")}


@dataclass
class Lodge:
    """A fleet at work with its REST. `ask` returns status and JSON of an answer."""

    stage: Stage
    url: str
    keys: dict[str, dict[str, str]]

    async def ask(self, method: str, path: str, tenant: str = "metro", role: str = "admin", body: Any = None) -> tuple[int, Any]:
        data = None if method == "GET" else json.dumps(body if body is not None else {}).encode()
        headers = {"Authorization": f"Bearer {self.keys[tenant][role]}"} if tenant else {}
        request = urllib.request.Request(f"{self.url}/v1{path}", data, headers, method=method)
        status, octets, _ = await asyncio.to_thread(asked, request)
        return status, json.loads(octets)


@asynccontextmanager
async def lodge(folder: Path) -> AsyncIterator[Lodge]:
    stage = Stage(folder)
    await stage.store.keep(declared_rows(stage.conductor.fleet, stage.now))
    stage.cars()
    stage.conductor.heed("peak", Standing(import_cap=20_000.0, import_by=("dso:1",)))
    stage.conductor.heed("peak-shop", Standing(import_cap=9_000.0, import_by=("dso:2",)))
    await stage.settle()
    await stage.conductor.telemetry()
    await stage.store.settle([due("metro", 0), due("shop", 0)], "SF")
    for tenant, asset in (("metro", "bus0"), ("shop", "guest0")):
        known = {"tenant": tenant, "asset": asset}
        await stage.store.keep(
            [
                Row("sessions", known | {"id": f"{tenant}-secret", "contract": asset, "began": stage.now}),
                Row("registers", known | {"session": f"{tenant}-secret", "at": stage.now, "imported": 1.0, "exported": 0.0}),
                Row(
                    "signals",
                    {"tenant": tenant, "id": f"{tenant}-secret", "version": 1.0, "received": stage.now, "fate": "obeyed", **TIMES},
                ),
                Row("prices", {"tenant": tenant, "tariff": f"{tenant}-secret", "start": stage.now, "until": stage.now + 900.0}),
                Row("plans", {"tenant": tenant, "site": f"{tenant}-secret", "at": stage.now, "doc": "{}"}),
                Row("audit", {"tenant": tenant, "at": stage.now, "who": f"{tenant}-secret", "outcome": "done"}),
            ]
        )
    made = await keys.first(stage.store, stage.conductor.fleet, stage.now)  # type: ignore[arg-type]
    async with issuer() as (tokens, _):
        for tenant in made:  # whoever comes with a token of the issuer stands before the same walls
            made[tenant] |= {f"{role} by token": tokens.token(tenant=tenant, role=role) for role in ROLES}
        answers = Answers(stage.conductor, stage.store, lambda: stage.now)
        async with site.opened(answers, "127.0.0.1", 0, None, tokens.judge.bearer) as url:
            yield Lodge(stage, url, made)
    stage.store.close()  # type: ignore[attr-defined]


def routes() -> list[tuple[str, str]]:
    """Every route of the description: method and path."""
    paths = description("0")["paths"]
    return [(method.upper(), path.removeprefix("/v1")) for path, verbs in paths.items() for method in verbs]


def test_the_description_is_valid_and_whole() -> None:
    said = description("0")
    validate(said)
    assert set(routes()) == {("GET", each.path) for each in LISTINGS} | {(each.method, each.path) for each in VERBS}
    assert {each.table for each in LISTINGS} | {"about"} == set(METADATA.tables), "a table that nobody can read, or that has no wall"


async def _crossed(house: Lodge, tenant: str, foreign: tuple[str, ...], ids: list[str], role: str = "admin") -> int:
    """Ask every route as one tenant, with ids of the other; how many answers there were."""
    count = 0
    own = {
        "site": IDS[tenant][0],
        "contract": {"metro": "staff", "shop": "guests"}[tenant],
        "power": 7_000,
        "id": "more",
        "station": "CS-more",
    }
    bodies = {"/sites/{id}/limit": {"power": 1.0}, "/keys": {"name": "more", "role": "read"}, "/assets": own}
    for method, path in routes():
        for id_ in ids if "{id}" in path else [""]:
            status, said = await house.ask(method, path.replace("{id}", id_), tenant, role, bodies.get(path))
            text = json.dumps(said)
            if "{id}" in path:
                assert status == 404, f"{method} {path} of another tenant's {id_!r}: {status} {text[:200]}"
                assert text.count(id_) <= 1  # the name that was asked for
            else:
                assert status == 200, f"{method} {path}: {status} {text[:200]}"
                assert not [word for word in foreign if word in text], f"{method} {path} of {tenant} tells {text[:500]}"
            count += 1
    return count


@pytest.mark.parametrize("role", ["admin", "admin by token"])
def test_no_route_leads_to_another_tenant(role: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with lodge(tmp_path) as house:
            limits = {place.site.id: place.limit for place in house.stage.conductor.places.values()}
            decisions = METADATA.tables["decisions"]
            for tenant, other, words in (("metro", "shop", SHOP), ("shop", "metro", METRO)):
                mine = select(decisions.c.id).where(decisions.c.tenant == other)
                theirs = list(await house.stage.store.read(lambda c, s=mine: c.execute(s).scalars().all()))  # type: ignore[misc]
                assert theirs
                site_, _ = IDS[other]
                await house.stage.store.keep([Row("keys", {"digest": other, "tenant": other, "name": f"{other}-own", "role": "read"})])
                asset = {"metro": "bus0", "shop": "guest0"}[other]
                assert await _crossed(house, tenant, words, [theirs[0], site_, f"{other}-own", asset], role) >= len(routes())
                mine, added = {"metro": ("depot", "staff"), "shop": ("lot", "guests")}, {"power": 1, "id": "x", "station": "x"}
                for site_, contract in ((mine[other][0], mine[tenant][1]), (mine[tenant][0], mine[other][1])):
                    status, _ = await house.ask("POST", "/assets", tenant, role, added | {"site": site_, "contract": contract})
                    assert status == 404
                status, _ = await house.ask("POST", "/assets/more/remove", tenant, role)
                assert status == 200
            assert {place.site.id: place.limit for place in house.stage.conductor.places.values()} == limits
            for listing in LISTINGS:  # and a filter, or the place of another's page, opens nothing
                for query in ("limit=1&newest=true", *(f"{name}=guest0" for name in listing.filters)):
                    status, said = await house.ask("GET", f"{listing.path}?{query}")
                    assert status == 200
                    assert "guest" not in json.dumps(said)
                    if said["next"]:
                        _, foreign = await house.ask("GET", f"{listing.path}?after={said['next']}&newest=true", "shop")
                        assert "bus" not in json.dumps(foreign)

    asyncio.run(asyncio.wait_for(scene(), 200))


def test_roles_keys_and_rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with lodge(tmp_path) as house:
            assert (await house.ask("GET", "/now", tenant=""))[0] == 401
            house.keys["metro"]["nobody"] = "nonsense"
            assert (await house.ask("GET", "/now", role="nobody"))[0] == 401
            wanted = {("GET", each.path): each.role for each in LISTINGS} | {(each.method, each.path): each.role for each in VERBS}
            for (method, path), role in wanted.items():
                for lower in [f"{name}{way}" for name in ROLES[: ROLES.index(role)] for way in ("", " by token")]:
                    assert (await house.ask(method, path.replace("{id}", "depot"), role=lower))[0] == 403, (method, path, lower)
            status, said = await house.ask("POST", "/sites/depot/limit", role="operate", body={"power": 12_000})
            assert (status, house.stage.conductor.places["depot"].limit) == (200, 12_000)
            await house.stage.settle()
            assert house.stage.drawn("depot") <= 10_000 + 1
            assert (await house.ask("POST", "/sites/depot/limit", body={"power": -1}))[0] == 400
            assert (await house.ask("POST", "/sites/depot/limit", body={"powr": 1}))[0] == 400
            status, said = await house.ask("POST", "/keys", body={"name": "eve", "role": "read"})
            house.keys["metro"]["eve"] = said["key"]
            assert (await house.ask("GET", "/now", role="eve"))[0] == 200
            assert (await house.ask("POST", "/keys/eve/revoke"))[0] == 200
            assert (await house.ask("GET", "/now", role="eve"))[0] == 401
            _, audit = await house.ask("GET", "/audit?limit=1000")
            outcomes = {(row["who"], row["path"], row["outcome"]) for row in audit["rows"]}
            assert ("operate", "/v1/sites/depot/limit", "done") in outcomes
            assert ("read", "/v1/sites/depot/limit", "refused: wants operate") in outcomes
            assert house.keys["metro"]["admin"] not in json.dumps(audit)
            monkeypatch.setattr(keys, "RATE", 0.001)
            answers = [(await house.ask("GET", "/bills", "shop"))[0] for _ in range(110)]
            assert 429 in answers
            assert (await house.ask("GET", "/bills"))[0] == 200  # another tenant's key is not slowed

    asyncio.run(asyncio.wait_for(scene(), 200))


def test_what_is_read_is_so(tmp_path: Path) -> None:
    async def scene() -> None:
        async with lodge(tmp_path) as house:
            _, said = await house.ask("GET", "/decisions?newest=true&limit=1")
            id_ = said["rows"][0]["id"]
            _, decision = await house.ask("GET", f"/decisions/{id_}")
            assert decision["replayed"] is True
            assert decision["decision"]["id"] == id_
            _, bills = await house.ask("GET", "/bills")
            assert bills["parties"] == {"driver": -1.0, "operator": 1.0}
            _, forecast = await house.ask("GET", "/forecast")
            assert forecast["sites"][0]["bids"][0]["cars"] >= 0
            figures = list(registry_of(house.stage.conductor, house.stage.store).collect())  # type: ignore[arg-type]
            limit = next(each for each in figures if each.name == "v2g_fleet_site_limit_watts")
            assert {sample.labels["site"]: sample.value for sample in limit.samples} == {"depot": 20_000, "lot": 9_000}
            for path, status in (("/orders?limit=0", 400), ("/orders?after=x", 400), ("/orders?who=x", 400), ("/nothing", 404)):
                assert (await house.ask("GET", path))[0] == status

    asyncio.run(asyncio.wait_for(scene(), 200))


def test_assets_are_added_and_taken_away(tmp_path: Path) -> None:
    async def scene() -> None:
        async with lodge(tmp_path) as house:
            conductor = house.stage.conductor
            new = {"id": "bus9", "site": "depot", "contract": "buses", "station": "CS-9", "power": 11_000, "give": 11_000, "safe": 1_000}
            for wrong, status in (
                ({"kind": "modbus", "address": "127.0.0.1:22"}, 400),  # nothing that leads to other machines, or to files
                ({"feed": {"socket": "/run/other.sock"}}, 400),
                ({"api": "../../etc/passwd"}, 400),
                ({"station": "CS-guest0"}, 400),
                ({"id": "bus0"}, 400),
                ({"feeder": "attic"}, 400),
                ({"safe": 60_000, "power": 70_000}, 400),
                ({"viewer": "javascript:alert(1)"}, 400),
            ):
                assert (await house.ask("POST", "/assets", body=new | wrong))[0] == status, wrong
            assert (await house.ask("POST", "/assets", role="operate", body=new))[0] == 403
            assert (await house.ask("POST", "/assets", body=new | {"viewer": "http://bus9.example:9180/"}))[0] == 200
            assert (await house.ask("POST", "/assets", body=new))[0] == 400
            house.stage.cars("bus9")
            await house.stage.settle()
            assert house.stage.yard.holds["bus9"] > 0
            _, now = await house.ask("GET", "/now")
            assert "bus9" in [asset["id"] for asset in now["sites"][0]["assets"]]
            later, faults = with_added(declared.read(written(tmp_path)), await house.stage.store.read(added_rows))
            assert "bus9" in later.assets  # also after the process
            assert not faults
            assert (await house.ask("POST", "/assets/bus0/remove"))[0] == 409  # the file's
            assert (await house.ask("POST", "/assets/bus9/remove"))[0] == 409  # somebody is there
            conductor.gone("bus9")
            house.stage.yard.deaf.add("bus9")
            assert (await house.ask("POST", "/assets/bus9/remove"))[0] == 409  # nobody knows what it draws
            assert conductor.orders["bus9"][1] == "refused"
            house.stage.yard.deaf.clear()
            assert (await house.ask("POST", "/assets/bus9/remove"))[0] == 200
            assert house.stage.yard.holds["bus9"] == 0
            assert "bus9" not in conductor.fleet.assets
            await house.stage.settle()
            assert "bus9" not in with_added(declared.read(written(tmp_path)), await house.stage.store.read(added_rows))[0].assets
            _, audit = await house.ask("GET", "/audit?limit=1000")
            assert ("/v1/assets/bus9/remove", "done") in {(row["path"], row["outcome"]) for row in audit["rows"]}

    asyncio.run(asyncio.wait_for(scene(), 200))
