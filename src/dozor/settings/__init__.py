"""What can be set, from flags, `DOZOR_…` variables and `dozor.toml`: checked once, here, so that the inside may trust it."""

from dozor.settings.record import Settings
from dozor.settings.secrets import shown_url
from dozor.settings.values import NamedUrl

__all__ = ["NamedUrl", "Settings", "shown_url"]
