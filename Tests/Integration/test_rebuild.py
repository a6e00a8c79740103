"""The metadata database is lost: `vstack metadata rebuild` makes it anew from the storage nodes alone."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from Harness import videos
from Harness.cluster import SeparateCluster
from Harness.daemon import wait_for

VIDEOS = 50


def database(cluster: SeparateCluster) -> Path:
    return cluster.data / "metadata/metadata.db"


def rebuild(cluster: SeparateCluster, *arguments: object, nodes: list[str] | None = None) -> tuple[int, dict, str]:
    """The exit code, the report, and what was said on standard error."""
    result = cluster.command(
        "metadata", "rebuild", "--json", "--db-path", database(cluster), "--nodes",
        ",".join(nodes or cluster.storage), *arguments)
    return result.returncode, json.loads(result.stdout) if result.stdout else {}, result.stderr


def lose_database(cluster: SeparateCluster) -> None:
    """Everything that was acknowledged is on the nodes; then the service dies and its folder is gone."""

    def is_settled() -> bool:
        return requests.get(f"{cluster.metadata}/health", timeout=5).json()["journal_due"] == 0

    wait_for("the journal to be on the nodes", 60, is_settled)
    cluster.kill("metadata")
    shutil.rmtree(database(cluster).parent)


def get(url: str) -> requests.Response:
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200, f"{url}: {answer.text}"
    return answer


def everything_with_all_copies(cluster: SeparateCluster) -> dict:
    """A copy that comes late is entered later, while the nodes tell of it at once."""

    def is_complete() -> bool:
        stats = get(f"{cluster.metadata}/stats").json()
        return stats["total_replicas"] == 3 * stats["total_chunks"]

    everything(cluster)
    wait_for("every copy of every chunk", 60, is_complete)
    return everything(cluster)


def everything(cluster: SeparateCluster) -> dict:
    """All that the catalog says to anybody, when all nodes are there."""
    cluster.wait_for_nodes(len(cluster.storage))

    def listing() -> list[dict] | None:
        """Thumbnails come a moment after the video."""
        listed = get(f"{cluster.metadata}/videos?limit=1000").json()
        return listed if all(video["has_thumbnail"] for video in listed if video["status"] == "active") else None

    listed = wait_for("every video's thumbnail", 60, listing)
    said = {"videos": listed, "stats": get(f"{cluster.metadata}/stats").json()}
    for video in listed:
        name = video["video_id"]
        for path in ("manifest/{}", "video/{}", "video/{}/layout", "video/{}/popularity"):
            said[path.format(name)] = get(f"{cluster.metadata}/{path.format(name)}").json()
        if video["status"] == "active":
            master = get(cluster.playlist_url(name)).text
            said[f"{name} master"] = master
            for uri in (line for line in master.splitlines() if line and not line.startswith("#")):
                said[f"{name} {uri}"] = get(requests.compat.urljoin(cluster.playlist_url(name), uri)).text
            original = requests.head(f"{cluster.streaming}/stream/{name}/original", timeout=30)
            said[f"{name} original"] = {
                key: original.headers[key] for key in ("Content-Type", "Content-Length", "ETag", "Content-Disposition")
                if key in original.headers}
    return said


def assert_same(before: dict, after: dict) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert after[name] == value, name


def test_fifty_videos(separate_cluster, sample_video, tmp_path):
    """With 50 videos stored, and titles, views, statuses and deletions: everything is as it was."""
    cluster = separate_cluster(JOURNAL_INTERVAL=0.2)
    clip = sample_video(width=160, height=120, seconds=1)
    with ThreadPoolExecutor(6) as pool:
        stored = list(pool.map(lambda number: cluster.store(clip, f"Film {number}", seconds=300), range(VIDEOS)))

    for number in range(0, VIDEOS, 7):
        answer = requests.patch(
            f"{cluster.metadata}/video/{stored[number]}", json={"title": f"Straße „{number}“ 🎬"}, timeout=30)
        assert answer.status_code == 200, answer.text
    for number in range(1, VIDEOS, 5):
        for _ in range(number):
            assert requests.post(f"{cluster.metadata}/video/{stored[number]}/view", timeout=30).status_code == 200
    for number in (3, 17):
        answer = requests.patch(
            f"{cluster.metadata}/video/{stored[number]}/status", json={"status": "failed", "error": "for a reason"},
            timeout=30)
        assert answer.status_code == 200, answer.text
    deleted = stored[5]
    assert requests.delete(f"{cluster.metadata}/video/{deleted}", timeout=30).status_code == 204

    before = everything_with_all_copies(cluster)
    assert len(before["videos"]) == VIDEOS - 1
    lose_database(cluster)
    code, report, errors = rebuild(cluster)
    assert code == 0, (report, errors)
    assert (report["video_count"], report["incomplete_count"]) == (VIDEOS - 1, 0)
    cluster.restart("metadata")
    cluster.processes["streaming"].stop(10)
    cluster.restart("streaming")
    assert_same(before, everything(cluster))
    assert requests.get(f"{cluster.metadata}/video/{deleted}", timeout=30).status_code == 404

    decoded = videos.decode(cluster.playlist_url(stored[0]))
    assert (decoded.frames, decoded.errors) == (videos.packet_count(clip), "")
    result = cluster.command("verify")
    assert result.returncode == 0, result.stdout + result.stderr

    # The catalog goes on from there: what changes now survives the next loss too.
    requests.patch(f"{cluster.metadata}/video/{stored[0]}", json={"title": "After the loss"}, timeout=30)
    assert requests.delete(f"{cluster.metadata}/video/{stored[1]}", timeout=30).status_code == 204
    added = cluster.store(clip, "Stored after the loss")
    before = everything_with_all_copies(cluster)
    lose_database(cluster)
    code, report, errors = rebuild(cluster)
    assert code == 0, (report, errors)
    cluster.restart("metadata")
    assert_same(before, everything(cluster))
    assert added in [video["video_id"] for video in before["videos"]]


def test_majorities_and_refusals(separate_cluster, sample_video):
    """One node away costs nothing; where two of a group's three are, the video is named and nothing is put in place."""
    cluster = separate_cluster(JOURNAL_INTERVAL=0.2)
    clip = sample_video(width=160, height=120, seconds=1)
    stored = [cluster.store(clip, f"Film {number}") for number in range(4)]
    before = everything_with_all_copies(cluster)

    code, _, errors = rebuild(cluster, "--replace")
    assert code == 1 and f"process {cluster.processes['metadata'].process.pid}" in errors, errors
    lose_database(cluster)

    group = [replica.rstrip("/") for replica in before[f"manifest/{stored[0]}"]["chunks"][0]["replicas"]]
    assert len(group) == 3
    few = [url for url in cluster.storage if url not in group[:2]]
    code, report, _ = rebuild(cluster, nodes=few)
    assert code == 1 and not report["is_installed"] and not database(cluster).exists()
    named = {line["video_id"]: line for line in report["incomplete"]}
    assert stored[0] in named and "1 of the 3 nodes of its group answered" in named[stored[0]]["reasons"][0], named

    away = cluster.name_at(group[0])
    cluster.kill(away)
    code, report, errors = rebuild(cluster)
    assert code == 0, (report, errors)
    assert [node["node_url"] for node in report["nodes"] if node.get("error")] == [group[0]]
    cluster.restart("metadata")
    cluster.restart(away)
    after = everything(cluster)
    assert [v["video_id"] for v in after["videos"]] == [v["video_id"] for v in before["videos"]]
    assert after[f"{stored[0]} master"] == before[f"{stored[0]} master"]

    cluster.kill("metadata")
    code, _, errors = rebuild(cluster)
    assert code == 1 and "--replace" in errors, errors
    code, report, errors = rebuild(cluster, "--replace")
    assert code == 0 and Path(report["replaced_path"]).exists(), (report, errors)
    # With the node that was away before, all copies are known again.
    cluster.restart("metadata")
    assert_same(before, everything(cluster))
