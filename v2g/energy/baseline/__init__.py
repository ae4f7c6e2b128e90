"""What would have been drawn without the call: baselines as plug-ins, each with a name, a version, parameters and the days it used.

    run = of("high 5 of 10").run(event, history)      Run: powers, days used, days left out and why, adjustment
    basis(Evidence.BASELINE, run.record(), run.method)           what the books keep of it

Whoever has a method of his own gives an object with `name`, `version`, `parameters` and `run` (`model.Method`).
"""
