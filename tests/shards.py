"""TFRecord shards made without the reader's own parser: for tests and benchmarks."""

import struct

from human_alignment.data.tfrecords import masked_crc


def frame(payload):
    """A record: length and payload, each with its masked checksum."""
    length = struct.pack("<Q", len(payload))
    crc = struct.pack("<I", masked_crc(length)), struct.pack("<I", masked_crc(payload))
    return length + crc[0] + payload + crc[1]


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(**given):
    """A serialised tf.train.Example; a list of bytes becomes a feature of several values."""
    entries = b""
    for name, value in given.items():
        if isinstance(value, int):
            kind = field(3, field(1, varint(value)))
        else:
            values = value if isinstance(value, list) else [value]
            kind = field(1, b"".join(field(1, each) for each in values))
        entries += field(1, field(1, name.encode()) + field(2, kind))
    return field(1, entries)
