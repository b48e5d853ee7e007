"""Keccak-256 as it was before SHA-3 fixed another padding: what Shutter hashes with. Short, slow, for vectors alone."""

RATE = 136
MASK = (1 << 64) - 1


def keccak_256(message: bytes) -> bytes:
    padded = bytearray(message + b"\x01" + bytes(-(len(message) + 1) % RATE))
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), RATE):
        for at in range(RATE // 8):
            lanes[at] ^= int.from_bytes(padded[start + 8 * at : start + 8 * at + 8], "little")
        lanes = permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def permuted(a: list[int]) -> list[int]:
    """Keccak-f[1600] (FIPS 202, section 3.3); lane (x, y) stands at x + 5y."""
    register = 1
    for _ in range(24):
        columns = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        for at in range(25):
            a[at] ^= columns[(at - 1) % 5] ^ rotated(columns[(at + 1) % 5], 1)
        x, y, lane = 1, 0, a[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            a[x + 5 * y], lane = rotated(lane, (step + 1) * (step + 2) // 2), a[x + 5 * y]
        for row in range(0, 25, 5):
            five = a[row : row + 5]
            for at in range(5):
                a[row + at] = five[at] ^ (~five[(at + 1) % 5] & five[(at + 2) % 5])
        for bit in range(7):  # the round constant, from a register with feedback
            a[0] ^= (register & 1) << ((1 << bit) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
    return a


def rotated(lane: int, by: int) -> int:
    return (lane << by % 64 | lane >> (64 - by % 64)) & MASK
