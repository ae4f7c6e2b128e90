"""A utility server of IEEE 2030.5 (CSIP-AUS) for the laboratory: one device, one program with limits of import, on loopback by HTTP.

It is no server for anybody else: without TLS, without pages of lists, and what is sent to it is kept only as far as a judge asks for it.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

NS: Final = 'xmlns="urn:ieee:std:2030.5:ns" xmlns:csipaus="https://csipaus.org/ns"'
LONGEST: Final = 65_536  # octets of a request
DER: Final = "/edev/1/der/1"
DEVICE: Final = (
    '<EndDevice href="/edev/1"><DERListLink href="/edev/1/der"/><lFDI>{lfdi}</lFDI>'
    '<FunctionSetAssignmentsListLink href="/edev/1/fsa"/></EndDevice>'
)


@dataclass(frozen=True, slots=True)
class Curb:
    """A DERControl: for `seconds` from `start` (epoch s) at most `power` (W) are drawn."""

    mrid: str
    start: int
    seconds: int
    power: int

    @property
    def xml(self) -> str:
        """As it stands in the list."""
        return (
            f'<DERControl replyTo="/rsp" responseRequired="03"><mRID>{self.mrid}</mRID><creationTime>{self.start}</creationTime>'
            f"<EventStatus><currentStatus>0</currentStatus><dateTime>{self.start}</dateTime>"
            f"<potentiallySuperseded>false</potentiallySuperseded></EventStatus>"
            f"<interval><duration>{self.seconds}</duration><start>{self.start}</start></interval><DERControlBase>"
            f"<csipaus:opModImpLimW><multiplier>0</multiplier><value>{self.power}</value></csipaus:opModImpLimW></DERControlBase></DERControl>"
        )


class Utility:
    """The server of one device. `wall` gives epoch s. `answers` are the statuses told of each control, `reports` the kinds sent."""

    def __init__(self, lfdi: str, wall: Callable[[], float]) -> None:
        self.lfdi, self._wall = lfdi, wall
        self._curbs: list[Curb] = []
        self._registered = False
        self.answers: dict[str, list[int]] = {}
        self.reports: set[str] = set()

    def curb(self, mrid: str, seconds: float, power: float) -> None:
        """Let the device draw no more than this (W) for so many s from now on."""
        self._curbs.append(Curb(mrid, int(self._wall()), int(seconds), int(power)))

    def answer(self, method: str, path: str, body: str) -> tuple[int, str]:
        """The status and the resource that answer a request."""
        if method == "GET":
            text = self._resource(path)
            return (200, text) if text else (404, "")
        if path == "/edev" and self.lfdi in body:
            self._registered = True
            return 201, ""
        if path == "/rsp":
            mrid, status = re.search(r"subject>(\w+)<", body), re.search(r"status>(\d+)<", body)
            if mrid is None or status is None:
                return 400, ""
            self.answers.setdefault(mrid[1], []).append(int(status[1]))
            return 201, ""
        if path.startswith(DER):
            self.reports.add(path.rpartition("/")[2])
            return 204, ""
        return 404, ""

    def _resource(self, path: str) -> str:
        links = "".join(f'<DER{name}Link href="{DER}/{name}"/>' for name in ("Capability", "Settings", "Status"))
        program = '<mRID>A1</mRID><DERControlListLink href="/derc"/><primacy>1</primacy>'
        inside = {
            "/dcap": ("DeviceCapability", '<TimeLink href="/tm"/><EndDeviceListLink href="/edev"/>'),
            "/tm": ("Time", f"<currentTime>{int(self._wall())}</currentTime>"),
            "/edev": ("EndDeviceList", DEVICE.format(lfdi=self.lfdi) if self._registered else ""),
            "/edev/1/fsa": (
                "FunctionSetAssignmentsList",
                '<FunctionSetAssignments><DERProgramListLink href="/derp"/></FunctionSetAssignments>',
            ),
            "/edev/1/der": ("DERList", f"<DER>{links}</DER>"),
            "/derp": ("DERProgramList", f"<DERProgram>{program}</DERProgram>"),
            "/derc": ("DERControlList", "".join(each.xml for each in self._curbs)),
        }.get(path)
        return "" if inside is None else f"<{inside[0]} {NS}>{inside[1]}</{inside[0]}>"

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Answer on loopback within the block; gives the URL of the DeviceCapability."""

        async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"(?i)\r\ncontent-length: *(\d{1,5})\r\n", head)
                body = (await reader.readexactly(min(int(length[1]), LONGEST))).decode() if length is not None else ""
                method, target = head.split(" ", 2)[:2]
                status, text = self.answer(method, target.partition("?")[0], body)
                octets = text.encode()
                writer.write(
                    f"HTTP/1.1 {status} -\r\nContent-Type: application/sep+xml\r\nContent-Length: {len(octets)}\r\n\r\n".encode() + octets
                )
                await writer.drain()
            except (ConnectionError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(attend, "127.0.0.1", 0, limit=LONGEST)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/dcap"
        finally:
            server.close()
