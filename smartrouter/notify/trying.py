# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a channel works: a sample is sent through it, and what went wrong is said in words that hold
nothing of its configuration.
"""

from smartrouter.config.sections import NotifyConfig
from smartrouter.core.errors import SmartrouterError
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.channels import open_channel, without_secrets
from smartrouter.notify.wording import sample


def try_out(config: NotifyConfig, now: float) -> tuple[str, float]:
    """Send a sample, made `now` (epoch seconds): why it did not get there, '' if it did; and for how many
    seconds the service wants to be left in peace, 0 usually. Takes as long as the channel does."""
    try:
        channel = open_channel(config)
        try:
            channel.send(sample(now), "")
        finally:
            channel.close()
    except NotDelivered as error:
        return without_secrets(str(error), config), error.retry_after or 0.0
    except SmartrouterError as error:
        return without_secrets(str(error), config), 0.0
    except Exception as fault:  # its text may hold a secret
        return f"a fault of smartrouter's: {type(fault).__name__}", 0.0
    return "", 0.0
