"""Jobs: RQ as a wake-up. The only function a worker will ever run is draining one of our queues."""

from contextlib import closing
from typing import Any

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from runtime import outbox
from runtime.breaker import Breaker, Refused
from runtime.facts import Unavailable
from runtime.log import log
from runtime.redis import queue as queue_redis
from runtime.redis_trouble import telling

DRAIN = "runtime.jobs.drain"
_connection: list[Any] = []


def _ask() -> None:
    with closing(queue_redis()) as fresh:
        fresh.ping()


_breaker = Breaker("the queues", _ask)


class OnlyDrain(Job):
    """A job that refuses any other function, whatever somebody wrote into the queue's Redis."""

    def perform(self) -> Any:
        if self.func_name != DRAIN:
            raise PermissionError(f"job {self.func_name!r} is not on the list")
        return super().perform()


def drain(queue: str) -> int:
    """Work off a queue's outbox rows."""
    return outbox.drain(queue)


def wake(queue: str) -> None:
    """Tell a worker that a queue has work. Never raises: the sweeper wakes again within a second or so.

    A Redis that hangs holds up a commit or two for a second each, then nobody waits for it until it is well."""
    try:
        with telling(_breaker):
            rq = _queue(queue)
            if (
                len(rq) < 2
            ):  # one that runs may miss this row, the next one will not; more would say nothing new
                rq.enqueue_call(DRAIN, args=(queue,), timeout=600, result_ttl=0, failure_ttl=3600)
    except Refused:
        return
    except (RedisError, Unavailable) as trouble:
        log.warning("jobs.wake_failed", queue=queue, error=str(trouble.__cause__ or trouble))


def sweep() -> None:
    """Wake every queue whose work has been due for a second."""
    for queue in outbox.due_queues(older_than=1):
        wake(queue)


def work(queue: str) -> None:
    """Be the worker of one queue until SIGTERM."""
    name = _queue(queue)
    worker = SimpleWorker(
        [name],
        connection=name.connection,
        job_class=OnlyDrain,
        serializer=JSONSerializer,
        maintenance_interval=30,
    )
    worker.log_result_lifespan = False
    outbox.drain(queue)  # what was left when the last worker stopped
    worker.work(logging_level="WARNING")


def _queue(queue: str) -> Queue:
    if not _connection:
        _connection.append(queue_redis())
    return Queue(f"haoka:{queue}", connection=_connection[0], job_class=OnlyDrain, serializer=JSONSerializer)
