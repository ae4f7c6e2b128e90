"""The times of ISO 15118-2 (its tables 109 to 111), in seconds.

Three kinds of time are easy to confuse. A *timeout* ends a session. A *performance time* is what a side must keep, measured and reported
but never a reason to end. An *ongoing limit* bounds how long a poll may go on.
"""

from dataclasses import replace

from v2g.exi.schema import Type
from v2g.messages.iso2 import msg_body
from v2g.session.generation import Timing

# --- error criteria: the session ends ---
SECC_SEQUENCE_TIMEOUT = 60.0  # station waits for the next request, under power too [V2G2-443]
EVCC_MSG_TIMEOUT = 2.0  # car waits for the response
EVCC_ONGOING_TIMEOUT = 60.0  # car polls one phase for at most so long
SECC_ONGOING_TIMEOUT = 55.0  # station says Ongoing for at most so long, below the car's limit
EVCC_CABLE_CHECK_TIMEOUT = 40.0
EVCC_PRE_CHARGE_TIMEOUT = 7.0
SECC_COMMUNICATION_SETUP_TIMEOUT = 18.0  # from the data link to SessionSetup, station [V2G2-714]
EVCC_COMMUNICATION_SETUP_TIMEOUT = 20.0  # the same, car
SECC_TCP_CLOSE = 5.0  # after SessionStopRes the car closes; the station does so itself after this long [V2G2-025]

# --- performance criteria: measured, reported ---
SECC_PERFORMANCE = 1.5
EVCC_SEQUENCE_PERFORMANCE = 40.0


_DEFAULT = Timing(EVCC_MSG_TIMEOUT, SECC_PERFORMANCE, SECC_SEQUENCE_TIMEOUT, EVCC_SEQUENCE_PERFORMANCE)
_SLOW = replace(_DEFAULT, msg_timeout=5.0, secc_performance=4.5)

EXCEPTIONS: dict[type[Type], Timing] = {
    msg_body.ServiceDetailReq: _SLOW,
    msg_body.PaymentDetailsReq: _SLOW,
    msg_body.CertificateInstallationReq: _SLOW,
    msg_body.CertificateUpdateReq: _SLOW,
    msg_body.PowerDeliveryReq: _SLOW,
    msg_body.CurrentDemandReq: replace(_DEFAULT, msg_timeout=0.25, secc_performance=0.025),
}


def timing(request: type[Type]) -> Timing:
    """The times that hold for a request and its response; `sequence_timeout` counts from that response."""
    return EXCEPTIONS.get(request, _DEFAULT)
