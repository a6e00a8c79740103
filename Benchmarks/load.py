"""Load on an HTTP server: reads by wrk, writes by a few threads of our own."""

import http.client
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from urllib.parse import urlsplit

from .measure import Sample

CONNECTIONS = 32
WRITERS = 8


def read_load(urls: list[str], seconds: int, method: str = "GET") -> Sample:
    """Requests a second that the server answers, `urls` in turn; fails if any answer is an error."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(urls, method))
        script.flush()
        result = subprocess.run(
            ["wrk", f"-t{min(2, os.cpu_count() or 1)}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", script.name,
             urls[0]], capture_output=True, text=True, timeout=seconds + 60)
    output = result.stdout
    if result.returncode or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"wrk on {urls[0]}: {output}{result.stderr}")
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", output, re.MULTILINE)
    p99 = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s)$", output, re.MULTILINE)
    if rate is None or p99 is None:
        raise RuntimeError(f"wrk's output has changed: {output}")
    return Sample(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]])


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
