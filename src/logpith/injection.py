r"""Text that reads as if it spoke to a model: instructions that somebody planted in a log.

Such text is evidence like any other, so it is shown; but it is flagged, and tokens that begin a turn in a
chat template are broken. This is a general list of what such texts say. It lowers the risk; it does not
remove it (OWASP LLM01), which is why nothing in logpith acts upon log text.

Everything here takes linear time: phrases go through RE2, the chat tokens look ahead a bounded way.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

# What begins or ends a turn, or the call of a tool, in the chat templates of common model families. U+FF5C
# and U+2581 are the bar and the blank of some of them.
_CHAT_TOKEN = re.compile(
    r"(?i)[<\[](?="
    r"[|\uff5c][\w\u2581 .-]{1,60}[|\uff5c]>"
    r"|/?INST\]|</?SYS>>"
    r"|(?:start|end)_of_turn>|/?(?:s|bos|eos|pad|unk|mask)>"
    r"|/?(?:\w{1,20}:)?(?:function_(?:call|result)s?|tool_(?:call|result)s?|tool_use|tool_response"
    r"|invoke|system[_-]reminder|system[_-]prompt)\b"
    r")"
)

# A turn that begins a line, also where the line's break is an escape.
_TURN = re.compile(r"(?i)(?:^|\n|\\n)[ \t]{0,8}(?:human|assistant)[ \t]{0,8}:")

_MODEL = (
    r"(?:ai|a\.i\.|llm|ai (?:assistant|agent|model)|(?:large )?language model|chat ?bot|chatgpt|gpt|claude"
    r"|gemini|copilot)"
)
_RULES = r"(?:instruction|prompt|rule|guideline|directive|safety|polic|command|context|guardrail|restriction)"
_SECRETS = (
    r"(?:system prompt|instructions|api[ _-]?keys?|credentials?|secrets?|passwords?|tokens?"
    r"|env(?:ironment)? variables?|conversation|chat history)"
)

# They are read from folded text: NFKC, lower case, what hides gone, blanks single.
_PHRASES = (
    # Take back what was said before.
    r"\b(?:ignore|disregard|forget|override|bypass|overrule|do not follow|don't follow|stop following)"
    rf" (?:\S+ ){{0,4}}{_RULES}",
    r"\b(?:ignore|disregard|forget) (?:all |everything )?(?:of )?(?:the |that |what )?"
    r"(?:above|previous|prior|before|you were told)\b",
    r"\bignorier\w* (?:bitte )?(?:alle|die|s[aä]mtliche|deine) (?:\S+ ){0,2}(?:anweisung|regeln|vorgaben)",
    r"\bignore[zr]? (?:toutes? |tous )?(?:les|vos|tes) (?:\S+ ){0,2}(?:instructions|consignes|r[eè]gles)",
    r"\b(?:ignora|ignore|olvida|esque[cç]a) (?:todas? )?(?:l[ao]s|as|os|tus|suas) (?:\S+ ){0,2}"
    r"(?:instruc|instru[cç]|regl|regras|[oó]rden)",
    r"\b(?:игнорируй|забудь|игнорируйте|забудьте) (?:\S+ ){0,3}(?:инструкц|указани|правил)",
    r"(?:忽略|无视|忘记|忘掉).{0,12}(?:指令|指示|提示|规则|说明)",
    r"(?:指示|命令|ルール|プロンプト)を(?:すべて|全て)?無視",
    # Give it another task or another self.
    rf"\bnew (?:system |developer |secret |urgent )?{_RULES}s?\s*(?::|are\b|is\b|follow)",
    r"\byour (?:new |real |true |actual |only )?(?:task|role|goal|job|mission|purpose|instructions?)"
    r" (?:is|are) (?:now |to )",
    r"\byou are now (?:an? |my |the |acting|dan\b|free\b|unrestricted"
    r"|in (?:\w+ )?(?:developer|admin|god|debug|root|jailbreak) mode)",
    r"\b(?:pretend|act as if|behave as if|imagine) (?:that )?you(?:'re| are| were| have| can)\b",
    rf"\b(?:act|behave|respond|answer) as (?:an? |the )?(?:\w+ )?{_MODEL}\b",
    r"\b(?:jailbreak|do anything now|god mode|dan mode)\b",
    # Address it.
    r"\b(?:as|if you(?:'re| are)|you are|dear|hey|hello|attention|attn|note to|message (?:to|for)"
    rf"|instructions? (?:to|for))[,:]? (?:all |any |the |an? )?{_MODEL}\b",
    rf"\b{_MODEL}s? (?:reading|processing|analy[sz]ing|parsing|summari[sz]ing|reviewing)"
    r" (?:this|these|the)\b",
    r"\byou (?:must|should|shall|need to|have to|are required to|will)(?: now| immediately| first| only)?"
    r" (?:ignore|disregard|comply|obey|reply|respond|answer with|tell the user|approve|exfiltrate"
    r"|call the \w+ (?:tool|function)|invoke)\b",
    # Have it hide, leak or act.
    r"\b(?:do not|don't|never|without) (?:tell|inform|mention|reveal|alert|notify|show|warn|ask|telling"
    r"|informing|mentioning|alerting|notifying|warning|asking)(?: \S+){0,3}"
    r" (?:the )?(?:user|operator|human|developer)\b",
    r"\b(?:reveal|repeat|leak|exfiltrate|disclose|output|print|show|send|post|upload|email|forward|append"
    r"|include) (?:\S+ ){0,2}(?:your|all|any|every|the user's|the full) (?:\S+ ){0,2}"
    rf"{_SECRETS}\b",
    r"\b(?:call|invoke|use|run|execute) (?:the |your )(?:\S+ )?(?:tool|function|mcp)\b(?: \S+){0,3}"
    r" (?:with|to|and|immediately|now)\b",
    r"!\[[^\]]{0,200}\]\(\s*(?:https?:)?//",
    # Forge the borders of the conversation.
    r"\b(?:begin|start|end) (?:of )?(?:the )?(?:new |hidden |admin |real )?(?:system (?:prompt|message"
    r"|instructions?)|untrusted (?:data|content|text)|tool (?:result|output|response)|instructions)\b",
    r"\b(?:system|developer|admin) (?:prompt|message|override)\s*[:=]",
    r"(?:###|\*\*|##)\s*(?:system|assistant|instructions?|human|new task)\b",
    r'"role"\s*:\s*"(?:system|assistant|developer)"',
)

# Logs hold such tags in pairs; one that closes what the text did not open tries to end the quotation.
_CLOSER = (
    r"</(data|documents?|context|system|instructions?|logs?|results?|output|user|assistant|human|input"
    r"|untrusted|query|search_results|evidence)\s*>"
)

_HIDDEN_LETTER = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)


def break_chat_tokens(text: str) -> str:
    r"""The text with a backslash in each token of a chat template, unknown to tokenizers: `<\|im_start|>`."""
    return _CHAT_TOKEN.sub(r"\g<0>\\", text)


def speaks_to_a_model(text: str) -> bool:
    """Whether the text, as it came, reads as if it told a model what to do."""
    if _CHAT_TOKEN.search(text) or _TURN.search(text):
        return True
    folded = _fold(text)
    if _phrases().search(folded):
        return True
    first_closers: dict[str, int] = {}
    for closer in _closers().finditer(folded):
        first_closers.setdefault(closer[1], closer.start())
    return any(f"<{name}" not in folded[:place] for name, place in first_closers.items())


def _fold(text: str) -> str:
    """The text as a model reads it: without what hides, in one spelling."""
    visible = text if text.isascii() else unicodedata.normalize("NFKC", _HIDDEN_LETTER.sub(_unhide, text))
    return " ".join(visible.casefold().encode("utf-8", "replace").decode("utf-8").split())


def _unhide(hidden: re.Match[str]) -> str:
    """Tag characters spell ASCII, to a model as well; the others only part the letters of a word."""
    character = hidden[0]
    return chr(ord(character) - 0xE0000) if "\U000e0020" <= character <= "\U000e007e" else ""


@cache
def _phrases() -> Any:  # google-re2 has no types
    import re2  # noqa: PLC0415 - only who flags pays for loading it

    return re2.compile("|".join(_PHRASES))


@cache
def _closers() -> Any:  # google-re2 has no types
    import re2  # noqa: PLC0415 - see above

    return re2.compile(_CLOSER)
