"""The times of ISO 15118-20 (its tables 215 to 218), in seconds.

Three kinds of time are easy to confuse. A *timeout* ends a session. A *performance time* is what a side must keep, measured and reported
but never a reason to end. An *ongoing limit* bounds how long a poll may go on.
"""

from dataclasses import replace

from v2g.exi.schema import Type
from v2g.messages import ac, app_protocol, common_messages, dc, wpt
from v2g.session.generation import Timing

# --- error criteria: the session ends ---
SECC_SEQUENCE_TIMEOUT = 60.0  # station waits for the next request [V2G20-441] [V2G20-443]
SECC_SEQUENCE_TIMEOUT_LOOP = 0.5  # ... after a charge loop response [V2G20-1500] [V2G20-1502] [V2G20-5070]
EVCC_MSG_TIMEOUT = 2.0  # car waits for the response [V2G20-436]
SAP_TIMEOUT = 2.0  # car waits for supportedAppProtocolRes
EVCC_ONGOING_TIMEOUT = 60.0  # car polls one phase for at most so long
SECC_ONGOING_TIMEOUT = 55.0  # station says Ongoing for at most so long, below the car's limit
EVCC_CABLE_CHECK_TIMEOUT = 40.0
EVCC_PRE_CHARGE_TIMEOUT = 10.0
SECC_COMMUNICATION_SETUP_TIMEOUT = 18.0  # from the data link to SessionSetup, station
EVCC_COMMUNICATION_SETUP_TIMEOUT = 20.0  # the same, car
SECC_TCP_CLOSE = 5.0  # after SessionStopRes the car closes; the station does so itself after this long [V2G20-1643]

# --- performance criteria: measured, reported ---
SECC_PERFORMANCE = 1.5
SECC_PERFORMANCE_LOOP = 0.25
EVCC_SEQUENCE_PERFORMANCE = 40.0
EVCC_SEQUENCE_PERFORMANCE_LOOP = 0.25  # [V2G20-1499] [V2G20-1501] [V2G20-5069]

# --- other ---
PAUSE_NOTIFICATION_MAX_DELAY = 60  # [V2G20-3308]


_DEFAULT = Timing(EVCC_MSG_TIMEOUT, SECC_PERFORMANCE, SECC_SEQUENCE_TIMEOUT, EVCC_SEQUENCE_PERFORMANCE)
_LOOP = Timing(0.5, SECC_PERFORMANCE_LOOP, SECC_SEQUENCE_TIMEOUT_LOOP, EVCC_SEQUENCE_PERFORMANCE_LOOP)
_SLOW = replace(_DEFAULT, msg_timeout=5.0)

EXCEPTIONS: dict[type[Type], Timing] = {
    app_protocol.supportedAppProtocolReq: replace(_DEFAULT, msg_timeout=SAP_TIMEOUT),
    ac.AC_ChargeLoopReq: _LOOP,
    dc.DC_ChargeLoopReq: _LOOP,
    wpt.WPT_ChargeLoopReq: _LOOP,
    common_messages.ServiceDetailReq: _SLOW,
    common_messages.CertificateInstallationReq: _SLOW,
}


def timing(request: type[Type]) -> Timing:
    """The times that hold for a request and its response; `sequence_timeout` counts from that response."""
    return EXCEPTIONS.get(request, _DEFAULT)
