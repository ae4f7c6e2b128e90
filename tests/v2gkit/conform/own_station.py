"""`v2g conform station` against our own station: `python -m tests.v2gkit.conform.own_station 20|2|DIN PKI OUT [SETTING]...`.

The station is set up in every way that some case needs (`settings`), the usual one with eight outlets; PKI has certificates of every
generation. OUT holds the results of all together, and those of each setting below it. What came to no verdict is played once more when
the others are over. The exit code is 1 where a case failed or came to no verdict, unless it was for want of a processor: that is told.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from shutil import copytree

from pki.store import Store
from tests.v2gkit.conform.settings import SETTINGS, Setting, base, equipped, plays
from tests.v2gkit.conform.stations import station
from v2g.session.link import address_text
from v2gkit.cli.conform.telling import Teller
from v2gkit.conform.at_station import benches
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import chosen
from v2gkit.conform.pics import Pics
from v2gkit.conform.published import publish
from v2gkit.conform.results import EVIDENCE, RESULTS, campaign, read
from v2gkit.conform.running import run
from v2gkit.conform.verdict import Result, Verdict
from v2gkit.conform.wallet import Wallet
from v2gkit.conform.written import row

OPEN = (Verdict.NOT_APPLICABLE, Verdict.INCONCLUSIVE)  # what a later run may still answer
LATE = "this side was late"


def written(pics: Pics) -> str:
    """The PICS as TOML, as the file that somebody gave."""
    claims = "".join(f"{name} = {json.dumps(value)}\n" for name, value in asdict(pics.claims).items())
    test = "".join(f"{name} = {json.dumps(value)}\n" for name, value in asdict(pics.test).items() if name != "triggers")
    return f"device = {json.dumps(pics.device)}\n[claims]\n{claims}[test]\n{test}"


def judged(setting: Setting, cases: list[Case], pics: Pics, pki: Path, out: Path, scratch: Path) -> None:
    """Play cases at our station in one setting, and write the results into a folder."""
    certs, more = equipped(setting, pki, scratch)
    with station(scratch, certs, setting.offer, setting.outlets, more) as outlets:
        claimed = setting.pics(pics, address_text(outlets[0]))
        file = scratch / "pics.toml"
        file.write_text(written(claimed))
        teller = Teller(out, "station", len(cases))
        made = benches(claimed, Wallet(Store(certs)), outlets, setting.iface)
        asyncio.run(run(cases, claimed, made, teller, outlets=len(outlets)))
        teller.publish(claimed, ", ".join(map(address_text, outlets)), argparse.Namespace(pics=file, pki=certs))


def merged(out: Path, folders: Iterable[Path], began: float) -> dict[str, Result]:
    """Write the results of all settings together: of each case the first that answers it, else the last."""
    found: dict[str, Result] = {}
    for folder in folders:
        for each in read(folder):
            if each.id not in found or (found[each.id].verdict in OPEN and each.verdict is not Verdict.NOT_APPLICABLE):
                found[each.id] = each
        if (folder / EVIDENCE).is_dir():
            copytree(folder / EVIDENCE, out / EVIDENCE, dirs_exist_ok=True)
    (out / RESULTS).write_text("".join(f"{json.dumps(row(found[id_]))}\n" for id_ in sorted(found)), encoding="utf-8")
    first = campaign(out / "usual")
    publish(out, replace(first, began=began, took=time.time() - began))
    return found


def main(generation: str, pki: Path, out: Path, wanted: list[str]) -> int:
    """Play every case that some setting admits; 1 where one failed or came to no verdict."""
    pics, began = base(generation), time.time()
    cases = tuple(chosen("station", (), (generation,)))
    played = {name: found for name, found in plays(generation, cases).items() if found and (not wanted or name in wanted)}
    folders = []
    for name, found in played.items():
        folders.append(out / name.replace(" ", "-"))
        with tempfile.TemporaryDirectory() as scratch:
            judged(SETTINGS[generation][name], list(cases) if name == "usual" else found, pics, pki, folders[-1], Path(scratch))
        if again := {each.id for each in read(folders[-1]) if each.verdict is Verdict.INCONCLUSIVE}:
            folders.append(out / f"{name}-again".replace(" ", "-"))
            with tempfile.TemporaryDirectory() as scratch:
                judged(SETTINGS[generation][name], [each for each in cases if each.id in again], pics, pki, folders[-1], Path(scratch))
    if "usual" not in played:
        return 0
    results = merged(out, folders, began).values()
    for each in results:
        if each.verdict is not Verdict.PASS:
            print(f"{each.verdict.value:<14} {each.id:<10} {each.seen}")
    counted = {verdict: sum(each.verdict is verdict for each in results) for verdict in Verdict}
    print(", ".join(f"{count} {verdict.value}" for verdict, count in counted.items() if count), f"in {time.time() - began:.0f} s: {out}")
    return int(any(each.verdict is Verdict.FAIL or (each.verdict is Verdict.INCONCLUSIVE and LATE not in each.seen) for each in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]), sys.argv[4:]))
