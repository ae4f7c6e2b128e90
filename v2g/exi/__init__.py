"""EXI 1.0, informed by declared classes. It knows nothing of V2G: `v2g.messages` declares, `v2g.exi.codec` decodes and encodes.

`docs/exi.md` explains it in two pages.
"""
