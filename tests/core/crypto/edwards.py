"""A second, slow edwards25519 in affine coordinates, and the encodings an attacker would try.

It shares no line with the product, so that agreement means something.
"""

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

Affine = tuple[int, int]

NEUTRAL: Affine = (0, 1)
GENERATOR: Affine = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)


def add(a: Affine, b: Affine) -> Affine:
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    both = pow(1 - k * k, -1, P)  # one inversion for 1 + k and 1 - k, neither of which is ever zero
    return (x1 * y2 + y1 * x2) * (1 - k) * both % P, (y1 * y2 + x1 * x2) * (1 + k) * both % P


def times(n: int, a: Affine) -> Affine:
    total = NEUTRAL
    for bit in bin(n)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, a)
    return total


def encode(a: Affine) -> bytes:
    x, y = a
    return (y + ((x & 1) << 255)).to_bytes(32, "little")


def decode(data: bytes) -> Affine:
    number = int.from_bytes(data, "little")
    y, sign = number % 2**255, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = next(x for x in _roots(square) if x & 1 == sign)
    return x, y


def _roots(square: int) -> tuple[int, int]:
    root = pow(square, (P + 3) // 8, P)
    if root * root % P != square:
        root = root * pow(2, (P - 1) // 4, P) % P
    if root * root % P != square:
        raise ValueError("not on the curve")
    return root, P - root


def _torsion() -> tuple[Affine, ...]:
    """The eight points whose order divides 8, from a point of full order 8L."""
    y = 3
    while True:
        try:
            generator = times(L, decode(y.to_bytes(32, "little")))
        except (ValueError, StopIteration):
            generator = NEUTRAL
        if times(4, generator) != NEUTRAL:
            return tuple(times(k, generator) for k in range(8))
        y += 1


TORSION = _torsion()

# y >= p, and x = 0 with the sign bit set: the six other spellings of torsion points, then all others there are.
NOT_CANONICAL = (
    *(((y + (sign << 255)).to_bytes(32, "little")) for y in range(P, 2**255) for sign in (0, 1)),
    encode((1, 1)),
    encode((1, P - 1)),
)
