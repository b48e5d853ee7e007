"""A whole trace through one regime after the other: what happened as rows, and tables, figures and a report of them."""
