"""nginx, tuned as an engineer would for these files."""

import getpass
import shutil
import subprocess
from pathlib import Path

from Harness.daemon import wait_for
from Harness.ports import PortBlock, is_free

_CONFIGURATION = """
daemon off;
{user}
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{
    worker_connections 2048;
    use epoll;
    multi_accept on;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 75;
    keepalive_requests 100000000;
    open_file_cache max=1000 inactive=60s;
    open_file_cache_valid 60s;
    open_file_cache_min_uses 1;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/octet-stream;
    types {{ application/json json; }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        root {folder}/files;
        location = /ping {{
            add_header X-Node-ID storage-node-1;
            add_header X-Disk-Usage-Percent 17.0;
            add_header X-Chunk-Count 100;
            add_header X-Response-Time 0.01;
            add_header Cache-Control no-cache;
            return 200;
        }}
    }}
}}
"""


class Nginx:
    """Serves the files put into it at `url`."""

    def __init__(self, folder: Path) -> None:
        self._block = PortBlock()
        port = 8000 + self._block.offset
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._files = folder / "nginx/files"
        self._files.mkdir(parents=True)
        self._folder = folder / "nginx"
        # Started as root its workers would become a user who may not enter the folder.
        user = "user root;" if getpass.getuser() == "root" else ""
        (self._folder / "nginx.conf").write_text(_CONFIGURATION.format(user=user, folder=self._folder, port=port))

    def add(self, name: str, content: bytes) -> str:
        """The address under which it serves `content`."""
        file = self._files / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        return f"{self.url}/{name}"

    def start(self) -> None:
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        self._process = subprocess.Popen(
            [binary, "-e", self._folder / "error.log", "-p", self._folder, "-c", self._folder / "nginx.conf"])

        def listens() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError("nginx ended: " + (self._folder / "error.log").read_text())
            return not is_free(self._port)

        wait_for("nginx to listen", 10, listens)

    def workers(self) -> list[int]:
        """Process ids of those who answer."""
        process = self._process.pid
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        self._block.release()
