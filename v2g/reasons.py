"""The reasons for which a station refuses, shared by all generations: hardware, backend, verifier and session use these, not codes.

A table of each generation gives the response code of a reason (`v2g/iso20/refusals.py`), and whether the session ends with it or goes on.
"""

from enum import Enum


class Reason(Enum):
    """Why a station refuses. The value is the text that the trace has."""

    OTHER = "nothing that has a name of its own"
    OUT_OF_TURN = "the message is not admitted in this state"
    UNKNOWN_SESSION = "the SessionID is not this session's"
    SIGNATURE = "a signature does not hold"

    WRONG_AUTHORIZATION = "the way to authorize was not offered"
    CARD_REFUSED = "the card, app or code that was shown lets nobody charge here"
    CONTRACT_REFUSED = "the contract lets nobody charge here"
    UNKNOWN_PROVIDER = "the provider of the contract is not known here"
    WRONG_CHALLENGE = "the challenge that was signed is not this session's"
    CERTIFICATE_EXPIRED = "a certificate has expired"
    CERTIFICATE_NOT_YET_VALID = "a certificate is not valid yet"
    CERTIFICATE_REVOKED = "a certificate is revoked"
    WRONG_CERTIFICATE = "a certificate or its chain does not hold"
    NO_CONTRACT = "no contract is known for this car"
    NO_CERTIFICATE = "no certificate of a contract can be had now"

    UNKNOWN_SERVICE = "the service was not offered"
    WRONG_SELECTION = "the service or its parameter set was not shown"
    NO_ENERGY_SERVICE = "no energy service is selected"
    WRONG_MODE = "the energy transfer mode was not offered"
    NO_SERVICE_RENEGOTIATION = "another service cannot be negotiated"
    WRONG_PARAMETERS = "what the car can and what the outlet can do not fit"
    WRONG_SCHEDULE = "the schedule was not offered"
    SCHEDULE_RENEGOTIATION = "another schedule did not come about"
    WRONG_PROFILE = "the power profile does not fit its schedule"
    PROFILE_LEFT = "the car leaves its power profile"
    NO_TOLERANCE = "the power tolerance is not confirmed"
    NO_POWER = "power cannot begin"
    NO_STANDBY = "there is no standby"
    CONTACTOR = "the contactor is not as it was told"
    NO_PAUSE = "a pause is not allowed"
    ASSOCIATION = "the vehicle is not associated with this outlet"
    FIELD = "the field between outlet and vehicle is not as it must be"
    METER_SIGNATURE = "the signed meter reading is not valid"
