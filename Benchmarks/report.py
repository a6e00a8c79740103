"""The table, and where it is kept."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

from .measure import Comparison, Sample, median

BEGIN, END = "<!-- begin generated -->", "<!-- end generated -->"


def table(comparisons: list[Comparison], rounds: int, folder: Path) -> str:
    lines = [
        f"Measured {datetime.date.today().isoformat()} on {machine(folder)}. Medians of {rounds} alternating "
        f"round{'s' if rounds > 1 else ''}; p99 is the requests' 99th percentile, CPU what the server used of the "
        "processor for one request.",
        "",
        "| what | V-Stack | peer | the peer's figure | ratio | wanted |",
        "| --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for one in comparisons:
        lines.append(
            f"| {one.name} | {figure(one.ours, one.unit)} | {one.peer} | {figure(one.theirs, one.unit)} | "
            f"{one.ratio:.2f} | {one.wanted} |")
    return "\n".join(lines)


def figure(samples: list[Sample], unit: str) -> str:
    value = median(samples)
    text = f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"
    latencies = [Sample(sample.p99_milliseconds) for sample in samples if sample.p99_milliseconds is not None]
    if latencies:
        text += f", p99 {median(latencies):.3g} ms"
    used = [Sample(sample.processor_microseconds) for sample in samples if sample.processor_microseconds is not None]
    return f"{text}, CPU {median(used):.3g} µs" if used else text


def machine(folder: Path) -> str:
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    file_system = output("stat", "-f", "-c", "%T", str(folder))
    tools = ", ".join([
        version(r"nginx/\S+", "nginx", "-v"), version(r"fio-\S+", "fio", "--version"),
        version(r"wrk \S+", "wrk", "--version"), version(r"ffmpeg version \S+", "ffmpeg", "-version")])
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, {file_system}, "
        f"Linux {platform.release()}, {tools}")


def version(pattern: str, *command: str) -> str:
    found = re.search(pattern, output(*command))
    return found[0].replace(" version", "") if found else command[0]


def output(*command: str) -> str:
    # nginx is in /usr/sbin, which is not in everybody's PATH; versions go to stdout here and to stderr there.
    environment = os.environ | {"PATH": os.environ.get("PATH", "") + ":/usr/sbin"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    return (result.stdout + result.stderr).strip()


def keep(text: str, file: Path) -> None:
    """Replaces the generated section of `file`."""
    old = file.read_text()
    begin, end = old.index(BEGIN) + len(BEGIN), old.index(END)
    file.write_text(f"{old[:begin]}\n{text}\n{old[end:]}")
