"""The types by which AC services differ, request and response; both sides read them here, and the type is the signal [V2G20-1600]."""

from functools import cache
from typing import Literal, NamedTuple

from v2g.messages import ac
from v2g.messages.common_types import CLReqControlModeType, CLResControlModeType
from v2g.session.service import EnergyService

Control = Literal["Scheduled", "Dynamic"]
Loop = dict[Control, tuple[type[CLReqControlModeType], type[CLResControlModeType]]]


class Modes(NamedTuple):
    """Of one service: the mode elements of ChargeParameterDiscovery, and of the charge loop in either control."""

    asks: type[ac.AC_CPDReqEnergyTransferModeType]
    says: type[ac.AC_CPDResEnergyTransferModeType]
    loop: Loop


PLAIN = Modes(
    ac.AC_CPDReqEnergyTransferModeType,
    ac.AC_CPDResEnergyTransferModeType,
    {
        "Scheduled": (ac.Scheduled_AC_CLReqControlModeType, ac.Scheduled_AC_CLResControlModeType),
        "Dynamic": (ac.Dynamic_AC_CLReqControlModeType, ac.Dynamic_AC_CLResControlModeType),
    },
)
BOTH_WAYS = Modes(
    ac.BPT_AC_CPDReqEnergyTransferModeType,
    ac.BPT_AC_CPDResEnergyTransferModeType,
    {
        "Scheduled": (ac.BPT_Scheduled_AC_CLReqControlModeType, ac.BPT_Scheduled_AC_CLResControlModeType),
        "Dynamic": (ac.BPT_Dynamic_AC_CLReqControlModeType, ac.BPT_Dynamic_AC_CLResControlModeType),
    },
)


def ac_modes(row: EnergyService) -> Modes:
    """The types of an AC service."""
    if row.der:
        return _der_modes(row.schema_set)
    return BOTH_WAYS if row.bidirectional else PLAIN


@cache
def _der_modes(schema_set: str) -> Modes:
    """Those of an amendment, whose messages are loaded by who speaks it."""
    if schema_set == "ac_der_iec":
        from v2g.messages import ac_der_iec as iec

        return Modes(
            iec.DER_AC_CPDReqEnergyTransferModeType,
            iec.DER_AC_CPDResEnergyTransferModeType,
            {
                "Scheduled": (iec.DER_Scheduled_AC_CLReqControlModeType, iec.DER_Scheduled_AC_CLResControlModeType),
                "Dynamic": (iec.DER_Dynamic_AC_CLReqControlModeType, iec.DER_Dynamic_AC_CLResControlModeType),
            },
        )
    from v2g.messages import ac_der_sae as sae

    return Modes(
        sae.DER_AC_CPDReqEnergyTransferModeType,
        sae.DER_AC_CPDResEnergyTransferModeType,
        {
            "Scheduled": (sae.DER_Scheduled_AC_CLReqControlModeType, sae.DER_Scheduled_AC_CLResControlModeType),
            "Dynamic": (sae.DER_Dynamic_AC_CLReqControlModeType, sae.DER_Dynamic_AC_CLResControlModeType),
        },
    )
