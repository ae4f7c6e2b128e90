"""The timing table of ISO 15118-3, Annex A: times in seconds, counts, and attenuations in decibels."""

from typing import Final

TT_EVSE_SLAC_INIT: Final = 50.0  # the EVSE waits for a first CM_SLAC_PARM.REQ after the cable was plugged in (20 to 50)
TT_EVSE_MATCH_MNBC: Final = 0.6  # the EVSE gathers sounds after CM_START_ATTEN_CHAR.IND
TT_EVSE_MATCH_SESSION: Final = 10.0  # the EVSE waits for CM_VALIDATE.REQ or CM_SLAC_MATCH.REQ after CM_ATTEN_CHAR.RSP
TT_EV_ATTEN_RESULTS: Final = 1.2  # the EV gathers CM_ATTEN_CHAR.IND after its first CM_START_ATTEN_CHAR.IND
TT_MATCH_RESPONSE: Final = 0.2  # for a response or confirmation
TT_MATCH_SEQUENCE: Final = 0.4  # for the request that comes next
TT_MATCHING_RATE: Final = 0.4  # from a matching that failed to the next
TT_MATCHING_REPETITION: Final = 10.0  # in which matching is tried anew
TT_MATCH_JOIN: Final = 12.0  # from CM_SLAC_MATCH.CNF to a link
TP_EV_BATCH_MSG_INTERVAL: Final = 0.03  # between the messages of a batch (0.020 to 0.050)

C_EV_START_ATTEN_CHAR_INDS: Final = 3
C_EV_MATCH_MNBC: Final = 10  # sounds
C_EV_MATCH_RETRY: Final = 2  # a request without answer is asked so often again
C_EV_MATCH_SIGNALATTN_DIRECT: Final = 10  # dB; at most this much: the EV stands at that EVSE
C_EV_MATCH_SIGNALATTN_INDIRECT: Final = 20  # dB; at most this much: it may, and asks for a validation by the pilot
GROUPS: Final = 58  # of carriers that a modem measures

POLL_LINK: Final = 0.5  # ours: between two questions to the modem whether there is a link
SETTLE_KEY: Final = 1.0  # ours: a modem that was given a key and says nothing has it by then, or has it not
