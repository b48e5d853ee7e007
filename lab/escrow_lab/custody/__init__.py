"""How safe custody is: P(a quorum is breached within a year) against P(a lawful request can be served)."""
