"""One video's ladder by two followers, beside one."""

from datetime import datetime

import requests

from Harness.cluster import SeparateCluster
from Harness.daemon import wait_for

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
        def outcome() -> dict | None:
            status = requests.get(f"{cluster.transcode}/transcode/status/{video}", timeout=30).json()
            return status if status["overall"] in ("ok", "error") else None

        # Rarely, so that looking takes nothing from the encoding.
        return wait_for(f"the ladder of {video}", LADDER_SECONDS_MAX, outcome, interval=0.5)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
