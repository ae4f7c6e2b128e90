"""Makes a schedule at the station, where the CSMS sends none."""

from ocpp_bridge.charger import PlanWanted
from ocpp_bridge.model.mapping import in_fewer_steps
from v2g.energy.offer import Offer, Tuple, offer
from v2g.energy.plan import Plan
from v2g.energy.program import SolverMissing
from v2g.energy.scheduler import cheapest, immediate
from v2g.energy.stay import stay_of


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
        only = Tuple(1, in_fewer_steps(plan.power, wanted.needs.max_points), name="at once", plan=plan)
        return Offer((only,), site.currency, stay.until, stay.priced_until, site.tariff), plan
