"""ETSI TS 103 120 (the handover interface HI-1): warrants as other systems write and read them.

``terms`` is what both sides can say, ``writing`` and ``reading`` its XML. Nothing here is an input to any decision:
what custodians check are the signed bytes.
"""
