"""Read TFRecord shards without TensorFlow: every length and every payload is checked.

A record is its payload's length (uint64), a masked CRC-32C of that length, the payload, and a
masked CRC-32C of the payload, little-endian (format: tensorflow/core/lib/io/record_writer.h). The
payload is a serialised `tf.train.Example`, whose message types are declared here for protobuf.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from ..common.cli import UserError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_CUT_OFF = "the shard is cut off"
_LONGEST = 1 << 28  # bytes; a longer record is no image


class BadRecord(UserError):
    """A record that cannot be used. `fatal`: nothing after it in the shard can be read."""

    def __init__(self, path: Path, number: int, offset: int, reason: str, fatal: bool = False):
        super().__init__(
            f"{path}: record {number} at byte {offset}: {reason}. "
            "Delete the shard and download it again, or leave out bad records with "
            "clickme.on_bad_record: skip (--on-bad-record skip)"
        )
        self.place = f"record {number} at byte {offset}"
        self.record = f"{path.name}, record {number}, byte {offset}"
        self.reason, self.fatal = reason, fatal


@dataclass(frozen=True)
class Record:
    """A payload whose checksums are right, and its place in the shard."""

    path: Path
    number: int
    offset: int
    payload: bytes

    def bad(self, reason: str) -> BadRecord:
        """The error that says why this record cannot be used."""
        return BadRecord(self.path, self.number, self.offset, reason)


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and offset as the format asks for."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: Path | str) -> Iterator[Record | BadRecord]:
    """The records of a shard in order, one in memory at a time.

    A record whose payload is damaged is given as a BadRecord, and reading goes on after it. After
    damage that hides where the next record begins, the BadRecord is `fatal` and the last.
    An empty file is one fatal BadRecord.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        number, offset = 0, 0
        while True:
            found = _read_one(stream, path, number, offset)
            if found is None:
                return
            yield found
            if isinstance(found, BadRecord) and found.fatal:
                return
            number, offset = number + 1, stream.tell()


def _is_page(head: bytes) -> bool:
    """Whether a file that begins so is HTML, or the XML in which a file store reports errors."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def check_frames(path: Path | str) -> None:
    """Walk from record to record by their lengths; the last one must end where the file ends.

    Payloads are passed over unread, so a whole shard takes a moment.
    Raises BadRecord at the first record that is damaged or cut off.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        number, offset, size = 0, 0, path.stat().st_size
        while (length := _read_length(stream, path, number, offset)) is not None:
            if isinstance(length, BadRecord):
                raise length
            end = offset + _HEADER.size + length + _FOOTER.size
            if end > size:
                raise BadRecord(path, number, offset, _CUT_OFF, fatal=True)
            number, offset = number + 1, stream.seek(end)


def _read_length(
    stream: BinaryIO, path: Path, number: int, offset: int
) -> "int | BadRecord | None":
    """Bytes of the payload that follows; None at the end of a shard that has records."""

    def bad(reason: str) -> BadRecord:
        return BadRecord(path, number, offset, reason, fatal=True)

    header = stream.read(_HEADER.size)
    if not header:
        return bad("the shard is empty") if number == 0 else None
    length, crc = _HEADER.unpack(header.ljust(_HEADER.size, b"\0"))
    sound = len(header) == _HEADER.size and masked_crc(header[:8]) == crc
    # Asked only now: the length of a good record may well begin with the bytes of "<h".
    if not sound and number == 0 and _is_page(header + stream.read(512)):
        return bad("this is a web page, not a shard")
    if len(header) < _HEADER.size:
        return bad(_CUT_OFF)
    if not sound:
        return bad("the checksum of its length is wrong; what follows cannot be read")
    if length > _LONGEST:
        return bad(f"its length of {length} bytes is no image's; what follows cannot be read")
    return length


def _read_one(stream: BinaryIO, path: Path, number: int, offset: int) -> Record | BadRecord | None:
    """The record at the stream's place; None at the end of a shard that has records."""
    length = _read_length(stream, path, number, offset)
    if not isinstance(length, int):
        return length
    payload, footer = stream.read(length), stream.read(_FOOTER.size)
    if len(payload) < length or len(footer) < _FOOTER.size:
        return BadRecord(path, number, offset, _CUT_OFF, fatal=True)
    if masked_crc(payload) != _FOOTER.unpack(footer)[0]:
        return BadRecord(path, number, offset, "the checksum of its content is wrong")
    return Record(path, number, offset, payload)


def _example_type() -> type:
    """The message class of `tf.train.Example`, from its declaration."""
    file = descriptor_pb2.FileDescriptorProto(
        name="human_alignment/example.proto", package="human_alignment", syntax="proto3"
    )
    kind = descriptor_pb2.FieldDescriptorProto

    def message(name: str, **fields: tuple[int, int, int, str]) -> descriptor_pb2.DescriptorProto:
        declared = descriptor_pb2.DescriptorProto(name=name)
        for field, (number, label, type_, type_name) in fields.items():
            declared.field.add(
                name=field, number=number, label=label, type=type_, type_name=type_name or None
            )
        return declared

    one, many = kind.LABEL_OPTIONAL, kind.LABEL_REPEATED
    inside, prefix = kind.TYPE_MESSAGE, ".human_alignment."
    features = message("Features", feature=(1, many, inside, prefix + "Features.FeatureEntry"))
    entry = message(
        "FeatureEntry",
        key=(1, one, kind.TYPE_STRING, ""),
        value=(2, one, inside, prefix + "Feature"),
    )
    entry.options.map_entry = True
    features.nested_type.append(entry)
    file.message_type.extend(
        [
            message("BytesList", value=(1, many, kind.TYPE_BYTES, "")),
            message("Int64List", value=(1, many, kind.TYPE_INT64, "")),
            message(
                "Feature",
                bytes_list=(1, one, inside, prefix + "BytesList"),
                int64_list=(3, one, inside, prefix + "Int64List"),
            ),
            features,
            message("Example", features=(1, one, inside, prefix + "Features")),
        ]
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("human_alignment.Example"))


_Example = _example_type()


def features(record: Record) -> dict[str, bytes | int]:
    """The single-valued byte and integer features of a record, by name.

    Raises BadRecord when the payload is no `tf.train.Example`.
    """
    try:
        example = _Example.FromString(record.payload)
    except DecodeError as error:
        raise record.bad(f"its content is no tf.train.Example ({error})") from error
    found: dict[str, bytes | int] = {}
    for name, feature in example.features.feature.items():
        values = [*feature.bytes_list.value, *feature.int64_list.value]
        if len(values) == 1:
            found[name] = values[0]
    return found
