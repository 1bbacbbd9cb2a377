"""A Redis Cluster as one of its nodes sees it: `CLUSTER NODES` and `CLUSTER INFO`."""

import re
from collections.abc import Sequence
from typing import Any, Final

from dozor.instruments.redis_failure import RedisFailure, forbidden, kind_of
from dozor.instruments.redis_info import parse_info
from dozor.instruments.redis_source import ClusterSource
from dozor.instruments.redis_target import RedisTarget
from dozor.instruments.redis_view import Node, Role, View, text_of

# ADDRESS:PORT@BUS_PORT[,HOSTNAME[,KEY=VALUE…]]; before Redis 4 without the bus port, before 7 without the rest.
_PLACE: Final = re.compile(r"(.*):([0-9]{1,5})(?:@[0-9]+)?(?:,([^,=]*))?(?:,.*)?")
_SLOTS: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_FIELDS: Final = 8


class ClusterEnquiry:
    """Asks nodes of the cluster that *source* names."""

    kind = "cluster"
    questions = (("CLUSTER", "NODES"), ("CLUSTER", "INFO"))

    def __init__(self, source: ClusterSource) -> None:
        self._source = source
        self.seeds = source.seeds

    def read(self, answers: Sequence[Any], asked: RedisTarget) -> View:
        """What a node says of all that it knows. Raises RedisFailure: it is no node, may not be asked, or talks nonsense."""
        for answer in answers:
            if isinstance(answer, Exception):
                raise RedisFailure(_kind_of_refusal(answer), asked.address)
        said, info = answers
        lines = text_of(said).splitlines()
        nodes = tuple(filter(None, (self._node(line, asked) for line in lines)))
        teller = next((line.split(" ", 1)[0] for line in lines if " myself," in line), None)
        figures = parse_info(info).get("", {}) if isinstance(info, bytes) else {}
        if not nodes or "cluster_state" not in figures:
            raise RedisFailure("garbage", asked.address)
        return View(nodes, figures["cluster_state"] == "ok", figures, teller)

    def peers(self, view: View) -> Sequence[RedisTarget]:
        """Every node may be asked."""
        return [node.target for node in view.nodes]

    def _node(self, line: str, asked: RedisTarget) -> Node | None:
        """The node of one line; None for one that nobody can reach yet, or no longer."""
        fields = line.split(" ")
        found = _PLACE.fullmatch(fields[1]) if len(fields) >= _FIELDS else None
        if found is None:
            return None
        flags = set(fields[2].split(","))
        host, port, hostname = found[1].strip("[]"), int(found[2]), found[3]
        if flags & {"handshake", "noaddr"} or not port:
            return None
        if not host:  # a node that nobody has met yet does not know its own address
            host = asked.place[0]
        elif asked.tls and hostname and hostname != "?":  # what the certificate is most likely made out to
            host = hostname
        replica = "slave" in flags
        return Node(
            id=fields[0],
            target=self._source.node(host, port),
            role=Role.REPLICA if replica else Role.PRIMARY,
            state=next((flag for flag in ("fail", "fail?") if flag in flags), "ok"),
            primary=fields[3] if replica and fields[3] != "-" else None,
            slots=sum(map(_slots, fields[_FIELDS:])),
        )


def _slots(word: str) -> int:
    found = _SLOTS.fullmatch(word)  # no such: a slot on its way, "[93-<-ID]"
    return 0 if found is None else int(found[2] or found[1]) - int(found[1]) + 1


def _kind_of_refusal(answer: Exception) -> str:
    if forbidden(answer):
        return "noview"
    kind = kind_of(answer)
    return "nocluster" if kind in {"error", "noperm"} else kind  # "cluster support disabled", or no such command
