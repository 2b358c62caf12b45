"""Seeded order: all rows of a stack shuffled by a seed, without making the shuffled list."""

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
_Places = npt.NDArray[np.uint32]

_STEP, _MIX, _64 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0xFFFFFFFFFFFFFFFF  # splitmix64


@dataclass(frozen=True)
class Order:
    """A permutation of 0 .. 2**bits - 1 that can be run both ways: multiplying by an odd number and xor with the own
    upper half are both one to one. Rows beyond the stack's end are skipped."""

    bits: int  # 32 at most
    start: int
    factors: tuple[int, int, int]

    def rows(self, begin: int, end: int, total: int) -> Rows:
        """The rows that stand at the places begin .. end of the order, those below `total` alone."""
        x = np.arange(begin, min(end, 1 << self.bits), dtype=np.uint32)
        np.bitwise_xor(x, np.uint32(self.start), out=x)
        self._mix(x, self.factors)
        return (x[x < total] if total < 1 << self.bits else x).astype(np.int64)

    def places(self, rows: Rows) -> _Places:
        """Where in the order these rows stand."""
        x = rows.astype(np.uint32)
        first, second, third = (pow(factor, -1, 1 << self.bits) for factor in self.factors)
        self._mix(x, (third, second, first))
        np.bitwise_xor(x, np.uint32(self.start), out=x)
        return x

    def _mix(self, x: _Places, factors: tuple[int, int, int]) -> None:
        mask, half = np.uint32((1 << self.bits) - 1), np.uint32((self.bits + 1) // 2)
        for i, factor in enumerate(factors):
            if i:
                np.bitwise_xor(x, x >> half, out=x)
            np.multiply(x, np.uint32(factor), out=x)
            np.bitwise_and(x, mask, out=x)


def of(seed: int, total: int) -> Order:
    """The order of `total` rows for a seed of 64 bits."""
    bits = max((total - 1).bit_length(), 1)
    mask = (1 << bits) - 1
    drawn = []
    for _ in range(4):
        seed = (seed + _STEP) & _64
        mixed = (seed ^ seed >> 30) * _MIX & _64
        drawn.append((mixed ^ mixed >> 29) >> 8 & mask)
    start, first, second, third = drawn
    return Order(bits, start, (first | 1, second | 1, third | 1))


def seed_of(text: str) -> int:
    """64 bits for a text: crc32 of it twice is plenty to tell shoppers' samples apart."""
    data = text.encode()
    return zlib.crc32(data) << 32 | zlib.crc32(data, 0x5EED)
