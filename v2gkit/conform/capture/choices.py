"""What a recorded car chose of what its station had offered."""

from collections.abc import Iterator

from v2g.exi.schema import Type
from v2g.messages.common_messages import (
    AuthorizationReq,
    AuthorizationSetupRes,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceSelectionReq,
)

Look = tuple[str, str, str]  # rule, what was expected, what was seen (empty: as expected)


class Choices:
    """The offers of one session, as far as they were seen."""

    def __init__(self) -> None:
        self._ways: tuple[str, ...] = ()
        self._sets: dict[int, tuple[int, ...]] = {}  # service id -> ids of its parameter sets

    def response(self, request: Type, response: Type) -> None:
        """Take what a station offers."""
        match response:
            case AuthorizationSetupRes():
                self._ways = tuple(each.value for each in response.AuthorizationServices)
            case ServiceDetailRes():
                sets = response.ServiceParameterList.ParameterSet
                self._sets[response.ServiceID] = tuple(each.ParameterSetID for each in sets)
        if isinstance(request, ServiceDiscoveryReq):
            self._sets.clear()

    def request(self, request: Type) -> Iterator[Look]:
        """Judge what a car chooses."""
        match request:
            case AuthorizationReq() if self._ways:
                way = request.SelectedAuthorizationService.value
                yield "C-CHOICE-01", f"one of {', '.join(self._ways)}", "" if way in self._ways else way
            case ServiceSelectionReq() if self._sets:
                added = request.SelectedVASList.SelectedService if request.SelectedVASList is not None else ()
                for each in (request.SelectedEnergyTransferService, *added):
                    known = each.ParameterSetID in self._sets.get(each.ServiceID, ())
                    offered = ", ".join(f"{service}/{one}" for service, sets in self._sets.items() for one in sets)
                    yield "C-CHOICE-02", f"one of {offered}", "" if known else f"{each.ServiceID}/{each.ParameterSetID}"
