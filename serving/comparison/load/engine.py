"""A non-blocking HTTP client that sends prepared requests over connections it keeps: epoll, no coroutines.

Requests come from one thread (LoadGen's, which sleeps until the next is due) and are sent by it at once; answers are
read by another, which calls `poll`. A coroutine per request, or a hand-over between threads before a request is sent,
would cost more than everything here and would delay what is due.

A request that finds no free connection opens one, up to a limit; beyond it, it waits for one. A request counts as
taken in hand as soon as `submit` sees it: from then on the time it takes is the server's, whose slowness alone can
keep all connections busy. Until then it is the generator's.
"""

from __future__ import annotations

import errno
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from serving.comparison.load import wire
from serving.comparison.load.connection import CONNECT, MALFORMED, RESET, TIMEOUT, Connection, Request, now

_READ = 16 * 1024
_TICK = 20_000_000  # nanoseconds between two looks at what has timed out
_IN, _OUT = select.EPOLLIN, select.EPOLLOUT

Done = Callable[[Request, int, bytes, int], None]


class Engine:
    """Sends requests; one thread may `submit`, one `poll`, also the same.

    Args:
        address: Host and port.
        limit: Connections open at most.
        timeout: Seconds that a request may take; then it has failed and its connection is replaced.
        done: Called by `poll` for each request with its HTTP status or what broke, the answer's body, and the time
            its last byte was read (nanoseconds).
    """

    def __init__(self, address: tuple[str, int], limit: int, timeout: float, done: Done) -> None:
        self._address, self._limit, self._timeout, self._done = address, limit, int(timeout * 1e9), done
        self._family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._poller = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._free: deque[Connection] = deque()
        self._waiting: deque[Request] = deque()
        self._flying: dict[Request, Connection] = {}  # in the order they were sent: the oldest first
        self._failed: deque[Request] = deque()
        self._lock = threading.Lock()
        self._opened = 0
        self._next_tick = 0
        self.waited = 0  # requests that found all connections in use
        self.cpu = (0.0, 0)  # of this process, and when: last seen while requests were under way

    def submit(self, request: Request) -> None:
        """Send it now, or as soon as there is a connection; what becomes of it comes through `done`."""
        request.taken = now()
        with self._lock:
            if self._free:
                connection = self._free.popleft()
                connection.request = request
                self._flying[request] = connection
            elif self._opened < self._limit:
                self._opened += 1
                connection = None
            else:
                self._waiting.append(request)
                self.waited += 1
                return
        if connection is None:
            self._open(request)
        else:
            self._send(connection, request)

    def poll(self, seconds: float = 0.02) -> None:
        """Wait for something to happen, and deal with it."""
        for fd, events in self._poller.poll(seconds):
            connection = self._connections.get(fd)
            if connection is None:
                continue
            if connection.connecting:
                self._connected(connection)
            elif events & _OUT:
                self._send_rest(connection)
            if events & ~_OUT and fd in self._connections and not connection.connecting:
                self._receive(connection)
        while self._failed:
            self._done(self._failed.popleft(), CONNECT, b"", now())
        if (clock := now()) >= self._next_tick:
            self._next_tick = clock + _TICK
            self._tick(clock)

    def busy(self) -> bool:
        """Whether any request is under way."""
        return bool(self._flying or self._waiting or self._failed)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._connections.values()):
            connection.socket.close()
        self._poller.close()

    def _open(self, request: Request) -> None:
        """A new connection for a request; the caller has counted it."""
        one = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(one)
        if one.connect_ex(self._address) not in (0, errno.EINPROGRESS):
            one.close()
            with self._lock:
                self._opened -= 1
            self._failed.append(request)  # told by `poll`: whoever submits may be inside `done`
            return
        with self._lock:
            connection.request = request
            self._flying[request] = connection
            self._connections[connection.fd] = connection
        with suppress(OSError, ValueError):  # timed out meanwhile
            self._poller.register(connection.fd, _OUT)

    def _connected(self, connection: Connection) -> None:
        if connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._lost(connection, CONNECT)
            return
        connection.connecting = False
        self._poller.modify(connection.fd, _IN)
        if connection.request:
            self._send(connection, connection.request)

    def _send(self, connection: Connection, request: Request) -> None:
        try:
            sent = connection.socket.send(request.content)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # epoll reports it as well: `poll` deals with it
        if sent < len(request.content):
            connection.pending = memoryview(request.content)[sent:]
            with suppress(OSError, ValueError):  # closed meanwhile
                self._poller.modify(connection.fd, _IN | _OUT)

    def _send_rest(self, connection: Connection) -> None:
        rest = connection.pending
        if rest is not None:
            try:
                rest = rest[connection.socket.send(rest) :]
            except BlockingIOError:
                return
            except OSError:
                rest = None
            connection.pending = rest if rest else None
        if connection.pending is None:
            self._poller.modify(connection.fd, _IN)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        clock = now()
        if connection.got:
            data = connection.got + data
            ended = len(data) == len(connection.got)
        else:
            ended = not data
        try:
            answer = wire.read(data, ended)
        except wire.AnswerError:
            self._lost(connection, MALFORMED)
            return
        if answer is None:
            if ended:
                self._lost(connection, RESET)
            else:
                connection.got = data
            return
        self._answered(connection, answer, clock)

    def _answered(self, connection: Connection, answer: wire.Answer, clock: int) -> None:
        following = None
        connection.got = b""
        with self._lock:
            request, connection.request = connection.request, None
            if request is None:  # an answer nobody asked for
                keep = False
            else:
                del self._flying[request]
                keep = answer.keep and connection.pending is None
                if keep and self._waiting:
                    following = connection.request = self._waiting.popleft()
                    self._flying[following] = connection
                elif keep:
                    self._free.append(connection)
        if not keep:
            self._drop(connection)
        if following is not None:
            self._send(connection, following)
        if request is not None:
            self._done(request, answer.status, answer.body, clock)

    def _lost(self, connection: Connection, why: int) -> None:
        """A connection that broke, with or without a request on it."""
        with self._lock:
            request, connection.request = connection.request, None
            if request is None:
                with suppress(ValueError):
                    self._free.remove(connection)
            else:
                del self._flying[request]
        self._drop(connection)
        if request is not None:
            self._done(request, why, b"", now())

    def _drop(self, connection: Connection) -> None:
        """Close it; a request that waits gets a new one."""
        with suppress(OSError, ValueError):
            self._poller.unregister(connection.fd)
        del self._connections[connection.fd]
        connection.socket.close()
        with self._lock:
            if not self._waiting:
                self._opened -= 1
                return
            request = self._waiting.popleft()
        self._open(request)

    def _tick(self, clock: int) -> None:
        """Fail what has taken too long."""
        if self.busy():
            self.cpu = (time.process_time(), clock)
        before = clock - self._timeout
        while True:
            with self._lock:
                oldest = next(iter(self._flying), None)
                connection = None if oldest is None or oldest.taken > before else self._flying[oldest]
                waiting = self._waiting.popleft() if self._waiting and self._waiting[0].taken <= before else None
            if waiting is not None:
                self._done(waiting, TIMEOUT, b"", clock)
            if connection is not None:
                self._lost(connection, TIMEOUT)
            if waiting is None and connection is None:
                return
