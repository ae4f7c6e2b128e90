"""What a session does about each fact that its station tells: one case per fact, and what the station must do at once because of it."""

from dataclasses import replace

from secc import station as words
from secc.intent import Notice, Wish
from secc.neutral.bounds import overtaken
from secc.neutral.context import Context
from secc.neutral.supervision import supervise
from v2g.energy.ledger import Reading
from v2g.energy.offer import Offer
from v2g.session.endpoint import Event

GENTLE_DELAY = 60  # s that a car may take for what is no hurry; -20 has this number for a pause [V2G20-3308]


def learn(fact: words.Fact, known: Context) -> tuple[Context, tuple[Event, ...]]:
    """The context after a fact, and the wants that follow at once; a dangerous fact takes the power away."""
    return supervise(_with(fact, known), known.now)


def _with(fact: words.Fact, known: Context) -> Context:
    match fact:
        case words.Authorized() | words.AuthorizationRefused():
            return _verdict(fact, known)
        case words.ServicesAllowed(permitted):
            return known.with_agreement(permitted=permitted)
        case words.CertificateReady() | words.CertificateRefused():
            return _installation(fact, known)
        case words.ScheduleReady(offer):
            return _offered(offer, known)
        case words.SetpointChanged(power, reactive):
            return known.with_station(setpoint=power, reactive=reactive)
        case words.MobilityNeedsSet():
            return known.with_station(mobility=fact)
        case words.GridControlChanged(control, shares):
            return known.with_station(grid=control, grid_shares=shares)
        case words.LimitsChanged(limits):
            return _limited(known.with_station(limits=limits))
        case words.IsolationMeasured(sound):
            return known.with_service(isolation=sound)
        case words.OutputMeasured():
            return known.with_station(output=fact)
        case words.ContactorIs(closed):
            return known.with_station(contactor=closed, welded=closed and not _may_be_closed(known))
        case words.PositionIs(position):
            return known.with_station(position=position)
        case words.PairingIs() | words.AssociationLost() | words.AlignmentIs() | words.GroundDeviceIs():
            return _wireless(fact, known)
        case words.DeviceIs(device):
            return known.with_station(device=device)
        case words.PlaceIs(place):
            return known.with_station(place=place).with_service(place_heard=True)
        case words.CheckedOut():
            return known.with_service(released=True)
        case words.ConnectorLock(locked):
            return known.with_station(locked=locked)
        case words.EmergencyStop(reason):
            return known.with_station(emergency=reason or "no reason was given")
        case words.MeterRead(reading):
            return _counted(reading, known)
        case words.CostTold():
            return known.with_agreement(cost=fact)
        case words.OutletTaken(by_another):
            return known.with_station(taken=by_another)
        case words.OutOfService(reason):
            return known.with_station(unserviceable=reason)
        case words.PilotIs(state):
            return known.with_station(pilot=state)
    return with_wish(fact, known)


def _wireless(fact: words.PairingIs | words.AssociationLost | words.AlignmentIs | words.GroundDeviceIs, known: Context) -> Context:
    match fact:
        case words.PairingIs(found, about):
            asked = known.service.pairing_asked
            return known.with_station(pairing=found) if asked is not None and asked[0] == about else known
        case words.AssociationLost(reason):
            return known.with_station(unassociated=reason or "no reason was given")
        case words.AlignmentIs(aligned):
            return known.with_station(alignment=aligned)
        case words.GroundDeviceIs(condition):
            since = known.station.ground_since if condition == known.station.ground else known.now
            return known.with_station(ground=condition, ground_since=since)


