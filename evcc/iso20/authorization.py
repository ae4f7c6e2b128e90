"""AuthorizationSetup and Authorization: Plug & Charge or external means, whichever both sides have."""

from collections.abc import Iterator
from typing import Any

import msgspec

from evcc.car import Authorization
from evcc.credentials import Contract
from evcc.iso20.contract import conforms, signed_authorization
from evcc.iso20.installation import installation, possible
from evcc.iso20.known import Car
from evcc.iso20.requests import UNSTAMPED, ask, poll
from evcc.script import Limit, Part
from v2g.exi.schema import Type
from v2g.iso20.timing import EVCC_ONGOING_TIMEOUT
from v2g.messages.common_messages import (
    AuthorizationReq,
    AuthorizationSetupReq,
    AuthorizationSetupRes,
    EIM_AReqAuthorizationModeType,
    authorizationType,
)
from v2g.session.errors import Misuse, PeerIncompatible
from v2g.session.profiles import P256_SIGNATURES

AUTHORIZATION = Limit("V2G_EVCC_Authorization_Ongoing_Timeout", EVCC_ONGOING_TIMEOUT)


def authorization(car: Car) -> Part[None]:
    """Authorize by the car's first way that the station offers, after a WARNING by the next; PeerIncompatible when none is left.

    A car without contract, or whose contracts this station warns about, asks for new ones first [V2G20-2221].
    """
    setup: AuthorizationSetupRes = yield ask(AuthorizationSetupReq)
    may_install, refusals = possible(car, setup), list[str]()
    if may_install and (car.contract is None or car.wish.install):
        may_install = False
        yield from installation(car)
    for way in ways(car, setup):
        if (yield from authorized(car, way, setup, refusals)):
            return
        if way == "PnC" and may_install and (yield from installation(car)) and (yield from authorized(car, way, setup, refusals)):
            return
    offered = ", ".join(service.value for service in setup.AuthorizationServices)
    raise PeerIncompatible(
        "authorization " + (f"was refused ({'; '.join(refusals)})" if refusals else f"is offered by {offered} only"), None
    )


def authorized(car: Car, way: Authorization, setup: AuthorizationSetupRes, refusals: list[str]) -> Part[bool]:
    """Try one way to authorize, with every contract that the car has; True once accepted. That contract is the car's first from then on."""
    fitting = tuple(one for one in car.contracts if conforms(one)) or car.contracts  # others may be for another generation
    for contract in fitting if way == "PnC" else (None,):
        # the same request while the station says Ongoing, signature and all; only the time stamp moves on [V2G20-1577] [V2G20-1582]
        response: Any = yield from poll(car, request(car, contract, setup), AUTHORIZATION)
        code = response.ResponseCode.value
        if not code.startswith("WARNING"):
            car.authorization = way
            if contract is not None:
                car.prefer(contract, *(other for other in car.contracts if other is not contract))
            return True
        refusals.append(f"{way}: {code}")  # the station still waits for an authorization [V2G20-2230]
        car.note("authorization refused", way=way, code=code, **({"emaid": contract.emaid} if contract else {}))
    return False


def ways(car: Car, setup: AuthorizationSetupRes) -> Iterator[Authorization]:
    """The ways to authorize that car and station have in common, in the car's order [V2G20-2566]."""
    offered = {service.value for service in setup.AuthorizationServices}
    for way in car.wish.authorizations:
        if way not in offered:
            continue
        if way == "PnC" and (car.contract is None or setup.PnC_ASResAuthorizationMode is None):
            car.note("authorization passed over", way=way, why="no contract" if car.contract is None else "no challenge")
            continue
        yield way


def request(car: Car, contract: Contract | None, setup: AuthorizationSetupRes) -> Type:
    """AuthorizationReq with a contract, signed; without one by external means, unsigned."""
    if contract is None:
        eim = EIM_AReqAuthorizationModeType()
        return ask(AuthorizationReq, SelectedAuthorizationService=authorizationType.EIM, EIM_AReqAuthorizationMode=eim)
    assert setup.PnC_ASResAuthorizationMode is not None
    if not conforms(contract) and not car.puts_up_with(P256_SIGNATURES):
        raise Misuse(f"the contract has a {contract.curve} key, which signs nothing in -20; take another, or the interop profile")
    mode, signature = signed_authorization(contract, setup.PnC_ASResAuthorizationMode.GenChallenge)
    return AuthorizationReq(
        Header=msgspec.structs.replace(UNSTAMPED, Signature=signature),
        SelectedAuthorizationService=authorizationType.PnC,
        PnC_AReqAuthorizationMode=mode,
    )
