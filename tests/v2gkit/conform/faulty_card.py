"""Our car of DIN SPEC 70121 with one fault that was seeded on purpose: `python -m tests.v2gkit.conform.faulty_card FAULT ev --connect ...`.

A fault has the id of the case that finds it, and the product knows of none. Those of the exchanges are made from the rows of their cases.
"""

import sys
from collections.abc import Callable
from typing import Any

import evcc.client
import evcc.early.dc as dc_mode
import evcc.early.mode as mode
from evcc.din.words import Din
from evcc.script import Limit
from tests.v2gkit.conform.car_seeding import hears, says, waits
from tests.v2gkit.conform.faulty_car import dies_of_the_end, never_refused
from tests.v2gkit.conform.faulty_car2 import always_first, deaf_to_limits, dies_of_a_length, of_entries, of_rows
from tests.v2gkit.conform.faulty_car_link import hangs_of_a_header
from tests.v2gkit.conform.seeding import FOR_EVER, all_of, put, puts
from v2g.din.generation import DIN
from v2g.iso20.generation import ISO20
from v2g.messages import app_protocol as sap
from v2g.messages.din import msg_body as body
from v2g.messages.din import msg_data_types as types
from v2g.session.generation import Generation
from v2gkit.cli.main import main
from v2gkit.conform.cases.card_exchanges import ROWS

Seed = Callable[[], None]
NONE = Limit("none", FOR_EVER)


def both(seed: Callable[[Generation], Seed]) -> Seed:
    """A fault of the negotiation, which is spoken before a generation is chosen."""
    return all_of(*(seed(generation) for generation in (ISO20, DIN)))


def under_another_id() -> None:
    """What follows SessionSetup is said under another SessionID."""
    write = DIN.write

    def changed(message: Any, own: bytes = b"", *more: Any, **named: Any) -> Any:
        return write(message, b"\1" * 8 if isinstance(message, body.ServiceDiscoveryReq) else own, *more, **named)

    object.__setattr__(DIN, "write", changed)


def by_unique(request: Any) -> Any:
    return put(request, EVRequestedEnergyTransferType=types.EVRequestedEnergyTransferType.DC_unique)


def unafraid() -> None:
    dc_mode.UNSAFE, dc_mode.UNSOUND, dc_mode.UNTESTED = (), "", ""
    mode.SHUTDOWN = ()  # type: ignore[misc, assignment]


def counts_what_is_busy(response: Any) -> Any:
    """What a station says while it is busy is taken for its last word."""
    return put(response, EVSEProcessing=types.EVSEProcessingType.Finished)


FAULTS: dict[str, Seed] = {
    **of_rows("ED", DIN, ROWS),
    "ED-DCS-04": all_of(waits(body.PreChargeReq, of=DIN), puts(Din, "pre_charge", NONE)),
    "ED-SAP-01": both(lambda of: says(sap.supportedAppProtocolReq, of_entries(Priority=2), of=of)),
    "ED-SAP-02": both(lambda of: hears(sap.supportedAppProtocolRes, always_first, of=of)),
    "ED-SAP-03": both(lambda of: hears(sap.supportedAppProtocolRes, never_refused, of=of)),
    "ED-SAP-04": both(lambda of: waits(sap.supportedAppProtocolReq, of=of)),
    "ED-SES-04": under_another_id,
    "ED-AUT-04": puts(Din, "ongoing", NONE),
    "ED-CPD-04": puts(Din, "ongoing", NONE),
    "ED-CPD-05": says(body.ChargeParameterDiscoveryReq, by_unique, of=DIN),
    "ED-CPD-06": hears(body.ChargeParameterDiscoveryRes, counts_what_is_busy, of=DIN),
    "ED-DCS-07": puts(Din, "cable_check", NONE),
    "ED-DCS-08": puts(Din, "pre_charge", NONE),
    "ED-DCS-09": unafraid,
    "ED-DCS-10": puts(dc_mode, "PRE_CHARGE_CURRENT", 10.0),
    "ED-LOP-04": unafraid,
    "ED-LOP-05": hears(body.CurrentDemandRes, deaf_to_limits, of=DIN),
    "ED-END-01": lambda: setattr(evcc.client.Visit, "stop", evcc.client.Visit.abort),
    "ED-END-02": dies_of_the_end,
    "ED-END-03": waits(body.ServiceDiscoveryReq, 0.5, of=DIN),
    "ED-EXI-01": dies_of_a_length,
    "ED-EXI-02": hangs_of_a_header,
}

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    FAULTS[fault]()
    sys.exit(main())
