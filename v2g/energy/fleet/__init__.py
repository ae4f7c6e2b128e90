"""Many cars behind one connection: one plan for all of them, and watts that keep every cap while it runs.

`connection` is the tree of caps, `guest` a car at a place in it, `axis` the time in which they are planned together, `joint` the plan,
`queue` the plan without a solver, `plan` what comes out, `dispatch` the watts between two plans.
"""
