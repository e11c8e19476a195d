"""JSON lines: one object a line. Which keys mean what, in the spellings of the loggers in use.

Earlier names win over later ones when an object holds several. A key inside an object is written with a dot.
"""

from logpith.scan.json_fields import BODY, FAILURE, SERVICE, SEVERITY, SEVERITY_NUMBER, TIME

KEYS: dict[int, tuple[str, ...]] = {
    TIME: (
        "timestamp", "@timestamp", "time", "ts", "datetime", "date", "asctime", "@t", "eventtime", "event_time",
        "logged_at", "created_at", "timeunixnano", "time_unix_nano", "timestamp_ms", "epoch", "t",
        "observedtimestamp", "receivetimestamp", "created",
    ),
    BODY: (
        "message", "msg", "event", "body", "log", "text", "@m", "@mt", "short_message", "textpayload",
        "jsonpayload.message", "jsonpayload.msg", "body.stringvalue", "fields.message", "msgtemplate",
        "renderedmessage", "messagetemplate", "full_message", "log.message", "event.original", "description",
    ),
    SEVERITY: (
        "level", "severity", "log_level", "loglevel", "levelname", "severity_text", "severitytext", "@l", "lvl",
        "log.level", "priority", "level_name", "syslog.severity", "log.syslog.severity.name", "severity_label",
    ),
    SEVERITY_NUMBER: ("severity_number", "severitynumber"),
    SERVICE: (
        "service", "service_name", "service.name", "servicename", "app", "application", "app_name", "appname",
        "resource.service.name", "program", "component", "logger", "logger_name", "loggername", "container_name",
        "kubernetes.container_name", "kubernetes.labels.app", "syslog_identifier", "source_name", "name",
    ),
    FAILURE: (
        "error.code", "error_code", "errorcode", "err.code", "error.type", "err.type", "error_type", "errortype",
        "error.kind", "error.message", "err.message", "error_message", "errormessage", "error", "err", "cause",
        "reason", "failure", "failure_reason", "exception.type", "exception.message", "exception", "exc_type",
        "code", "status_text", "@x",
    ),
}
