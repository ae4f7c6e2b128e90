"""How resources are asked for and sent: page after page, by links that lead to nobody else, within bounds. Scripts, as in OpenADR 3."""

from collections.abc import Generator
from typing import Final, TypeVar
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from v2g.address import origin
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.http import Request, Response
from v2gkit.grid.sep2 import words

T = TypeVar("T")
Script = Generator[Request, Response, T]
PAGE: Final = 50  # of a list
MOST: Final = {
    "EndDevice": 1_024, "FunctionSetAssignments": 16, "DERProgram": 32, "DERControl": 256, "DER": 4, "MirrorUsagePoint": 256,
    "Subscription": 1_024, "TariffProfile": 16, "RateComponent": 64, "TimeTariffInterval": 1_024, "ConsumptionTariffInterval": 16,
}  # fmt: skip
WATCHED: Final = (
    "EndDeviceList", "FunctionSetAssignmentsList", "DERProgramList", "DERControlList", "DefaultDERControl", "TariffProfileList",
    "TimeTariffIntervalList",
)  # fmt: skip
"""Resources whose changes are worth a round."""
SUBSCRIBABLE: Final = ("1", "3")  # attribute: without a condition, or with and without one
SUBSCRIPTIONS: Final = 256  # resources that are watched at once


class Asking:
    """One server: the URL of its DeviceCapability, and whose version of CSIP-AUS our messages have.

    `subscribable` are the links that were followed to resources of which it says that it tells their changes.
    """

    def __init__(self, url: str, version: str) -> None:
        self.url, self._version = url, version
        self.subscribable: dict[str, None] = {}

    def get(self, where: str, *kinds: str) -> Script[Element]:
        """The resource at a link, which must be one of these kinds. Raises GridFault."""
        answer = yield Request("GET", self.there(where), None, {"Accept": words.TYPE})
        if answer.status != 200:
            raise refused(answer, f"GET {where}")
        try:
            found = words.read(answer.body, *kinds)
        except GridFault as fault:
            raise GridFault(fault.trouble, f"GET {quoted(where)}: {fault}") from None
        if found.get("subscribable") in SUBSCRIBABLE and found.tag in map(words.full, WATCHED) and len(self.subscribable) < SUBSCRIPTIONS:
            self.subscribable[where.partition("?")[0]] = None
        return found

    def pages(self, where: str, kind: str, *kinds: str) -> Script[tuple[list[Element], float]]:
        """All elements of a list, page after page, and after how many s it wants to be asked again. Raises GridFault.

        `kinds` are further names that the list may have.
        """
        found: list[Element] = []
        while True:
            page = yield from self.get(f"{where}{'&' if '?' in where else '?'}s={len(found)}&l={PAGE}", f"{kind}List", *kinds)
            new = page.findall(words.full(kind))
            found += new
            if len(found) > MOST[kind]:
                raise GridFault(Trouble.HUGE, f"{quoted(where)}: more than {MOST[kind]} of {kind}")
            whole = page.get("all", "")
            if not new or not (whole.isascii() and whole.isdecimal() and len(whole) < 10) or len(found) >= int(whole):
                return found, words.poll_of(page)

    def all(self, where: str, kind: str) -> Script[list[Element]]:
        """All elements of a list. Raises GridFault."""
        return (yield from self.pages(where, kind))[0]

    def send(self, method: str, where: str, kind: str, parts: list[words.Part]) -> Script[None]:
        """Send a resource with these parts. Raises GridFault where it is not taken."""
        body = words.octets_of(kind, parts, self._version)
        answer = yield Request(method, self.there(where), body, {"Content-Type": words.TYPE, "Accept": words.TYPE})
        if answer.status not in (200, 201, 204):
            raise refused(answer, f"{method} {kind}")

    def delete(self, where: str) -> Script[None]:
        """Take a resource back; one that is not there any more is no fault. Raises GridFault."""
        answer = yield Request("DELETE", self.there(where), None, {"Accept": words.TYPE})
        if answer.status not in (200, 202, 204, 404):
            raise refused(answer, f"DELETE {where}")

    def there(self, where: str) -> str:
        """The URL of a link. GridFault for one that leads to somebody else."""
        try:
            url = urljoin(self.url, where)
            if origin(url) != origin(self.url) or len(url) > 2_048:
                raise ValueError("it is of another server")
        except ValueError as error:
            raise GridFault(Trouble.DENIED, f"a link to {quoted(where)} is not followed: {error}") from None
        return url


def refused(answer: Response, what: str) -> GridFault:
    """The fault of an answer that is no success."""
    trouble = Trouble.DENIED if 400 <= answer.status < 500 else Trouble.UNREACHABLE
    return GridFault(trouble, f"{what} is answered {answer.status}")