def with_wish(fact: words.Fact, known: Context) -> Context:
    """The context after a fact by which the station asks something of the car (stop, pause ...).

    Under power the car is told by EVSEStatus, before that by the next answer.
    """
    looping = known.delivering or known.standing
    match fact:
        case words.StopAsked(reason):
            return _noticed(known, Wish.STOP, 0, reason)
        case words.PauseAsked() if not looping:
            return known.with_service(pause_proposed=known.outlet.pause)
        case words.PauseAsked() if known.outlet.pause:
            return _noticed(known, Wish.PAUSE, GENTLE_DELAY)  # [V2G20-3308]
        case words.ExitStandbyAsked() if known.standing:
            return _noticed(known, Wish.POWER, GENTLE_DELAY)
        case words.RenegotiationAsked("Schedule") if looping:
            return _noticed(known, Wish.SCHEDULE, GENTLE_DELAY)
        case words.RenegotiationAsked("Service") if looping and known.outlet.service_renegotiation:
            return _noticed(known, Wish.SERVICE, GENTLE_DELAY)
        case words.MeteringConfirmationAsked() if looping and known.agreement.contract:
            return _noticed(known, Wish.METERING, GENTLE_DELAY)
        case words.ChangeDelayed() | words.DefaultsOverridden():
            return known  # for whoever reads the trace
    return known


def _counted(reading: words.MeterReading, known: Context) -> Context:
    """The meter and, where prices were shown, what is owed. Money goes by the session's clock, whatever the meter's own says."""
    known, tab = known.with_station(meter=reading), known.agreement.tab
    if tab is None:
        return known
    if tab.last is None:  # no power flowed before it was opened
        tab = tab.read(Reading(tab.since, reading.imported_before, reading.exported_before), 0.0)
    return known.with_agreement(tab=tab.read(Reading(known.wall, reading.imported, reading.exported), known.station.output.watts))


def _verdict(fact: words.Authorized | words.AuthorizationRefused, known: Context) -> Context:
    """A verdict counts for the claim that it is about; one that nobody asked for is a card, which is no contract's."""
    claims, about = known.session.claims.addressed(fact.about)
    known, attempt = known.with_session(claims=claims), known.service.attempt
    card = about is None and (attempt.claim is None or attempt.claim.authorization == "EIM")
    return known.with_attempt(verdict=fact) if card or (about is not None and about == attempt.number) else known


def _installation(fact: words.CertificateReady | words.CertificateRefused, known: Context) -> Context:
    """An answer counts for the request that it is about."""
    installations, about = known.session.installations.addressed(fact.about)
    known = known.with_session(installations=installations)
    return known.with_installation(outcome=fact) if about is not None and about == known.service.installation.number else known


def _offered(offer: Offer, known: Context) -> Context:
    """An offer answers the exchange that is under way, beside the loop too.

    One that a car in Scheduled control was shown binds until another is negotiated.
    """
    aside = known.service.aside
    if aside is not None and aside.exchange.needs is not None and aside.exchange.offer is None:
        return known.with_service(aside=replace(aside, exchange=replace(aside.exchange, offer=offer)))
    if (
        known.service.coming is not None and known.service.exchange.needs is None
    ):  # the renegotiation has not named its needs yet: the newest counts
        return known.with_service(coming=(offer, known.service.coming[1]))
    binds = (
        known.service.exchange.offer is not None
        and known.state not in known.given.phases.exchanges
        and known.agreement.selected.control == "Scheduled"
    )
    if not binds or known.service.exchange.needs is None:
        return known.with_exchange(offer=offer)
    known = known.with_service(coming=(offer, known.service.exchange.needs))
    return with_wish(words.RenegotiationAsked("Schedule"), known)  # without power yet: once it begins


def _limited(known: Context) -> Context:
    """New limits hold at once. In Scheduled control another schedule is asked for, where the one that binds is none for them."""
    selection = known.agreement.selection
    scheduled = known.delivering and selection is not None and selection.control == "Scheduled"
    return with_wish(words.RenegotiationAsked("Schedule"), known) if scheduled and overtaken(known) else known


def _noticed(known: Context, wish: Wish, delay: float, reason: str = "") -> Context:
    return known.with_session(intent=known.session.intent.ask(Notice(wish, known.now, delay, reason)))


def _may_be_closed(known: Context) -> bool:
    """Whether anything of this session closes the contactor: a command, or a test, which does so by itself."""
    return known.station.contactor_wanted is True or (known.station.contactor_wanted is None and known.tested)
