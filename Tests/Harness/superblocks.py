"""A reader of a storage node's folder, written from docs/formats/superblock.md and nothing else.

It changes nothing, needs no checkpoint, and is as slow as Python is: for tests, and as a second opinion.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILE_HEADER = struct.Struct("<8sII16sqQ12sI")
RECORD_HEADER = struct.Struct("<4sIBBHHHIIQQqQQII32sIIQQ")
RECORDS_OFFSET, UNIT = 8192, 64
CHUNK, TOMBSTONE, ACCEPTOR_STATE, VOID, REMOVAL = 1, 2, 3, 4, 5
PROMISED, ACCEPTED = 1, 2

assert FILE_HEADER.size == 64 and RECORD_HEADER.size == 128


class Damaged(Exception):
    """The folder is not what the format says."""


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def aligned(length: int) -> int:
    return -(-length // UNIT) * UNIT


@dataclass(frozen=True, order=True)
class Ballot:
    round: int
    proposer: int

    def __str__(self) -> str:
        return f"{self.round}.{self.proposer:x}"


@dataclass(frozen=True)
class Record:
    superblock: int
    offset: int
    length: int
    kind: int
    id: str
    metadata: bytes
    configuration_length: int
    payload: bytes
    payload_crc: int
    sha256: bytes
    sequence: int
    durable_offset: int
    promised: Ballot | None
    accepted: Ballot | None

    @property
    def end(self) -> int:
        return self.offset + self.length

    @property
    def has_state(self) -> bool:
        """Whether it says what its chunk's acceptor has."""
        return self.kind in (CHUNK, TOMBSTONE, ACCEPTOR_STATE) and bool(
            self.promised or self.accepted or self.configuration_length)

    def state(self) -> "AcceptorState":
        value_length = len(self.metadata) - self.configuration_length
        configuration = self.metadata[value_length:]
        return AcceptorState(
            self.promised, self.accepted, self.metadata[:value_length],
            Configuration.parse(configuration) if configuration else None)

    @property
    def is_marker(self) -> bool:
        return self.kind == VOID and not self.payload and self.durable_offset == self.offset

    def payload_is_intact(self) -> bool:
        return self.kind == VOID or crc32c(self.payload) == self.payload_crc

    def removed(self) -> Iterator[int]:
        for first, last in struct.iter_unpack("<II", self.metadata):
            yield from range(first, last + 1)


@dataclass
class Superblock:
    """One file's records that count, and what between them does not."""

    number: int
    store: bytes
    records: list[Record] = field(default_factory=list)
    damage: list[range] = field(default_factory=list)
    holes: list[range] = field(default_factory=list)


@dataclass(frozen=True)
class Configuration:
    """In which instance an acceptor's state is, and who decides it."""

    version: int
    members: list[tuple[str, bytes]]
    base: bytes

    @staticmethod
    def parse(data: bytes) -> "Configuration":
        version, count = struct.unpack_from("<IB", data)
        position = 5

        def take() -> bytes:
            nonlocal position
            length = data[position]
            position += 1 + length
            return data[position - length : position]

        members = [(take().decode(), take()) for _ in range(count)]
        if position > len(data) or any(len(identity) not in (0, 16) for _, identity in members):
            raise Damaged("a configuration ends before its members do")
        return Configuration(version, members, data[position:])


@dataclass(frozen=True)
class AcceptorState:
    promised: Ballot | None
    accepted: Ballot | None
    value: bytes
    configuration: Configuration | None


@dataclass
class Folder:
    """What a folder adds up to."""

    identity: str
    chunks: dict[str, bytes]
    acceptors: dict[str, AcceptorState]
    damage: list[str]
    superblocks: list[Superblock]


