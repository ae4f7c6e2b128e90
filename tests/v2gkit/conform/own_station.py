"""`v2g conform station` against our own station: `python -m tests.v2gkit.conform.own_station 20|2|DIN PKI OUT [SETTING]...`.

The station is set up in every way that some case needs (`settings`), the usual one with many outlets; PKI has certificates of every
generation. Settings are played beside each other, in a process for each lane. OUT holds the results of all together, and those of each
setting below it. What came to no verdict is played once more when the others are over. The exit code is 1 where a case failed or came to
no verdict, unless it was for want of a processor: that is told.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from shutil import copytree

from pki.store import Store
from tests.v2gkit.conform.settings import SETTINGS, Setting, base, equipped, plays
from tests.v2gkit.conform.stations import backend, station
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
AGAIN = "-again"
LATE = "this side was late"


def written(pics: Pics) -> str:
    """The PICS as TOML, as the file that somebody gave."""
    claims = "".join(f"{name} = {json.dumps(value)}\n" for name, value in asdict(pics.claims).items())
    test = "".join(f"{name} = {json.dumps(value)}\n" for name, value in asdict(pics.test).items() if name != "triggers")
    return f"device = {json.dumps(pics.device)}\n[claims]\n{claims}[test]\n{test}"


def judged(setting: Setting, cases: Sequence[Case], pics: Pics, pki: Path, out: Path, scratch: Path) -> None:
    """Play cases at our station in one setting, and write the results into a folder."""
    certs, more, csms = equipped(setting, pki, scratch)
    with station(scratch, certs, setting.offer, setting.outlets, more) as outlets:
        claimed = setting.pics(pics, address_text(outlets[0]))
        file = scratch / "pics.toml"
        file.write_text(written(claimed))
        teller = Teller(out, "station", len(cases))
        wallet = Wallet(Store(certs))

        async def play() -> None:
            async with backend(csms, wallet) as found:
                await run(cases, claimed, benches(claimed, wallet, outlets, setting.iface, found), teller, outlets=len(outlets))

        asyncio.run(play())
        teller.publish(claimed, ", ".join(map(address_text, outlets)), argparse.Namespace(pics=file, pki=certs))


def laned(generation: str, names: Sequence[str], ids: Sequence[frozenset[str]], pki: Path, out: Path) -> list[Path]:
    """Play the cases of some ids in each of some settings, one setting after the other; the folders of their results."""
    cases, folders = chosen("station", (), (generation,)), []
    for name, wanted in zip(names, ids, strict=True):
        folders.append(out / name.replace(" ", "-"))
        with tempfile.TemporaryDirectory() as scratch:
            played = [case for case in cases if case.id in wanted]
            judged(SETTINGS[generation][name.removesuffix(AGAIN)], played, base(generation), pki, folders[-1], Path(scratch))
    return folders


def lanes(generation: str, names: Iterable[str]) -> list[list[str]]:
    """Which settings are played one after the other: those on a link, where there is one port for discovery, and those that are short."""
    found: dict[str, list[str]] = {}
    for name in names:
        setting = SETTINGS[generation][name]
        lane = "link" if setting.iface else name if setting.outlets > 1 or setting.alone else "short"
        found.setdefault(lane, []).append(name)
    return list(found.values())


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


def played(generation: str, wanted: list[str], pki: Path, out: Path) -> list[Path]:
    """Play every case in a setting that admits it, all lanes beside each other, then once more what came to no verdict; the folders."""
    cases = tuple(chosen("station", (), (generation,)))
    found = {name: {case.id for case in each} for name, each in plays(generation, cases).items() if each and (not wanted or name in wanted)}
    if "usual" in found:
        found["usual"] = {case.id for case in cases}  # of the others it says why not
    with ProcessPoolExecutor(len(found), get_context("spawn")) as lane:
        jobs = [
            lane.submit(laned, generation, names, [frozenset(found[name]) for name in names], pki, out)
            for names in lanes(generation, found)
        ]
        folders = {folder for job in jobs for folder in job.result()}
    ordered = [out / name.replace(" ", "-") for name in found if out / name.replace(" ", "-") in folders]
    for name, folder in zip(found, list(ordered), strict=True):
        if again := frozenset(each.id for each in read(folder) if each.verdict is Verdict.INCONCLUSIVE):
            ordered += laned(generation, [name + AGAIN], [again], pki, out)
    return ordered


def main(generation: str, pki: Path, out: Path, wanted: list[str]) -> int:
    """Play every case that some setting admits; 1 where one failed or came to no verdict."""
    began, worked = time.time(), cpu()
    folders = played(generation, wanted, pki, out)
    if out / "usual" not in folders:
        return 0
    results = merged(out, folders, began).values()
    for each in results:
        if each.verdict is not Verdict.PASS:
            print(f"{each.verdict.value:<14} {each.id:<10} {each.seen}")
    counted = {verdict: sum(each.verdict is verdict for each in results) for verdict in Verdict}
    longest = max(results, key=lambda each: each.seconds)
    print(", ".join(f"{count} {verdict.value}" for verdict, count in counted.items() if count), f"in {time.time() - began:.0f} s: {out}")
    print(f"{cpu() - worked:.0f} s of processor; the longest case is {longest.id}, {longest.seconds:.0f} s in all its parts")
    return int(any(each.verdict is Verdict.FAIL or (each.verdict is Verdict.INCONCLUSIVE and LATE not in each.seen) for each in results))


def cpu() -> float:
    """Seconds of processor that this process and those that it waited for have had."""
    return sum(sum(resource.getrusage(whose)[:2]) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]), sys.argv[4:]))
