"""Load on an HTTP server: reads and small writes by wrk, large writes by a few threads of our own."""

import http.client
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from .measure import Sample

CONNECTIONS = 32
WRITERS = 8
SMALL_WRITERS = 64

# Every thread of wrk counts for itself, below a name of its own.
_PUT_SCRIPT = """
local threads = 0
function setup(thread)
    thread:set("name", threads)
    threads = threads + 1
end
local body, number = string.rep("v", SIZE), 0
function request()
    number = number + 1
    return wrk.format("PUT", "/chunk/PREFIX-" .. name .. "-" .. number, nil, body)
end
"""


def read_load(
    urls: list[str], seconds: int, method: str = "GET", connections: int = CONNECTIONS, server: list[int] = []
) -> Sample:
    """Requests a second that the server answers, `urls` in turn; fails if any answer is an error.

    `server` are the process ids of the server.
    """
    return _wrk(urls[0], _script(urls, method), seconds, connections, server)


def small_write_load(url: str, size: int, seconds: int, prefix: str, writers: int = SMALL_WRITERS) -> Sample:
    """New chunks of that size a second that the writers, each waiting for its answer, get acknowledged."""
    return _wrk(url, _PUT_SCRIPT.replace("PREFIX", prefix).replace("SIZE", str(size)), seconds, writers)


def _wrk(url: str, text: str, seconds: int, connections: int, server: list[int] = []) -> Sample:
    used = processor_seconds(server)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(text)
        script.flush()
        result = subprocess.run(
            ["wrk", f"-t{min(2, os.cpu_count() or 1, connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout",
             "60s", "--latency", "-s", script.name, url], capture_output=True, text=True, timeout=seconds + 60)
    output = result.stdout
    if result.returncode or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"wrk on {url}: {output}{result.stderr}")
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", output, re.MULTILINE)
    p99 = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s)\s*$", output, re.MULTILINE)
    count = re.search(r"^\s+(\d+) requests in ", output, re.MULTILINE)
    if rate is None or p99 is None or count is None:
        raise RuntimeError(f"wrk's output has changed: {output}")
    used = processor_seconds(server) - used
    return Sample(
        float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]],
        used * 1e6 / max(int(count[1]), 1) if server else None)


def processor_seconds(processes: list[int]) -> float:
    """What the processes have used of the processor since they began, in user mode and in the kernel (proc(5))."""
    ticks = 0
    for process in processes:
        # The name, in parentheses, may hold spaces.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _script(urls: list[str], method: str) -> str:
    if len(urls) == 1:
        # A request that never changes costs wrk nothing to make.
        return f'wrk.method = "{method}"\n'
    paths = ", ".join(f'"{urlsplit(url).path}"' for url in urls)
    return f"""
local paths = {{ {paths} }}
local requests, turn = {{}}, 0
function init()
    for index, path in ipairs(paths) do requests[index] = wrk.format("{method}", path) end
end
function request()
    turn = turn % #requests + 1
    return requests[turn]
end
"""


def write_load(url: str, body: bytes, count: int, prefix: str) -> Sample:
    """Chunks a second that `WRITERS` writers, each waiting for its answer, get acknowledged."""
    latencies: list[float] = []
    failures: list[str] = []
    numbers = iter(range(count))
    lock = threading.Lock()

    def write() -> None:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        mine = []
        try:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    break
                begun = time.perf_counter()
                connection.request("PUT", f"/chunk/{prefix}-{number}", body)
                answer = connection.getresponse()
                answer.read()
                mine.append(time.perf_counter() - begun)
                if answer.status != 201:
                    raise RuntimeError(f"PUT was answered with {answer.status}")
        except Exception as error:  # Told by the thread that waits for this one.
            failures.append(str(error))
        finally:
            connection.close()
            with lock:
                latencies.extend(mine)

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - begun
    if failures:
        raise RuntimeError(f"a writer failed: {failures[0]}")
    p99 = statistics.quantiles(latencies, n=100)[98]
    return Sample(count / elapsed, p99 * 1000)
