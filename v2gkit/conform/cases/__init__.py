"""The cases of the suite, a module a family; each declares its cases in a tuple `CASES`."""
