"""Refusals and early ends that cite no requirement, each with the reason why no text has one.

A row is the file and the beginning of the reason as it stands in the code, `{}` for what is filled in and `<name>` for a reason that is
made elsewhere; `*` is every reason of that file. `tests/test_reasons.py` holds the code to it in both directions: who refuses without a
requirement and stands not here is red, and so is a row that fits nothing.
"""

OURS = "our own outlet, hardware or program is the cause, or cannot: the peer broke nothing"
OWNER = "whoever runs the station, or its backend, decides that: the peer broke nothing"
STOPPING = "the station wants to end: the standard lets it, and says of no request that it was wrong"
GONE = "the peer went, which it may at any time"
FITS = "both sides are in order and only do not fit: no requirement obliges either to what the other wants"
PILOT = "the control pilot is of IEC 61851-1; of -20 only the start of power has a requirement of it [V2G20-847]"
BOUND = "a bound of our own where the standard names a timer and no requirement id for it"
METER = "-20 names the code for a wrong reading, and no requirement id; V2G2-481 is another standard's"
INLET = "what an inlet bears is its maker's: the standard bounds what is asked and offered, not what a defective station does"
CODE = "a FAILED code ends the session (8.6, without an id); what was broken the station did not say"
ANSWERS = "-20 asks that a response be the one of its request (8.6), without an id"
VALUES = "limits that contradict each other break no requirement that has an id"
FRAMES = "V2GTP and SDP (7.8, 7.10) are tables, whose single octets have no ids"
TLS = "RFC 8446 and its library say what a TLS record and a handshake message are"
SLAC = "ISO 15118-3 and HomePlug AV: tables of octets without ids"
CODEC = "W3C EXI and XML Signature say when octets, a signature or its references are sound; -20 has the algorithms [V2G20-2674]"
X509 = "RFC 5280 and X.690 say what a certificate, a request and their encoding are"
STANDBY = "what standby asks of a car is in no public text"
ACDP = "no public text gives the requirements of ACDP their numbers"
WPT = "of WPT public texts number its timers and the resumption alone, none of its refusals"
PARKING = "no public text gives the requirements of VehicleCheckIn and VehicleCheckOut their numbers"
AILING = "a car may say that something is wrong with it: the standard names the codes, and not what a station does then"
PASSED = "what was said where it arose is passed on, with its requirement where it has one"

