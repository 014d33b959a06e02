"""TFRecord files written byte by byte, by code that shares nothing with the reader."""

import struct

import numpy as np

CASTAGNOLI = 0x1EDC6F41  # as it is printed, highest power first
STEPS = 30


def reflected(value, bits):
    return int(f"{value:0{bits}b}"[::-1], 2)


def remainder(byte):
    """What dividing byte * x^32 by the polynomial leaves."""
    value = byte << 32
    for bit in range(39, 31, -1):
        if value >> bit & 1:
            value ^= (1 << 32 | CASTAGNOLI) << (bit - 32)
    return value


TABLE = [reflected(remainder(reflected(byte, 8)), 32) for byte in range(256)]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[crc & 255 ^ byte] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    turned = (crc % 2**15) * 2**17 + crc // 2**15
    return (turned + 0xA282EAD8) % 2**32


def framed(data):
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def varint(number):
    low, rest = number % 128, number // 128
    return bytes([low + 128]) + varint(rest) if rest else bytes([low])


def field(number, payload):
    return varint(8 * number + 2) + varint(len(payload)) + payload


def bytes_feature(*values):
    return field(1, b"".join(field(1, value) for value in values))


def float_feature(*values, packed=True):
    each = [struct.pack("<f", value) for value in values]
    return field(2, field(1, b"".join(each)) if packed else b"".join(varint(13) + value for value in each))


def int_feature(*values, packed=True):
    each = [varint(value % 2**64) for value in values]
    return field(3, field(1, b"".join(each)) if packed else b"".join(varint(8) + value for value in each))


def example(features):
    return field(1, b"".join(field(1, field(1, name.encode()) + field(2, value)) for name, value in features.items()))


def trajectory(index):
    """Made-up contents of a record: frames of both cameras, actions and positions."""
    rng = np.random.default_rng(index)
    return {
        "image_main": rng.integers(256, size=(STEPS, 64, 64, 3), dtype=np.uint8),
        "image_aux1": rng.integers(256, size=(STEPS, 64, 64, 3), dtype=np.uint8),
        "action": rng.uniform([-0.07, -0.07, 0, 0], [0.07, 0.07, 4, 4], size=(STEPS, 4)).astype(np.float32),
        "endeffector_pos": rng.uniform(-1, 1, size=(STEPS, 3)).astype(np.float32),
    }


def bair_features(values):
    """The features of a record of softmotion30_44k that holds these values."""
    features = {}
    for step in range(len(values["action"])):
        for camera in ("image_main", "image_aux1"):
            features[f"{step}/{camera}/encoded"] = bytes_feature(values[camera][step].tobytes())
        for name in ("action", "endeffector_pos"):
            features[f"{step}/{name}"] = float_feature(*values[name][step])
    return features
