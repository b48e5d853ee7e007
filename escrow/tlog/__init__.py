"""The transparency log, as mathematics and bytes: who stores, serves or follows it is not decided here.

``merkle`` hashes and verifies; ``tree`` and ``frontier`` grow; ``note``, ``checkpoint`` and ``cosignature`` are the
C2SP formats; ``quorum`` and ``policy`` say when a checkpoint counts; ``witnessing`` decides what a witness cosigns;
``entry`` is what we log; ``tiles`` lays it out as static files.
"""
