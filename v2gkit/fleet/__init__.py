"""The aggregator: tenants with sites and assets, signals in, ranked dispatch out, settlement in books.

declared            tenants, sites, assets, contracts, programs: a TOML file, and rows of the store
log, store          two contracts: facts in order (in process, or NATS JetStream), rows and books (SQLite, or PostgreSQL)
shed, decision      from what holds and what cars need to an order for each asset: pure, recorded, replayable
"""
