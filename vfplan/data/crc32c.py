"""CRC-32C (Castagnoli) of long messages with numpy.

A CRC register is a linear function, over bits, of what it is fed. So a message of n words of 4 bytes folds in halves:
the first half is moved past the second, all its words at once, and added (xor). After log2(n) folds one word is left.
Moving past 2^k zero bytes is a table lookup for each half of a word.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

POLYNOMIAL = 0x82F63B78  # bit-reflected
ALL_ONES = 0xFFFFFFFF
WORD = 4  # bytes


def crc32c(message: bytes | memoryview) -> int:
    """Return the CRC-32C of a message: `crc32c(b"123456789") == 0xE3069283`."""
    head = len(message) % WORD
    register = ALL_ONES
    for byte in message[:head]:
        register = _BYTES[(register ^ byte) & 0xFF] ^ (register >> 8)
    words = np.frombuffer(message, dtype="<u4", offset=head).astype(np.uint32)
    if len(words):
        words[0] ^= register
        register = int(_past_zeros(_folded(words), WORD.bit_length() - 1)[0])
    return register ^ ALL_ONES


def _folded(words: Words) -> Words:
    """The one word that, alone, does to a register of zero what all of `words` do."""
    while len(words) > 1:
        power = (len(words) - 1).bit_length() - 1  # the second part has 2^power words, the first no more
        split = len(words) - (1 << power)
        first, words = words[:split], words[split:].copy()
        words[-split:] ^= _past_zeros(first, power + WORD.bit_length() - 1)
    return words


def _past_zeros(registers: Words, power: int) -> Words:
    """The registers after 2^power more bytes, all zero."""
    low, high = _tables(power)
    # As indices of numpy's own width, four times as fast; "clip" skips a check.
    index = registers.astype(np.intp)
    return low.take(index & 0xFFFF, mode="clip") ^ high.take(index >> 16, mode="clip")


@cache
def _tables(power: int) -> NDArray[np.uint32]:
    """What 2^power zero bytes make of each value of the low and of the high half of a register, (2, 65536)."""
    if power == 0:
        ones = np.array([_BYTES[(1 << bit) & 0xFF] ^ ((1 << bit) >> 8) for bit in range(32)], dtype=np.uint32)
    else:
        single = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
        ones = _past_zeros(_past_zeros(single, power - 1), power - 1)
    tables = np.zeros((2, 1), dtype=np.uint32)
    for bit in range(16):
        tables = np.concatenate([tables, tables ^ ones[[bit, bit + 16], None]], axis=1)
    return tables


def _after_byte(register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ (POLYNOMIAL if register & 1 else 0)
    return register


_BYTES = [_after_byte(byte) for byte in range(256)]
