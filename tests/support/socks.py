"""A SOCKS5 proxy for tests: it connects every request to one port of this machine, whatever host is requested."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading

NO_METHOD, PASSWORD = 0xFF, 0x02


class SocksProxy:
    """`asked`: the requested hosts and ports. With `login` the proxy requires that name and password.

    Source: RFC 1928, RFC 1929.
    """

    def __init__(self, port: int, login: tuple[str, str] | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        asked = self.asked

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, EOFError):
                    self.serve()

            def exactly(self, count: int) -> bytes:
                data = self.rfile.read(count)
                if len(data) < count:
                    raise EOFError
                return data

            def serve(self) -> None:
                version, count = self.exactly(2)
                if version != 5:
                    return  # OpenSSH does the same
                methods = self.exactly(count)
                wanted = 0 if login is None else PASSWORD
                self.wfile.write(bytes((5, wanted if wanted in methods else NO_METHOD)))
                if wanted not in methods:
                    return
                if login is not None:
                    name = self.exactly(self.exactly(2)[1])
                    right = (name.decode(), self.exactly(self.exactly(1)[0]).decode()) == login
                    self.wfile.write(bytes((1, 0 if right else 1)))
                    if not right:
                        return
                kind = self.exactly(4)[3]
                if kind == 3:
                    host = self.exactly(self.exactly(1)[0]).decode()
                else:
                    family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
                    host = socket.inet_ntop(family, self.exactly(size))
                asked.append((host, int.from_bytes(self.exactly(2), "big")))
                try:
                    there = socket.create_connection(("127.0.0.1", port))
                except OSError:
                    self.wfile.write(bytes((5, 5, 0, 1, 0, 0, 0, 0, 0, 0)))
                    return
                with there:
                    self.wfile.write(bytes((5, 0, 0, 1, 0, 0, 0, 0, 0, 0)))
                    back = threading.Thread(target=pump, args=(there, self.connection), daemon=True)
                    back.start()
                    pump(self.connection, there)
                    back.join()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes from `source` to `target` until the end, and pass the end on."""
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
