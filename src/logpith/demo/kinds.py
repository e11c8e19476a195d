"""Kinds: what each service can say. A kind's text is its template, with `{}` where values go."""

from __future__ import annotations

from dataclasses import dataclass

GATEWAY = "gateway"
ORCHESTRATOR = "call-orchestrator"
PERSONA = "persona-manager"
VOICE = "voice-pipeline"
DB_PROXY = "db-proxy"
WEB = "web"
POSTGRES = "postgres"
SSHD = "sshd"
SERVICES = (GATEWAY, ORCHESTRATOR, PERSONA, VOICE, DB_PROXY, WEB, POSTGRES, SSHD)


@dataclass(frozen=True)
class Kind:
    """One thing that a service can say."""

    service: str
    level: str
    """`debug`, `info`, `warn`, `error`; empty where the service writes none."""

    text: str
    logger: str = ""
    """The part of the service that says it; in sshd's file another program, such as `kernel`."""

    @property
    def template(self) -> str:
        """The text with `<*>` for each value."""
        return self.text.replace("{}", "<*>")


@dataclass(frozen=True)
class Line:
    """A record to be written."""

    time_ns: int
    """When it is written; lines stand in this order."""

    kind: Kind
    values: tuple[object, ...] = ()
    fields: tuple[tuple[str, object], ...] = ()
    """What a JSON service writes beside its message."""

    trailing: tuple[str, ...] = ()
    """Further lines of the record: a traceback, a statement."""

    skew_ns: int = 0
    """How far the clock that stamps it goes ahead of the true time."""

    @property
    def stamp_ns(self) -> int:
        """The time that stands in the file."""
        return self.time_ns + self.skew_ns

    @property
    def lines(self) -> int:
        """How many lines of text it is."""
        return 1 + len(self.trailing)


# gateway: the edge that callers reach
INCOMING = Kind(GATEWAY, "info", "incoming call")
ANSWERED = Kind(GATEWAY, "info", "call answered")
HUNG_UP = Kind(GATEWAY, "info", "caller hung up")
SLOW_CLIENT = Kind(GATEWAY, "warn", "client is slow, {} packets buffered")
UPSTREAM_TIMEOUT = Kind(GATEWAY, "error", "upstream timed out after {} ms")
GATEWAY_STARTING = Kind(GATEWAY, "info", "starting gateway version {}")
GATEWAY_STOPPING = Kind(GATEWAY, "info", "received SIGTERM, draining {} calls")
CALL_REJECTED = Kind(GATEWAY, "warn", "call rejected")
GATEWAY_HEALTH = Kind(GATEWAY, "debug", "health check ok")

# call-orchestrator: leads a call through its steps
STARTED = Kind(ORCHESTRATOR, "info", "call started")
STATE = Kind(ORCHESTRATOR, "debug", "state changed")
TURN = Kind(ORCHESTRATOR, "info", "turn finished")
COMPLETED = Kind(ORCHESTRATOR, "info", "call completed")
CALL_FAILED = Kind(ORCHESTRATOR, "error", "call failed")
STEP_RETRIED = Kind(ORCHESTRATOR, "warning", "step retried")

# persona-manager: who speaks
PERSONA_LOADED = Kind(PERSONA, "info", "persona {} loaded for call {} in {} ms", "persona_manager.store")
PERSONA_CACHED = Kind(PERSONA, "debug", "persona {} served from cache", "persona_manager.cache")
CACHE_KEPT = Kind(
    PERSONA, "error", "cache refresh did not finish in {} s, keeping {} entries", "persona_manager.cache"
)
PERSONA_STARTING = Kind(
    PERSONA, "info", "starting persona-manager {} with {} workers", "persona_manager.main"
)
PERSONA_STOPPING = Kind(PERSONA, "info", "shutting down on signal {}", "persona_manager.main")

# voice-pipeline: hears and speaks
STREAM_OPENED = Kind(VOICE, "info", "audio stream opened call={} codec=opus rate={}", "voice_pipeline.stream")
HEARD = Kind(VOICE, "info", "asr finished call={} words={} took={} ms", "voice_pipeline.asr")
SPOKEN = Kind(VOICE, "info", "tts finished call={} chars={} audio_ms={} took={} ms", "voice_pipeline.tts")
STREAM_CLOSED = Kind(VOICE, "info", "audio stream closed call={} sent={} packets", "voice_pipeline.stream")
JITTER = Kind(VOICE, "warning", "jitter buffer grew to {} ms call={}", "voice_pipeline.stream")
SOCKET_CLOSED = Kind(
    VOICE, "error", "recogniser closed its socket, reconnecting (attempt {})", "voice_pipeline.asr"
)
CREDITS = Kind(VOICE, "info", "speech credits: {} of {} characters left", "voice_pipeline.tts")

# db-proxy: pools connections
POOL = Kind(DB_PROXY, "info", "pool main: {} in use, {} idle, {} waiting")
QUERY_DONE = Kind(DB_PROXY, "info", "client {} query finished in {} ms rows={}")
SLOW_QUERY = Kind(DB_PROXY, "warn", "slow query took {} ms on main")
SERVER_RESET = Kind(DB_PROXY, "error", "server connection {} reset by peer, replaced")
BACKUP_PINNED = Kind(DB_PROXY, "notice", "connection {} pinned by backup for {} s")

# web: the product's site, combined access log; no levels
PAGE_HIT = Kind(WEB, "", '{} - - [{}] "{} {} HTTP/1.1" {} {} "{}" "{}"')

# postgres: its own log; LOG is its word for what it just says
CHECKPOINT = Kind(
    POSTGRES, "LOG", "checkpoint complete: wrote {} buffers ({}%); write={} s, sync={} s, total={} s"
)
CONNECTION = Kind(POSTGRES, "LOG", "connection authorized: user=voice database=calls application_name={}")
SLOW_STATEMENT = Kind(POSTGRES, "LOG", "duration: {} ms")
DUPLICATE = Kind(POSTGRES, "ERROR", 'duplicate key value violates unique constraint "call_events_pkey"')
BACKUP = Kind(POSTGRES, "LOG", "backup {} of base/{} finished, {} kB")

# sshd: no levels
FAILED_PASSWORD = Kind(SSHD, "", "Failed password for invalid user {} from {} port {} ssh2")
INVALID_USER = Kind(SSHD, "", "Invalid user {} from {} port {}")
ACCEPTED = Kind(SSHD, "", "Accepted publickey for deploy from {} port {} ssh2: ED25519 SHA256:{}")
DISCONNECTED = Kind(SSHD, "", "Disconnected from invalid user {} {} port {} [preauth]")
