"""A primary, its replicas and the sentinels that watch them, as one sentinel sees them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dozor.instruments.redis_failure import RedisFailure, forbidden, kind_of
from dozor.instruments.redis_source import Place, SentinelSource
from dozor.instruments.redis_target import RedisTarget, address_of
from dozor.instruments.redis_view import Node, Role, View, text_of

_DOWN: Final = ("o_down", "s_down", "disconnected")


class SentinelEnquiry:
    """Asks the sentinels that *source* names, and those that they know. Belongs to one event loop."""

    kind = "sentinel"

    def __init__(self, source: SentinelSource) -> None:
        self._source = source
        self.seeds = source.sentinels
        named = [("SENTINEL", word, source.service) for word in ("MASTER", "REPLICAS", "SENTINELS")]
        self.questions = (*named, ("SENTINEL", "MYID"))
        # A sentinel given by its name is known to others by its address: it stays what it was asked as.
        self._asked_as: dict[str, Place] = {}

    def read(self, answers: Sequence[Any], asked: RedisTarget) -> View:
        """What a sentinel says of the service. Raises RedisFailure: it is none, may not be asked, or does not know that."""
        *said, own_id = answers
        for answer in said:
            if isinstance(answer, Exception):
                raise RedisFailure(_kind_of_refusal(answer), asked.address)
        primary, replicas, sentinels = (list(_entries(answer)) for answer in ([said[0]], *said[1:]))
        if not primary or not _placed(primary[0]):
            raise RedisFailure("garbage", asked.address)
        if own := text_of(own_id):  # before Redis 6.2 it does not know
            self._asked_as[own] = asked.place
        head = self._server(primary[0], Role.PRIMARY)
        nodes = [head, *(self._server(one, Role.REPLICA, head.id) for one in replicas if _placed(one))]
        nodes += [Node(address_of(*asked.place), asked, Role.SENTINEL)]
        nodes += [self._sentinel(one, asked) for one in sentinels if _placed(one)]
        # While a primary is replaced, it may be among the replicas already.
        return View(tuple({node.address: node for node in reversed(nodes)}.values())[::-1], head.state == "ok")

    def peers(self, view: View) -> Sequence[RedisTarget]:
        """The sentinels."""
        return [node.target for node in view.nodes if node.role is Role.SENTINEL]

    def _server(self, said: Mapping[str, str], role: Role, primary: str | None = None) -> Node:
        place = _place(said)
        return Node(address_of(*place), self._source.server.at(*place), role, _state(said), primary)

    def _sentinel(self, said: Mapping[str, str], asked: RedisTarget) -> Node:
        place = self._asked_as.get(said.get("runid", ""), _place(said))
        return Node(address_of(*place), asked.at(*place), Role.SENTINEL, _state(said))


def _entries(answer: Any) -> Iterator[dict[str, str]]:
    for entry in answer if isinstance(answer, list) else []:
        if isinstance(entry, list):
            flat = [text_of(each) for each in entry]
            yield dict(zip(flat[::2], flat[1::2], strict=False))


def _placed(said: Mapping[str, str]) -> bool:
    port = said.get("port", "")
    return bool(said.get("ip")) and port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65535


def _place(said: Mapping[str, str]) -> Place:
    return said["ip"], int(said["port"])


def _state(said: Mapping[str, str]) -> str:
    flags = said.get("flags", "").split(",")
    return next((flag for flag in _DOWN if flag in flags), "ok")


def _kind_of_refusal(answer: Exception) -> str:
    if forbidden(answer):
        return "noview"
    if "no such master" in str(answer).lower():
        return "noservice"
    kind = kind_of(answer)
    return "nosentinel" if kind in {"error", "noperm"} else kind
