"""The stock's Redis as this process knows it: one client for its place, and a breaker for each of its servers."""

# redis-py is typed in parts.
# mypy: disable-error-code="no-untyped-call"

import threading
import time
from typing import Any, cast

import redis
from redis.client import Pipeline
from redis.cluster import ClusterNode, NodesManager, RedisCluster
from redis.connection import ConnectionPool
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisClusterException, RedisError, SlotNotCoveredError
from redis.sentinel import SentinelConnectionPool

from runtime.breaker import FAILURES, Breaker
from runtime.facts import Unavailable
from runtime.redis_clients import client, cluster, deadline, timeout, within
from runtime.redis_place import Node, Place
from runtime.redis_trouble import is_astray, telling

REDIRECTS = 5  # of one command in a cluster


def _options() -> dict[str, Any]:
    return {
        "socket_timeout": timeout(),
        "socket_connect_timeout": timeout(),
        "decode_responses": True,
        "protocol": 3,
        "health_check_interval": 0,
    }


class Stock:
    """Made without asking anybody; the first command connects. A cluster's servers are named host:port; one server,
    and the primary behind Sentinels, has the name ""."""

    def __init__(self, at: Place) -> None:
        self.place = at
        self.is_cluster = at.kind == "cluster"
        self._client: redis.Redis | RedisCluster | None = None
        self._breakers: dict[str, Breaker] = {}
        self._making = threading.RLock()

    def client(self) -> redis.Redis:
        """Raises Unavailable when a cluster's slots cannot be learnt."""
        if self._client is None:
            self.breaker().check()
            with self._making:
                if self._client is None:
                    self._client = self._cluster() if self.is_cluster else self._server()
        return cast(redis.Redis, self._client)

    def breaker(self, server: str = "") -> Breaker:
        """A cluster has one more, named "", for its nodes as a whole."""
        found = self._breakers.get(server)
        if found is None:
            with self._making:
                found = Breaker(server or self._title(), lambda: self._ask(server))
                found = self._breakers.setdefault(server, found)
        return found

    @property
    def is_known(self) -> bool:
        """Can `server_of` answer without asking the network?"""
        return not self.is_cluster or self._client is not None

    def server_of(self, key: str) -> str:
        """Where the key is. Raises Unavailable when the cluster does not say."""
        if not self.is_cluster:
            return ""
        try:
            return str(self._nodes.get_node_from_slot(key_slot(key.encode())).name)
        except SlotNotCoveredError as trouble:
            self.lost(trouble)
            raise Unavailable from trouble

    def address(self, server: str) -> Node | str:
        """Where the server is now: host and port, or a socket's path. Asks the Sentinels. Raises Unavailable."""
        if self.is_cluster:
            host, _, port = server.rpartition(":")
            return host, int(port)
        if self.place.kind == "server":
            return self.place.path or self.place.nodes[0]
        pool = cast(SentinelConnectionPool, self.client().connection_pool)
        with telling(self.breaker()), within(deadline()):
            host, port = pool.get_master_address()
        return str(host), int(port)

    def pool(self, server: str) -> ConnectionPool:
        if not self.is_cluster:
            return self.client().connection_pool
        node = self._nodes.get_node(node_name=server)
        if node is None:  # it has just left the cluster
            raise Unavailable
        return cast(RedisCluster, self.client()).get_redis_connection(node).connection_pool

    def moved(self, told: str) -> str:
        """A server said that a slot is elsewhere, as "SLOT HOST:PORT"; gives the name of that server."""
        self._nodes.move_slot(MovedError(told))
        return told.partition(" ")[2]

    def lost(self, trouble: SlotNotCoveredError) -> None:
        """Nobody is known to have a slot: let the healer learn anew."""
        self.breaker().failed(time.monotonic(), weight=FAILURES, why=str(trouble))

    def close(self) -> None:
        with self._making:
            for breaker in self._breakers.values():
                breaker.end()
            if self._client is not None:
                self._client.close()

    @property
    def _nodes(self) -> NodesManager:
        return cast(RedisCluster, self.client()).nodes_manager

    def _title(self) -> str:
        return self.place.path or ",".join(f"{host}:{port}" for host, port in self.place.nodes)

    def _server(self) -> redis.Redis:
        made = client(self.place, _Server, timely=True, **_options())
        made.stock = self
        return made

    def _cluster(self) -> RedisCluster:
        """One caller tries while the others wait; when it fails they are all refused."""
        began = time.monotonic()
        self.breaker().check()
        try:
            with within(deadline()):
                return cluster(self.place, _Cluster, stock=self, **_options())
        except (RedisClusterException, RedisError, Unavailable) as trouble:
            self.breaker().failed(began, weight=FAILURES, why=str(trouble))
            raise Unavailable from trouble

    def _ask(self, server: str) -> None:
        """Is that server well? Of a cluster learn anew first who has which slots; one without slots is not asked."""
        at = self.place
        with within(deadline()):
            if self.is_cluster:
                if self._client is None:
                    cluster(at, RedisCluster, **_options()).close()
                    return
                self._nodes.initialize(last_failed_node_name=server or None)
                if server not in {node.name for node in self._nodes.get_nodes_by_server_type("primary")}:
                    return
                host, _, port = server.rpartition(":")
                at = Place(
                    "server", ((host, int(port)),), "", "", 0, at.username, at.password, at.tls, at.options
                )
            fresh = client(at, redis.Redis, timely=True, **_options())
            try:
                fresh.ping()
            finally:
                fresh.close()