def _record(data: bytes, offset: int, number: int, salt: int) -> Record | None:
    """The valid record that begins there."""
    if data[offset : offset + 4] != b"VREC" or offset + RECORD_HEADER.size > len(data):
        return None
    (_, crc, version, kind, flags, id_length, metadata_length, payload_length, superblock, sequence, durable_offset, _,
     promised_proposer, accepted_proposer, promised_round, accepted_round, sha256, payload_crc, configuration_length,
     record_salt, record_offset) = RECORD_HEADER.unpack_from(data, offset)
    if id_length > 64 or metadata_length > 4096:
        return None
    head_length = RECORD_HEADER.size + id_length + metadata_length
    length = aligned(head_length) + aligned(payload_length)
    head = data[offset : offset + head_length]
    if offset + length > len(data) or crc32c(head[8:]) != crc:
        return None
    if (superblock, record_salt, record_offset) != (number, salt, offset):
        return None
    if configuration_length > metadata_length:
        return None
    if version != 1:
        raise Damaged(f"superblock {number} has a record of format {version}")
    payload_start = offset + aligned(head_length)
    id_end = RECORD_HEADER.size + id_length
    return Record(
        superblock=number, offset=offset, length=length, kind=kind, id=head[RECORD_HEADER.size : id_end].decode(),
        metadata=head[id_end:], configuration_length=configuration_length, payload=data[payload_start : payload_start + payload_length], payload_crc=payload_crc,
        sha256=sha256, sequence=sequence, durable_offset=durable_offset,
        promised=Ballot(promised_round, promised_proposer) if flags & PROMISED else None,
        accepted=Ballot(accepted_round, accepted_proposer) if flags & ACCEPTED else None)


def _file_header(data: bytes, number: int) -> tuple[bytes, int]:
    """Identity of the store, and salt; from the first of the two copies that is whole."""
    for offset in (0, 4096):
        header = data[offset : offset + FILE_HEADER.size]
        if len(header) < FILE_HEADER.size:
            continue
        magic, version, own_number, store, _, salt, _, crc = FILE_HEADER.unpack(header)
        if magic == b"VSTKSBLK" and crc == crc32c(header[:60]):
            if version != 1 or own_number != number:
                raise Damaged(f"superblock {number} says that it is number {own_number} of format {version}")
            return store, salt
    raise Damaged(f"superblock {number} has no intact header")


def read_superblock(path: Path) -> Superblock:
    number = int(path.stem)
    data = path.read_bytes()
    store, salt = _file_header(data, number)
    superblock = Superblock(number, store)
    found: list[Record] = []
    offset = RECORDS_OFFSET
    while offset < len(data):
        record = _record(data, offset, number, salt)
        if record:
            found.append(record)
        offset = record.end if record else offset + UNIT
    durable_end = max((record.durable_offset for record in found), default=RECORDS_OFFSET)
    # The last group before a crash: what no record vouches for counts only if its payload is whole.
    superblock.records = [
        record for record in found if record.end <= durable_end or record.is_marker or record.payload_is_intact()]
    end = RECORDS_OFFSET
    for record in superblock.records:
        if record.offset - end > UNIT:
            (superblock.damage if end < durable_end else superblock.holes).append(range(end, record.offset))
        end = record.end
    if end < durable_end:
        superblock.damage.append(range(end, durable_end))
    return superblock


def read_folder(folder: Path) -> Folder:
    identity = (folder / "store.id").read_text().strip()
    superblocks: dict[int, Superblock] = {}
    removed: set[int] = set()
    for path in sorted((folder / "superblocks").glob("*.vsb"), reverse=True, key=lambda path: int(path.stem)):
        if int(path.stem) in removed:
            continue
        superblock = read_superblock(path)
        if superblock.store.hex() != identity:
            raise Damaged(f"{path} belongs to another store")
        superblocks[superblock.number] = superblock
        for record in superblock.records:
            if record.kind == REMOVAL:
                removed.update(record.removed())
    damage = [f"superblock {number} is lost" for number in range(1, max(superblocks, default=0))
              if number not in superblocks and number not in removed]
    damage += [f"superblock {one.number}, {part}" for one in superblocks.values() for part in one.damage]
    records = [record for superblock in superblocks.values() for record in superblock.records]
    chunks, states = _newest(records)
    for chunk in chunks.values():
        if crc32c(chunk.payload) != chunk.payload_crc or hashlib.sha256(chunk.payload).digest() != chunk.sha256:
            damage.append(f"chunk {chunk.id} in superblock {chunk.superblock} at {chunk.offset}")
    return Folder(
        identity=identity, chunks={id: record.payload for id, record in chunks.items()},
        acceptors={id: record.state() for id, record in states.items()},
        damage=damage, superblocks=sorted(superblocks.values(), key=lambda superblock: superblock.number))


def _newest(records: list[Record]) -> tuple[dict[str, Record], dict[str, Record]]:
    """The chunk records that are there, and the records that say the acceptors' states, by id."""
    contents: dict[str, Record] = {}
    states: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.sequence):
        if record.kind in (CHUNK, TOMBSTONE):
            contents[record.id] = record
        if record.has_state:
            states[record.id] = record
    return {id: record for id, record in contents.items() if record.kind == CHUNK}, states
