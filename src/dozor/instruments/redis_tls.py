"""How a connection to a Redis is encrypted, in redis-py's words: the `ssl_…` of its URLs and clients."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_REQUIRED: Final[Mapping[str, ssl.VerifyMode]] = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_NO: Final = frozenset({"0", "F", "FALSE", "N", "NO"})


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What `redis.SSLConnection` takes, each by its name there without `ssl_`. Text forms hold no secrets."""

    cert_reqs: ssl.VerifyMode = ssl.CERT_REQUIRED
    check_hostname: bool = True
    certfile: str | None = None
    keyfile: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_certs: str | None = None
    ca_path: str | None = None
    ca_data: str | bytes | None = field(default=None, repr=False)
    min_version: ssl.TLSVersion | None = None
    ciphers: str | None = None
    include_verify_flags: tuple[ssl.VerifyFlags, ...] = ()
    exclude_verify_flags: tuple[ssl.VerifyFlags, ...] = ()

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "TlsSettings":
        """Those among the *arguments* of a connection, as a URL or a client has them. Raises ValueError for the name of a wrong one."""
        given = {
            name: arguments[f"ssl_{name}"]
            for name in cls.__dataclass_fields__
            if arguments.get(f"ssl_{name}") is not None
        }
        if "ssl_cert_reqs" in arguments:
            given["cert_reqs"] = arguments["ssl_cert_reqs"] or "none"
        for name, read in _READ.items():
            if name in given:
                try:
                    given[name] = read(given[name])
                except (AttributeError, KeyError, TypeError, ValueError):
                    raise ValueError(f"ssl_{name}") from None
        return cls(**given)

    def context(self) -> ssl.SSLContext:
        """A context with these settings; reads the files anew. Raises OSError (`ssl.SSLError` is one), ValueError."""
        context = ssl.create_default_context()
        context.check_hostname = self.check_hostname and self.cert_reqs != ssl.CERT_NONE
        context.verify_mode = self.cert_reqs
        for flag in self.include_verify_flags:
            context.verify_flags |= flag
        for flag in self.exclude_verify_flags:
            context.verify_flags &= ~flag
        if self.certfile or self.keyfile:
            context.load_cert_chain(self.certfile or "", self.keyfile, self.password)
        if self.ca_certs or self.ca_path or self.ca_data:
            context.load_verify_locations(self.ca_certs, self.ca_path, self.ca_data)
        if self.min_version is not None:
            context.minimum_version = self.min_version
        if self.ciphers is not None:
            context.set_ciphers(self.ciphers)
        return context


def _flags(value: Any) -> tuple[ssl.VerifyFlags, ...]:
    """In a URL they are written `[VERIFY_X509_STRICT, …]`."""
    if not isinstance(value, str):
        return tuple(map(ssl.VerifyFlags, value))
    return tuple(ssl.VerifyFlags[name.strip()] for name in value.strip("[]").split(","))


def _verify_mode(value: Any) -> ssl.VerifyMode:
    return _REQUIRED[value] if isinstance(value, str) else ssl.VerifyMode(value)


def _yes(value: Any) -> bool:
    return value.upper() not in _NO if isinstance(value, str) else bool(value)


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "cert_reqs": _verify_mode,
    "check_hostname": _yes,
    "min_version": lambda value: ssl.TLSVersion(int(value)),
    "include_verify_flags": _flags,
    "exclude_verify_flags": _flags,
}