class _Server(redis.Redis):
    """Trouble is raised as Unavailable, and the breaker hears of it."""

    stock: Stock

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            with telling(self.stock.breaker()):
                return super().execute_command(*args, **options)
        except Unavailable as trouble:
            if is_astray(trouble.__cause__):  # whom the address means may be another by now
                self.connection_pool.disconnect(inuse_connections=False)
            raise

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        return _Pipe(self.stock, self.connection_pool, self.response_callbacks, transaction)


class _Cluster(RedisCluster):
    """The same for each node by itself. MOVED and ASK are followed; a lost answer is told at once, and who has the
    slots now is learnt by the healer, not while a caller waits."""

    def __init__(self, *, stock: Stock, **options: Any) -> None:
        self.stock = stock
        super().__init__(**options)

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().execute_command(*args, **kwargs)
        except SlotNotCoveredError as trouble:
            self.stock.lost(trouble)
            raise Unavailable from trouble

    def _execute_command(self, target_node: ClusterNode, *args: Any, **kwargs: Any) -> Any:
        node, asking = target_node, False
        for _ in range(REDIRECTS):
            with telling(self.stock.breaker(node.name)):
                try:
                    return _send(self.get_redis_connection(node), asking, args, kwargs)
                except MovedError as moved:
                    self.nodes_manager.move_slot(moved)
                    node, asking = self.nodes_manager.get_node_from_slot(moved.slot_id), False
                except AskError as asked:
                    node, asking = self._known(asked), True
        raise Unavailable

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> Any:
        any_node = self.get_redis_connection(self.get_primaries()[0])
        return _Pipe(self.stock, any_node.connection_pool, any_node.response_callbacks, transaction)

    def _known(self, asked: AskError) -> ClusterNode:
        found = self.nodes_manager.get_node(host=asked.host, port=asked.port)
        return found or ClusterNode(asked.host, asked.port, "primary")


class _Pipe(Pipeline):
    """Commands sent together, their key always the first argument; the answers of a slot's are in order. To be run
    again is harmless to them: in a cluster a slot that has moved is asked anew. A transaction's share a slot."""

    def __init__(self, stock: Stock, pool: ConnectionPool, callbacks: Any, transaction: bool) -> None:
        self.stock = stock
        super().__init__(pool, callbacks, transaction, None)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = list(self.command_stack)
        slots: dict[int, list[int]] = {}
        for at, (args, _) in enumerate(commands):
            slots.setdefault(key_slot(args[1].encode()) if self.stock.is_cluster else 0, []).append(at)
        answers: list[Any] = [None] * len(commands)
        for places in slots.values():
            for at, answer in zip(places, self._together([commands[at] for at in places]), strict=True):
                answers[at] = answer
        return answers

    def _together(self, commands: list[Any]) -> list[Any]:
        for _ in range(REDIRECTS):
            server = self.stock.server_of(commands[0][0][1])
            self.connection_pool = self.stock.pool(server)
            self.command_stack = list(commands)
            with telling(self.stock.breaker(server)):
                try:
                    return super().execute()
                except MovedError as moved:
                    self.stock.moved(f"{moved.slot_id} {moved.host}:{moved.port}")
                except AskError as asked:
                    raise Unavailable from asked  # for the moment that the slot moves
        raise Unavailable


def _send(server: redis.Redis, asking: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not asking:
        return server.execute_command(*args, **kwargs)
    both = server.pipeline(transaction=False)
    both.execute_command("ASKING")
    both.execute_command(*args, **kwargs)
    return both.execute()[1]
