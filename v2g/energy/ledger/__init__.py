"""What was metered, what it is worth, and to whom: rows of sessions here, double entry in `books`, its file in `store`.

entries_between, Ledger      metered rows and their sums (`rows`)
flows, chart                 who pays whom for what, in integer millionths
transaction, books           one transaction per contract, interval and revision, chained by hashes; re-runs post the difference
store, export                SQLite; Beancount text and CSV
"""

from v2g.energy.ledger.rows import MICRO, Account, Entry, Ledger, Quality, Reading, entries_between

__all__ = ["MICRO", "Account", "Entry", "Ledger", "Quality", "Reading", "entries_between"]
