"""REST of a CSMS: what can be read and done is declared in one table, from which the answers and their OpenAPI description are made."""
