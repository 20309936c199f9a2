"""Who is told of incidents in one house: its notifiers, each with a loop of its own.

Control runs the loops. It builds and names them; what they send, and when again, is decided in `alerts/`.
"""

from __future__ import annotations

from functools import partial

from gyroscope.alerts.delivery import Delivery
from gyroscope.alerts.notifiers import Notifier
from gyroscope.alerts.notifiers.alertmanager import AlertmanagerNotifier
from gyroscope.alerts.notifiers.log import LogNotifier
from gyroscope.alerts.notifiers.webhook import WebhookNotifier
from gyroscope.assembly.house import House
from gyroscope.clock import HOUR_US
from gyroscope.settings import secret_of
from gyroscope.settings_alerts import NotifierSettings, told


def deliveries(house: House) -> dict[str, Delivery]:
    """The loop of each notifier, by its name."""
    return {
        name: Delivery(name, notifier_of(house, one), house.outbox, house.signals, int(one.give_up_hours * HOUR_US))
        for name, one in told(house.settings.notifiers).items()
    }


def notifier_of(house: House, one: NotifierSettings) -> Notifier:
    """The notifier that settings describe."""
    if one.kind == "webhook":
        return WebhookNotifier(one.url, partial(secret_of, one, house.settings_path.parent), one.timeout_s)
    if one.kind == "alertmanager":
        return AlertmanagerNotifier(one.url, one.timeout_s)
    return LogNotifier()
