"""How a command that asks a live Dozor can end other than well."""

from dozor.errors import DozorError


class CommandFailed(DozorError):  # noqa: N818 - named for what is the case, as all below
    """A command ends with *status*; its text says why, and what to do."""

    status = 1


class Refused(CommandFailed):
    """Dozor, or a receiver, said no; or nothing is there under the id that was given."""


class BadRequest(CommandFailed):
    """What was asked for makes no sense to Dozor: a matcher, a time."""

    status = 2


class NoAnswer(CommandFailed):
    """There is no Dozor at the address, or none that answers us."""

    status = 3