UNREQUIRED: dict[str, tuple[tuple[str, str], ...]] = {
    OURS: (
        ("secc/iso20/beside.py", "<why>"),
        ("secc/enveloped/parameters.py", "there is no schedule after {} s"),
        ("secc/iso2/schedule.py", "the schedules of an offer have the ids {}; each needs one of its own"),
        ("secc/iso2/selection.py", "the outlet has no service that this generation knows"),
        ("secc/iso2/setup.py", "<why>"),
        ("secc/engine.py", "internal error: {}"),
        ("secc/engine.py", "<reason>"),
        ("secc/neutral/contactor.py", "<why>"),
        ("secc/neutral/isolation.py", "the isolation is faulty"),
        ("secc/neutral/isolation.py", "the isolation was not measured within {} s"),
        ("secc/neutral/readiness.py", "<why>"),
        ("secc/iso20/schedule.py", "the schedules of an offer have the ids {}; each needs one of its own"),
        ("secc/iso20/schedule.py", "there is no schedule after {} s"),
        ("secc/iso20/metering.py", "there is nobody to verify it"),
        ("secc/neutral/beginning.py", "the outlet is out of service: {}"),
        ("secc/neutral/beginning.py", "another session has the outlet"),
        ("secc/iso20/setup.py", "<why>"),
        ("secc/neutral/supervision.py", "emergency stop: {}"),
        ("secc/neutral/supervision.py", "the contactor is closed and nobody told it to close"),
        ("secc/neutral/supervision.py", "the contactor opened under power"),
        ("secc/neutral/supervision.py", "the isolation is faulty"),
        ("secc/neutral/supervision.py", "the connector is not locked"),
        ("secc/doorkeeper.py", "<last.reason>"),
        ("secc/responder.py", "<why>"),
        ("secc/front.py", "the connection was closed: {}"),
        ("secc/responder.py", "no outlet on {} takes a car"),
        ("v2g/session/transport/channel.py", "the handshake is complete and nobody judged the peer"),
        ("evcc/trust.py", "the car keeps no revocation of its own"),
    ),
    OWNER: (
        ("secc/backend.py", "charging without a contract is refused here by rule"),
        ("secc/backend.py", "no provisioning service is configured here"),
        ("secc/backend.py", "no contract comes from the provisioning service: {}"),
        ("secc/driver.py", "the outlet refuses the card, app or code that was shown"),
        ("secc/iso20/authorization.py", "the provisioning service answers {}"),
        ("secc/iso20/authorization.py", "the backend answered with a {}"),
        ("secc/iso20/authorization.py", "the provisioning service refuses the request"),
        ("secc/iso20/authorization.py", "the backend's response is no message: {}"),
        ("secc/iso20/authorization.py", "nobody decided within {} s"),
        ("secc/iso20/authorization.py", "<late>"),
        ("secc/iso20/authorization.py", "<why>"),
        ("secc/iso2/authorization.py", "provider {} is none of {}, whose contracts are taken here"),
        ("secc/enveloped/authorization.py", "nobody decided within {} s"),
        ("secc/iso2/installation.py", "*"),
        ("secc/iso2/verifier.py", "<why>"),
        ("secc/iso20/profile.py", "the power tolerance of {} W is a condition here"),
        ("secc/iso20/selection.py", "none of the services {}"),
        ("ocpp_bridge/blocks/authorization.py", "<why>"),
        ("ocpp_bridge/blocks/certificates.py", "<why>"),
        ("ocpp_bridge/blocks/certificates.py", "the CSMS has no contract: {}"),
        ("ocpp_bridge/model/mapping.py", "<why>"),
    ),
    STOPPING: (
        ("secc/enveloped/conduct.py", "<known.stopping>"),
        ("secc/din/power.py", "<known.stopping>"),
        ("secc/iso2/power.py", "<known.stopping>"),
        ("secc/iso2/power.py", "the session is to end: {}"),
        ("secc/iso2/setup.py", "there will be nothing to come back to: {}"),
        ("secc/iso20/conduct.py", "<known.stopping>"),
        ("secc/iso20/power.py", "<known.stopping>"),
        ("secc/iso20/power.py", "<reason>"),
        ("secc/iso20/setup.py", "there will be nothing to come back to: {}"),
        ("secc/iso20/setup.py", "the session is to end, not to go on with other services: {}"),
    ),
    GONE: (
        ("evcc/engine.py", "<error.reason + self._waiting_for()>"),
        ("v2g/session/transport/connection.py", "{}: {}"),
        ("secc/engine.py", "the car closed the connection"),
        ("evcc/engine.py", "<'the station closed the connection' + self._waiting_for()>"),
        ("v2g/session/transport/client.py", "<last.reason>"),
        ("v2g/session/transport/pump.py", "the peer closed in the TLS handshake ({})"),
    ),
    STANDBY: (
        ("secc/neutral/readiness.py", "the contactor opened for the standby"),
        ("secc/iso20/standby.py", "<why>"),
    ),
    AILING: (("secc/enveloped/ev_status.py", "<why>"),),
    FITS: (
        ("secc/iso20/power.py", "the car does not confirm the power tolerance of {} W"),
        ("evcc/iso20/authorization.py", "<'authorization ' + "),
        ("evcc/iso2/selection.py", "no {} among the offered energy transfer modes {}"),
        ("evcc/din/selection.py", "the station gives {}, which is no direct current"),
        ("evcc/din/selection.py", "payment is offered by {} only: the car has no contract of DIN SPEC 70121"),
        ("evcc/iso2/selection.py", "authorization is offered by {} only{}"),
        ("evcc/early/charge.py", "no message of AC says a state of charge, and the station has no mode of DC for this car"),
        ("evcc/iso2/selection.py", "the station brought no contract that can be trusted, and the car has no other"),
        ("evcc/transfer.py", "{}: {}"),
        ("evcc/choice.py", "<said>"),
        ("evcc/iso20/selection.py", "no {} in {} control among the offered services {}"),
        ("evcc/iso20/setup.py", "the paused session was {}, which the negotiated protocol does not carry"),
        ("v2g/session/sap.py", "<'the station speaks none of ' + "),
    ),
    PILOT: (
        ("secc/neutral/readiness.py", "the control pilot is in state {}, the car must ask for energy (C or D)"),
        ("secc/neutral/supervision.py", "the control pilot went to state B under power: {}"),
        ("secc/neutral/supervision.py", "the control pilot went to state {} under power: {}"),
        ("evcc/engine.py", "the control pilot went to state {}: {}"),
    ),
    BOUND: (
        ("secc/neutral/supervision.py", "{} {} s"),
        ("secc/neutral/supervision.py", "the car did not finish {} within {} s"),
        ("v2g/session/transport/channel.py", "the peer's handshake has more than {} octets"),
        ("v2g/session/transport/pump.py", "no complete TLS handshake within {} s ({})"),
    ),
    METER: (
        ("secc/iso20/metering.py", "the signed SessionID is {}"),
        ("secc/iso20/metering.py", "the signed Receipt is none that was shown since it was asked for"),
    ),
    INLET: (
        ("evcc/guard.py", "*"),
        ("evcc/field_guard.py", "*"),
        ("evcc/early/dc.py", "the station"),
        ("evcc/iso2/ac.py", "the station's residual current device has found an error (RCD)"),
        ("evcc/iso20/dc.py", "the station has {}; the contactors stay open"),
    ),
    CODE: (("evcc/engine.py", "the station refuses {} and ends the session"),),
    ANSWERS: (
        ("secc/enveloped/requests.py", "{} is no request that a station answers"),
        ("secc/iso20/requests.py", "{} is no request that a station answers"),
        ("evcc/engine.py", "the station answers {} with {} on 0x{}"),
        ("evcc/early/mode.py", "the station answers {} to a car of {}"),
        ("evcc/early/mode.py", "ChargeParameterDiscoveryRes says Finished and has no SASchedules"),
        ("evcc/din/charge.py", "the station joined a session that the car did not ask for"),
        ("evcc/iso2/setup.py", "the station joined a session that the car did not ask for"),
        ("evcc/iso2/added.py", "the station tells of service {}, and was asked for {}"),
        ("evcc/engine.py", "the station sent {} unasked"),
    ),
    VALUES: (
        ("pki/provisioning2.py", "the response names the account {}, its contract certificate {}"),
        ("evcc/engine.py", "what the station said cannot be worked with: {}"),
        ("evcc/iso2/ac.py", "the station"),
        ("evcc/early/schedule.py", "the entries of a schedule begin after {} s: not in order"),
        ("evcc/transfer.py", "the station's minimum {} of {} is above its maximum of {}"),
    ),
    FRAMES: (
        ("v2g/iso20/frames.py", "payload type 0x{} carries no message of a session"),
        ("v2g/session/envelope.py", "payload type 0x{} came"),
        ("v2g/session/sdp.py", "*"),
        ("v2g/session/v2gtp.py", "*"),
    ),
    TLS: (("v2g/session/handshake.py", "*"),),
    SLAC: (("v2g/slac/frames.py", "*"),),
    CODEC: (
        ("evcc/engine.py", "a frame of type 0x{} is no message: {}"),
        ("pki/signature.py", "*"),
    ),
    X509: (
        ("ocpp_bridge/model/firmware.py", "*"),
        ("ocpp_bridge/model/safe.py", "*"),
        ("pki/certificate.py", "*"),
        ("pki/request.py", "*"),
        ("pki/store.py", "*"),
    ),
    ACDP: (
        ("secc/iso20/acdp.py", "*"),
        ("secc/neutral/readiness.py", "<known.undocked>"),
        ("secc/iso20/setup.py", "a device that is down on a vehicle is not left alone"),
        ("secc/neutral/supervision.py", "{}, under power"),
        ("secc/neutral/supervision.py", "<known.service.vehicle_fault>"),
        ("evcc/iso20/acdp.py", "*"),
    ),
    WPT: (
        ("secc/neutral/field.py", "*"),
        ("secc/iso20/wpt.py", "*"),
        ("secc/iso20/wpt_loop.py", "*"),
        ("evcc/iso20/wpt.py", "*"),
    ),
    PARKING: (
        ("secc/iso20/parking.py", "*"),
        ("secc/iso20/acdp.py", "<known.unparked>"),
        ("secc/iso20/dc_start.py", "<known.unparked>"),
        ("secc/neutral/readiness.py", "<known.unparked>"),
        ("secc/iso20/schedule.py", "<known.unparked>"),
        ("secc/iso20/selection.py", "a vehicle must check in here"),
    ),
    PASSED: (
        ("secc/engine.py", "<why>"),
        ("secc/engine.py", "<str(error)>"),
        ("secc/enveloped/conduct.py", "<reason>"),
        ("secc/iso20/conduct.py", "<reason>"),
    ),
}
