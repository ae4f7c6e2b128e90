"""Who is listened to: a Unix socket, or a broker, as the table [feed] of a station's file says."""

from functools import partial
from pathlib import Path

from secc.feed import Feed
from v2g.settings.strict import ConfigError
from v2g.tasks import Tasks
from v2gkit.extras import missing
from v2gkit.station.feed.hearing import Hearing
from v2gkit.station.feed.unix import Listener


def listen(tasks: Tasks, feed: Feed | None, hearing: Hearing) -> None:
    """Hear, for ever, what is told beside the cars. ConfigError for a broker without its library, OSError for a socket."""
    if feed is None:
        return
    if feed.socket is not None:
        tasks.keep("feed", Listener(Path(feed.socket), int(feed.mode, 8), hearing).heard)
        return
    if lacking := missing(["mqtt"]):
        raise ConfigError(f"feed.host: {lacking}", ("feed", "host"))
    from v2gkit.station.feed import mqtt

    tasks.keep("feed", partial(mqtt.heard, feed, hearing))
