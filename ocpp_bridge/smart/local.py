"""Makes a schedule at the station, where the CSMS sends none."""

from ocpp_bridge.charger import PlanWanted
from v2g.energy.offer import Offer, at_once, offered
from v2g.energy.patience import ENDLESS, Patience
from v2g.energy.plan import Plan
from v2g.legible import logger

LOG = logger("v2g.ocpp")


def schedule(wanted: PlanWanted, patience: Patience = ENDLESS) -> tuple[Offer, Plan]:
    """The cheapest schedule within what the profiles allow that is found in time; charging at once where no solver is installed.

    It takes milliseconds to seconds of computing: call it off the thread that serves sessions.
    """
    try:
        plan, offer = offered(wanted.needs, wanted.site, wanted.wall, wanted.signals, patience)
    except Exception:  # whatever numbers a car or a CSMS comes up with, the car is owed an answer
        LOG.exception("EVSE %d: no plan can be made for %s; the car may charge at once", wanted.evse, wanted.needs)
        plan, offer = at_once(wanted.needs, wanted.site, wanted.wall, wanted.signals)
    return offer, plan
