"""Port ranges that nobody else uses, also when test runs go on side by side."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

# Default ports of the roles of `vstack up`, in the contract's words.
METADATA, UPLOADER, STREAMING, WEB = 8080, 8084, 8004, 8085
TRANSCODE, LIBRARY, ADMIN = 8002, 8003, 8005
LEADER = 3001
FOLLOWERS = [3002, 3003, 3004]
STORAGE = [8081, 8082, 8083, 8087, 8088]
ALL = [METADATA, UPLOADER, STREAMING, WEB, TRANSCODE, LIBRARY, ADMIN, LEADER, *FOLLOWERS, *STORAGE]

# The highest default port plus the highest offset stays below Linux's ephemeral ports, which begin at 32768.
_OFFSETS = range(2000, 24000, 100)
# The same for every run on the machine, also for one that puts its own temporary files elsewhere later.
_LOCKS = Path(tempfile.gettempdir()) / f"vstack-test-ports-{os.getuid()}"


class PortBlock:
    """A port offset under which all default ports are free, held until `release`.

    A lock file keeps other test runs off the offset while no process has bound its ports yet.
    """

    def __init__(self) -> None:
        _LOCKS.mkdir(exist_ok=True)
        # Different processes begin at different places, so that they seldom try for the same one.
        start = os.getpid() * 7 % len(_OFFSETS)
        for index in range(len(_OFFSETS)):
            offset = _OFFSETS[(start + index) % len(_OFFSETS)]
            lock = open(_LOCKS / str(offset), "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            if all(is_free(port + offset) for port in ALL):
                self.offset, self._lock = offset, lock
                return
            lock.close()
        raise RuntimeError("no port offset from 2000 to 24000 has all of V-Stack's ports free")

    def release(self) -> None:
        self._lock.close()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
