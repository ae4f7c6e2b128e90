"""The times of DIN SPEC 70121 (its tables 75 to 77), in seconds.

Three kinds of time are easy to confuse. A *timeout* ends a session. A *performance time* is what a side must keep, measured and reported
but never a reason to end. An *ongoing limit* bounds how long a poll may go on.
"""

from dataclasses import replace

from v2g.exi.schema import Type
from v2g.messages.din.msg_body import CurrentDemandReq
from v2g.session.generation import Timing

# --- error criteria: the session ends ---
SECC_SEQUENCE_TIMEOUT = 60.0  # station waits for the next request, under power too [V2G-DC-432]
EVCC_MSG_TIMEOUT = 2.0  # car waits for the response
EVCC_ONGOING_TIMEOUT = 60.0  # car polls one phase for at most so long [V2G-DC-863]
SECC_ONGOING_TIMEOUT = 55.0  # station says Ongoing for at most so long, below the car's limit
EVCC_CABLE_CHECK_TIMEOUT = 40.0
EVCC_PRE_CHARGE_TIMEOUT = 7.0
EVCC_READY_TO_CHARGE_TIMEOUT = 150.0  # from the plug to PowerDelivery
SECC_POWER_DELIVERY_TIMEOUT = 20.0  # station, from the first PreChargeReq to PowerDeliveryReq [V2G-DC-969]
SECC_WELDING_DETECTION_TIMEOUT = 20.0  # station, for the car's test of its contactors [V2G-DC-926]
SECC_CP_STATE_DETECTION_TIMEOUT = 1.5  # station, for state C or D at CableCheck, state B after the end of power [V2G-DC-967] [V2G-DC-988]
SECC_COMMUNICATION_SETUP_TIMEOUT = 18.0  # from the data link to SessionSetup, station
EVCC_COMMUNICATION_SETUP_TIMEOUT = 20.0  # the same, car
SECC_TCP_CLOSE = 5.0  # after SessionStopRes the car closes; the station does so itself after this long

# --- performance criteria: measured, reported ---
SECC_PERFORMANCE = 1.5
EVCC_SEQUENCE_PERFORMANCE = 40.0


_DEFAULT = Timing(EVCC_MSG_TIMEOUT, SECC_PERFORMANCE, SECC_SEQUENCE_TIMEOUT, EVCC_SEQUENCE_PERFORMANCE)

EXCEPTIONS: dict[type[Type], Timing] = {CurrentDemandReq: replace(_DEFAULT, msg_timeout=0.25, secc_performance=0.025)}


def timing(request: type[Type]) -> Timing:
    """The times that hold for a request and its response; `sequence_timeout` counts from that response."""
    return EXCEPTIONS.get(request, _DEFAULT)
