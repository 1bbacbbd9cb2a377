"""What people do with what rules find: the life of an alert, from pending to resolved."""

from dozor.alerts.flapping import FlappingPolicy
from dozor.alerts.inhibition import InhibitRule
from dozor.alerts.lifecycle import Lifecycle

__all__ = ["FlappingPolicy", "InhibitRule", "Lifecycle"]
