"""What a car says is wrong with itself (EVErrorCode of its DC_EVStatus): it is told on, and the car gets no power any more."""

from dataclasses import replace
from typing import Any, Final

from secc.enveloped.words import Words
from secc.intent import Notice, Wish
from secc.neutral.context import Context, Pending, Reply
from secc.station import Objected, Objection
from v2g.exi.schema import Type
from v2g.reasons import Reason
from v2g.session.endpoint import Event

SOUND: Final = ("NO_ERROR", "NoData")
HOLDERS: Final = ("EVChargeParameter", "EVPowerDeliveryParameter")  # of a status within a request


def status_of(words: Words, request: Type) -> Any:
    """The DC_EVStatus that a request carries; None for a request without."""
    holder = next((held for name in HOLDERS if (held := getattr(request, name, None)) is not None), request)
    found = getattr(holder, "DC_EVStatus", None)
    return found if isinstance(found, words.types.DC_EVStatusType) else None


def heard(words: Words, request: Type, known: Context) -> tuple[Context, tuple[Event, ...]]:
    """The context after what the car said of itself, and what tells it on, once for each error.

    An error that comes with the car's parameters may pass, and is told on alone. After them the session is to end: nothing flows from this
    moment on, and a car under power is asked to stop.
    """
    status = status_of(words, request)
    if status is None:
        return known, ()
    if status.EVErrorCode.value in SOUND:
        return (known if known.stopping else known.with_service(impaired="")), ()
    why = f"the car says {status.EVErrorCode.value}"
    told: tuple[Event, ...] = ()
    if known.service.impaired != why:
        known = known.with_service(impaired=why)
        told = (Objected(known.now, type(request).__name__, words.types.responseCodeType.OK.value, Objection(Reason.OTHER, why, None)),)
    if not isinstance(request, words.body.ChargeParameterDiscoveryReq):
        known = known.with_session(intent=known.session.intent.ask(Notice(Wish.STOP, known.now, 0.0, why)))
    return known, told


def telling(told: tuple[Event, ...], reply: Reply | Pending) -> Reply | Pending:
    """The reply that first tells this."""
    return replace(reply, wants=(*told, *reply.wants)) if told else reply
