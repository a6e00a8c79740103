"""One video's ladder by two followers, beside one."""

import time
from datetime import datetime

import requests

from Harness.cluster import SeparateCluster

from .ladder import Ladder
from .measure import Comparison, Sample, Scale

# An hour: a ladder that takes longer is not going on.
LADDER_SECONDS_MAX = 3600


class Fleet:
    """Systems with a process for each role. Every follower encodes with one thread."""

    def __init__(self, ladder: Ladder, scale: Scale) -> None:
        self._ladder, self._seconds = ladder, scale.ladder_video_seconds

    def speed(self) -> Comparison:
        ours, theirs = self._ladder_seconds(followers=2), self._ladder_seconds(followers=1)
        print(f"    {ours:.1f} beside {theirs:.1f} s", flush=True)
        return Comparison(
            "a video's ladder by two followers of a thread each", "one follower", "× its playing time", "≥ 1.8",
            [Sample(self._seconds / ours)], [Sample(self._seconds / theirs)])

    def _ladder_seconds(self, followers: int) -> float:
        """From when the first follower took a unit to when the last rung was published."""
        cluster = SeparateCluster(followers=followers, LOG_LEVEL="warning")
        try:
            cluster.start()
            status = self._outcome(cluster, cluster.store(self._ladder.source))
            assert status["overall"] == "ok", status
            return (moment(status["finished_at"]) - moment(status["started_at"])).total_seconds()
        finally:
            cluster.kill_all()
            cluster.remove()

    @staticmethod
    def _outcome(cluster: SeparateCluster, video: str) -> dict:
        deadline = time.monotonic() + LADDER_SECONDS_MAX
        while time.monotonic() < deadline:
            status = requests.get(f"{cluster.transcode}/transcode/status/{video}", timeout=30).json()
            if status["overall"] in ("ok", "error"):
                return status
            time.sleep(0.5)
        raise TimeoutError(f"the ladder of {video} was not there after {LADDER_SECONDS_MAX} s")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
