"""A day of the flexibility market on this machine: VTN, fleet, stations and cars over real sockets, and whether every promise was kept."""
