"""Value-added services of ISO 15118-2 that a car takes: contracts over the station (Certificate), the Internet."""

from collections.abc import Iterable
from typing import Any

from evcc.iso2.known import Car
from evcc.iso2.wallet import asked_for
from evcc.script import Part
from v2g.iso2.services import CERTIFICATE, INTERNET
from v2g.messages.iso2.msg_body import ServiceDetailReq, ServiceDiscoveryRes
from v2g.messages.iso2.msg_data_types import ParameterSetType, SelectedServiceType
from v2g.session.errors import PeerMisbehaved


def added_services(car: Car, found: ServiceDiscoveryRes) -> Part[tuple[SelectedServiceType, ...]]:
    """The value-added services that the car takes of those offered, each with the parameter set that fits its wish.

    Sets `car.known.asking` where a contract is to be asked for, and `car.known.internet`.
    """
    there = {service.ServiceID for service in found.ServiceList.Service} if found.ServiceList else set()
    taken = list[SelectedServiceType]()
    if CERTIFICATE in there and (kinds := asked_for(car, found.PaymentOptionList.PaymentOption)):
        sets = yield from parameters(CERTIFICATE)
        for kind in kinds:
            if (number := fitting(sets, "Service", kind)) is not None:
                car.known.asking = kind
                taken.append(SelectedServiceType(ServiceID=CERTIFICATE, ParameterSetID=number))
                break
        else:
            car.note("no contract", why=f"the station's service Certificate has no {' or '.join(kinds)}")
    if INTERNET in there and car.wish.internet:
        sets = yield from parameters(INTERNET)
        for protocol in car.wish.internet:
            if (number := fitting(sets, "Protocol", protocol)) is not None:
                car.known.internet = protocol
                taken.append(SelectedServiceType(ServiceID=INTERNET, ParameterSetID=number))
                break
        else:
            car.note("service passed over", service="Internet", why=f"the station has no {' or '.join(car.wish.internet)}")
    return tuple(taken)


def parameters(service: int) -> Part[tuple[ParameterSetType, ...]]:
    """The parameter sets of a service; none where it has no parameters. Raises PeerMisbehaved for those of another one."""
    told: Any = yield ServiceDetailReq(ServiceID=service)
    if told.ServiceID != service:
        raise PeerMisbehaved(f"the station tells of service {told.ServiceID}, and was asked for {service}", None)
    return told.ServiceParameterList.ParameterSet if told.ServiceParameterList else ()


def fitting(sets: Iterable[ParameterSetType], name: str, value: str) -> int | None:
    """The id of the first parameter set whose parameter of that name says this, in whatever case; None without one."""
    for one in sets:
        if any(each.Name == name and (each.stringValue or "").lower() == value.lower() for each in one.Parameter):
            return one.ParameterSetID
    return None
