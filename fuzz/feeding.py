"""What keeps a car that feeds the grid within the codes of the grid, at both ends; rows as in `fuzz.safeguards`."""

from fuzz.behaviours import ANSWERS, KEEPING, NEUTRAL_ROOM, Mutant, evcc, secc

GRID = (
    Mutant(
        "a car settles the codes of the grid for ever",
        "22",
        "secc/iso20/phases.py",
        "    State.AC_DER_SETTLING: EVCC_ONGOING_TIMEOUT,\n",
        "",
        secc("safety", "no_step_is_polled_for_ever"),
        "an outlet is held by a car that never takes the codes over",
    ),
    Mutant(
        "the grid's limit is no bound of the target",
        "5",
        NEUTRAL_ROOM + "bounds.py",
        "discharge = min(discharge, feed_limit(known))",
        "discharge = min(discharge, max(feed_limit(known), discharge))",
        evcc("der", "a_limit_of_the_grid_is_kept_by_both_ends"),
        "a car is asked for more than the grid lets flow back",
    ),
    Mutant(
        "a car that feeds beyond the grid's limit is let be",
        "5",
        KEEPING,
        "if (allowed := feed_limit(known)) < known.present_limits.discharge_power:",
        "if (allowed := feed_limit(known)) < 0:",
        evcc("der", "a_car_that_feeds_more_than_the_grid_lets_it_is_warned_and_refused"),
        "the station relies on the inverter",
    ),
    Mutant(
        "a car feeds without leave to serve",
        "5",
        NEUTRAL_ROOM + "bounds.py",
        "    if control.enter_service is not None and not control.enter_service.permit:\n        return 0.0\n",
        "",
        secc("grid", "without_leave_to_serve_the_station_asks_for_nothing_back"),
        "a grid that lets nobody in is fed",
    ),
    Mutant(
        "a share is of what a limited car can give",
        "5",
        ANSWERS + "grid.py",
        "known.outlet.limits, known.service.feeding.rated\n",
        "known.outlet.limits, known.service.car.discharge_power\n",
        evcc("der", "a_share_of_the_cars_power_stays_one_while_the_car_is_limited_by_it"),
        "the limit of the grid is lifted as soon as the car obeys it",
    ),
    Mutant(
        "a phase may carry what three may",
        "5",
        KEEPING,
        "charge / ours.phases, discharge / ours.phases, ENDED_BY_OUTLET",
        "charge, discharge, ENDED_BY_OUTLET",
        secc("keeping", "a_phase_is_held_to_its_share_of_the_outlet"),
        "one phase carries the power of the whole outlet",
    ),
)
