"""Reads from a node that does its housekeeping, beside reads from one that does not."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from Harness.daemon import wait_for

from .load import CONNECTIONS, WRITERS, read_load
from .measure import Comparison, Sample, Scale, compare
from .nodes import Node

CHUNK_BYTES = 2 * 1024 * 1024
# What is read: more than the processor's caches hold.
READ_COUNT = 64


@dataclass(frozen=True)
class Upkeep:
    folder: Path
    scale: Scale

    def scrubbing(self) -> Comparison:
        """Every pass begins anew, and goes on for longer than the load, at the rate that nobody has set."""
        with self._node("quiet", SCRUB_BYTES_PER_SEC=0) as quiet, self._node(
                "scrubbed", **self._rate("SCRUB_BYTES_PER_SEC")) as scrubbed:
            for node in (quiet, scrubbed):
                fill(node, self.scale.upkeep_chunks)

            def scrubbing() -> Sample:
                before = scrubbed.metric("vstack_storage_scrub_bytes_total")
                requests.post(f"{scrubbed.url}/scrub", timeout=30).raise_for_status()
                wait_for("scrubbing to begin", 60, lambda: scrubbed.metric("vstack_storage_scrub_bytes_total") > before)
                sample = self._reads(scrubbed)
                progress = requests.get(f"{scrubbed.url}/scrub", timeout=30).json()
                if progress["status"] not in ("running", "paused"):
                    raise RuntimeError(f"scrubbing ended before the load: {progress}")
                return sample

            return compare(
                f"GET a 2 MiB chunk, {CONNECTIONS} connections, while the node scrubs", "while it does not",
                "requests/s", "≥ 0.9", self.scale.rounds, scrubbing, lambda: self._reads(quiet))

    def compacting(self) -> Comparison:
        """Half of the chunks are deleted, so that half of every superblock is copied, at the rate that nobody has set."""
        with self._node("uncompacted", COMPACTION_LIVE_PERCENT=1) as quiet:
            fill(quiet, self.scale.upkeep_chunks)
            halve(quiet, self.scale.upkeep_chunks)
            runs = iter(range(self.scale.rounds))

            def compacting() -> Sample:
                rate = self._rate("COMPACTION_BYTES_PER_SEC")
                with self._node(f"compacted-{next(runs)}", COMPACTION_LIVE_PERCENT=80, **rate) as node:
                    fill(node, self.scale.upkeep_chunks)
                    halve(node, self.scale.upkeep_chunks)
                    # What was copied is dead where it was.
                    dead = "vstack_storage_dead_bytes"
                    before = node.metric(dead)
                    wait_for("compaction to begin", 60, lambda: node.metric(dead) != before)
                    sample = self._reads(node)
                    if node.metric(dead) < CHUNK_BYTES:
                        raise RuntimeError("compaction ended before the load")
                    return sample

            return compare(
                f"GET a 2 MiB chunk, {CONNECTIONS} connections, while the node compacts", "while it does not",
                "requests/s", "≥ 0.8", self.scale.rounds, compacting, lambda: self._reads(quiet))

    def _rate(self, setting: str) -> dict[str, int]:
        return {} if self.scale.upkeep_rate is None else {setting: self.scale.upkeep_rate}

    def _node(self, name: str, **settings: object) -> Node:
        return Node(self.folder / name, MAX_SUPERBLOCK_SIZE_MB=64, **settings)

    def _reads(self, node: Node) -> Sample:
        kept = range(1, self.scale.upkeep_chunks, 2)[:READ_COUNT]
        return read_load([f"{node.url}/chunk/{name(number)}" for number in kept], self.scale.load_seconds)


def name(number: int) -> str:
    return f"upkeep-{number}"


def fill(node: Node, count: int) -> None:
    def put(number: int) -> None:
        content = random.Random(number).randbytes(CHUNK_BYTES)
        requests.put(f"{node.url}/chunk/{name(number)}", data=content, timeout=60).raise_for_status()

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(put, range(count)))


def halve(node: Node, count: int) -> None:
    """Deletes every other chunk."""
    for number in range(0, count, 2):
        requests.delete(f"{node.url}/chunk/{name(number)}", timeout=60).raise_for_status()
