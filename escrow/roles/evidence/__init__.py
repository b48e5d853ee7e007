"""Evidence: what a release leaves for a court, and how anybody checks it with nobody's help.

``bundle`` is the document and ``history`` the log that it carries; ``making`` is the agency's side, ``verifying`` is
everybody's.
"""
