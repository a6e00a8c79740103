"""HTTP by hand, for what no well-behaved client would send."""

import socket
import struct
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class RawResponse:
    status: int
    headers: dict[str, str]
    body: bytes


def connect(url: str, timeout: float = 20, receive_buffer: int | None = None) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.socket()
    if receive_buffer:
        # Before connecting, or the window has been offered already.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(timeout)
    connection.connect((parts.hostname, parts.port))
    return connection


def head(method: str, path: str, headers: dict[str, object]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in ({"Host": "localhost"} | headers).items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def read_response(connection: socket.socket, has_body: bool = True) -> RawResponse | None:
    """The next response, of which only a body with Content-Length is read; None when the peer closed instead.

    That to HEAD has none, whatever its headers say.
    """
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return None
            data += part
        top, body = data.split(b"\r\n\r\n", 1)
        lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0")) if has_body else 0
        while len(body) < length:
            part = connection.recv(65536)
            if not part:
                break
            body += part
    except ConnectionError:
        return None
    return RawResponse(int(lines[0].split()[1]), headers, body)


def exchange(url: str, data: bytes, end: bool = False) -> RawResponse | None:
    """Sends these bytes on a connection of their own (and nothing more, if `end`); what came back."""
    with connect(url) as connection:
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            # It may have answered and closed before it had everything; the answer still counts.
            pass
        return read_response(connection)


def reset(connection: socket.socket) -> None:
    """Closes with RST, as a phone that loses its network in the end does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def was_dropped(connection: socket.socket, timeout: float) -> bool:
    """Whether the peer ends the connection within `timeout`, whatever it says before."""
    connection.settimeout(timeout)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True
