"""What a session earned, and for whom: signed meter values, metered intervals and tariff become books, and one page."""
