"""The deployment's quorum as a C2SP tlog-policy file, for verifiers that know nothing else of the genesis.

Each witness is a group of its keys, so whichever kinds of cosignature a reader looks at, nobody counts twice.
"""

from escrow.warrant.genesis import Genesis


def policy_file(genesis: Genesis) -> bytes:
    """The file: the log's keys, every witness by any of its keys, and the genesis's quorum of them."""
    lines = [f"log {key.format()}" for key in genesis.log_keys]
    for number, keys in enumerate(genesis.witness_keys, 1):
        names = [f"w{number}-{key.type.name.lower()}" for key in keys]
        lines += [f"witness {name} {key.format()}" for name, key in zip(names, keys, strict=True)]
        lines.append(f"group w{number} any {' '.join(names)}")
    everyone = " ".join(f"w{number}" for number in range(1, len(genesis.witnesses) + 1))
    lines += [f"group witnesses {genesis.quorum} {everyone}", "quorum witnesses", ""]
    return "\n".join(lines).encode()
