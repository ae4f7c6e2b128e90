"""Programs to try everything on one machine: the demo, the doctor, fleets of cars, shipped cars and scenarios."""
