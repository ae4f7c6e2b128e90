"""The schedule that a station makes itself when no CSMS does."""

from energy.offer import Offer, Tuple, offer
from energy.plan import Plan
from energy.program import SolverMissing
from energy.scheduler import cheapest, immediate
from energy.stay import stay_of
from ocpp_bridge.charger import PlanWanted
from ocpp_bridge.mapping import joined


def schedule(wanted: PlanWanted) -> tuple[Offer, Plan]:
    """The cheapest schedule within what the profiles allow; charging at once where no solver is installed.

    It takes milliseconds to tenths of a second of computing: call it off the thread that serves sessions.
    """
    stay, site = stay_of(wanted.needs, wanted.site, wanted.wall, wanted.signals), wanted.site
    try:
        plan = cheapest(stay)
        return offer(plan, wanted.needs, site), plan
    except SolverMissing:
        plan = immediate(stay)
        only = Tuple(1, joined(plan.power, wanted.needs.max_points), name="at once", plan=plan)
        return Offer((only,), site.currency, stay.until, stay.priced_until), plan
