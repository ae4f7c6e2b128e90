"""Supervision of foreign programs: what they say is read, and nothing of them is left."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.starved import HANG
from v2gkit.peers import ecog_setup
from v2gkit.peers.network import NoNetwork, cable
from v2gkit.peers.process import Process, ProcessFailed

PARENT = """
import json, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("not json", flush=True)
print(json.dumps({"child": child.pid}), flush=True)
child.wait()
"""


def started(tmp_path: Path, program: str) -> Process:
    return Process("program", [sys.executable, "-c", program], folder=tmp_path, log=tmp_path / "log")


def alive(pid: int) -> bool:
    """Whether a process runs: what has ended and waits for its parent does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked for in /proc")
def test_a_program_takes_its_children_with_it(tmp_path: Path) -> None:
    async def scene() -> int:
        async with started(tmp_path, PARENT) as process:
            child = int((await process.expect("child", HANG))["child"])
            assert alive(child)
        async with asyncio.timeout(HANG):
            while alive(child):  # noqa: ASYNC110 - it is killed, and ends when it gets a processor
                await asyncio.sleep(0.02)
        return child

    asyncio.run(scene())
    assert (tmp_path / "log").read_bytes() == b"not json\n"


def test_a_program_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    async def scene() -> None:
        async with started(tmp_path, "import time; time.sleep(600)") as process:
            await process.expect("port", 0.2)

    with pytest.raises(ProcessFailed, match=r"program did not say 'port' within 0.2 s; see .*log"):
        asyncio.run(scene())


def test_an_early_end_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        async with started(tmp_path, "import sys; sys.exit(3)") as process:
            await process.expect("port", HANG)

    with pytest.raises(ProcessFailed, match="program ended with exit code 3 before it said 'port'"):
        asyncio.run(scene())


def test_the_last_word_and_the_exit_code(tmp_path: Path) -> None:
    async def scene() -> tuple[int, object]:
        async with started(tmp_path, "print('{\"a\": 1}'); print('{\"b\": 2}'); print('[3]')") as process:
            return await process.finish(HANG), process.last

    assert asyncio.run(scene()) == (0, {"b": 2})


def test_without_java_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ecog_setup.PeerMissing, match=r"needs a Java runtime.*apt-get install default-jre-headless"):
        ecog_setup.install(tmp_path / "peer")
    assert not (tmp_path / "peer").exists()


def test_a_cable_joins_two_namespaces() -> None:
    try:
        with cable() as ends:
            namespaces = {ends.station, ends.car}
            assert namespaces <= set(os.listdir("/run/netns"))
    except NoNetwork as reason:
        pytest.skip(str(reason))
    assert not namespaces & set(os.listdir("/run/netns"))
