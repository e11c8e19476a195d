"""Rules: what is looked for, unless somebody wants other things."""

from __future__ import annotations

from logpith_emit.redaction.judges import (
    judge_address,
    judge_basic,
    judge_bearer,
    judge_card,
    judge_email,
    judge_key,
    judge_key_tail,
    judge_password,
    judge_token,
    judge_url_password,
)
from logpith_emit.redaction.names import LOOSE_NAMES, STRICT_NAMES
from logpith_emit.redaction.rule import Rule

# A value in double quotes, in single quotes, in quotes escaped inside a JSON text, or bare.
# Each ends where its quote ends or where the text was cut. None demands anything after it: nothing to
# go back for, hence linear. A bare one ends before <, or a row of placeholders would be read to its end anew
# from each of them.
_VALUE = (
    r"(?:"
    r'"((?s:[^"\\]|\\.)+)'
    r"|'((?s:[^'\\]|\\.)+)"
    r'|\\{1,3}"((?s:[^"\\]|\\\\\\?.)+)'
    r"""|((?:[^\s"'\\,;&]|\\[^"'\s\\])(?:[^\s"'\\,;&<]|\\[^"'\s\\])*)"""
    r")"
)
_ASSIGNED = r"""\d?(?:\\{0,3}["'])?\s{0,8}(?:=>|:=|=|:)\s{0,8}(?:\[\s{0,4})?"""

DEFAULT_RULES: tuple[Rule, ...] = (
    Rule(
        kind="private_key",
        triggers=("private key",),
        # Dashes come up to four in a row inside (`DEK-Info`); five are the end, or the next key.
        pattern=r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]|-{1,4}[^-])*(?:-----END [A-Z0-9 ]{0,40}-----)?",
    ),
    Rule(
        kind="private_key",
        triggers=("private key",),
        pattern=r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
        judge=judge_key_tail,
    ),
    Rule(
        kind="secret",
        triggers=("@",),
        # The user's password in an address.
        pattern=r"""://[^\s/?#@:"'<>]{0,128}:([^\s"'<>]{1,256})@""",
        judge=judge_url_password,
    ),
    Rule(
        kind="jwt",
        triggers=("eyj",),
        run="word",
        pattern=r"\beyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){1,4}",
    ),
    Rule(
        kind="secret",
        triggers=("bearer ",),
        pattern=r"""(?i:\bbearer)\s{1,4}([A-Za-z0-9._~+/=:-]{8,})""",
        judge=judge_bearer,
    ),
    Rule(
        kind="secret",
        triggers=("basic ",),
        pattern=r"(?i:\bbasic)\s{1,4}([A-Za-z0-9+/_-]{6,}={0,2})",
        judge=judge_basic,
    ),
    Rule(
        kind="secret",
        triggers=("authorization",),
        # A scheme of somebody's own, or a scheme with parameters: `Authorization: ApiKey x`.
        pattern=r"""(?i:authorization)(?:\\{0,3}["'])?\s{0,8}[:=]\s{0,8}(?:\\{0,3}["'])?"""
        r"""[A-Za-z][A-Za-z0-9-]{1,30}\s{1,4}([^\s"'\\,;]{8,})""",
        judge=judge_bearer,
    ),
    Rule(
        kind="secret",
        triggers=("akia", "asia"),
        run="word",
        pattern=r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    ),
    Rule(
        kind="secret",
        triggers=("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_"),
        run="word",
        pattern=r"\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    Rule(
        kind="secret",
        triggers=("glpat-", "gldt-", "glrt-"),
        run="word",
        pattern=r"\b(?:glpat|gldt|glrt)-[A-Za-z0-9_.-]{16,}",
    ),
    Rule(
        kind="secret",
        triggers=("xox", "xapp-"),
        run="word",
        pattern=r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{12,}",
        judge=judge_key,
    ),
    Rule(
        kind="secret",
        triggers=("hooks.slack.com/",),
        run="word",
        pattern=r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{20,})",
    ),
    Rule(
        kind="secret",
        triggers=("aiza", "ya29.", "gocspx-"),
        run="word",
        pattern=r"\b(?:AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    ),
    Rule(
        kind="secret",
        # Stripe, ElevenLabs and others.
        triggers=("sk_", "rk_", "whsec_"),
        run="word",
        pattern=r"\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|sk_[0-9a-f]{40,}|whsec_[A-Za-z0-9+/]{20,})",
    ),
    Rule(
        kind="secret",
        triggers=("sk-",),
        run="word",
        pattern=r"\bsk-[A-Za-z0-9_-]{20,}",
        judge=judge_key,
    ),
    Rule(
        kind="secret",
        triggers=("sg.",),
        run="word",
        pattern=r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    ),
    Rule(
        kind="secret",
        # npm, Hugging Face, PyPI, Shopify, DigitalOcean, Docker, HashiCorp Vault.
        triggers=("npm_", "hf_", "pypi-", "shpat_", "dop_v1_", "dckr_pat_", "hvs."),
        run="word",
        pattern=r"\b(?:npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|shpat_[0-9a-fA-F]{32}"
        r"|dop_v1_[0-9a-f]{40,}|dckr_pat_[A-Za-z0-9_-]{20,}|hvs\.[A-Za-z0-9_-]{20,})",
    ),
    Rule(
        kind="secret",
        triggers=("pass", "pwd", "secret"),
        pattern=STRICT_NAMES + _ASSIGNED + _VALUE,
        judge=judge_password,
    ),
    Rule(
        kind="secret",
        triggers=("token", "authorization", "credential", "key"),
        pattern=LOOSE_NAMES + _ASSIGNED + _VALUE,
        judge=judge_token,
    ),
    Rule(
        kind="secret",
        triggers=("pass", "secret", "token", "-key"),
        # Arguments of a command, and XML.
        pattern=r"(?i:--[a-z0-9-]{0,40}(?:password|passwd|secret|token|api-key|access-key)\s{1,4}"
        r"|<(?:[a-z0-9]{1,20}:)?(?:password|passwd|secret|token|apikey|passphrase)>)"
        r"""["']?([^\s"'<>-][^\s"'<>]*)""",
        judge=judge_password,
    ),
    Rule(
        kind="secret",
        triggers=("signature=", "sig="),
        # Addresses signed for whoever holds them: Azure, AWS, Google.
        pattern=r"""(?i:[?&]sig=|signature=)([^\s"'&<>]{16,})""",
    ),
    Rule(
        kind="email",
        triggers=("@",),
        pattern=r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b",
        judge=judge_email,
    ),
    Rule(
        kind="card",
        run="digits",
        pattern=r"\b(?:[2-6]\d{13,18}|[2-6]\d{3}(?:[ -]\d{4}){3}|3\d{3}[ -]\d{6}[ -]\d{4,5})\b",
        judge=judge_card,
    ),
)

IP_RULE = Rule(
    kind="ip",
    pattern=r"\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}",
    judge=judge_address,
)
"""Addresses of the internet; off by default, because whoever looks for a fault needs them."""

PHONE_RULE = Rule(kind="phone", triggers=("+",), pattern=r"\+[1-9](?:[ ().-]{0,2}\d){7,14}\b")
"""Telephone numbers in international form; off by default, as many logs of calls are about them."""
