"""S2 (EN 50491-12-2): the resource manager of a site, which a customer energy manager (CEM) gives envelopes or setpoints. Pure."""
