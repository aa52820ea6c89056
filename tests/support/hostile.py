"""Texts that people and feeds must be able to send without harm: the list of the mail rules, one name each."""

from __future__ import annotations

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "style": "</style><style>*{display:none}",
    "comment": "--><img src=x onerror=alert(1)><!--",
    "attribute": '" onmouseover="alert(1)" x="',
    "expression": "{{7*7}}",
    "statement": "{% for i in range(10**9) %}",
    "header": "a\r\nBcc: evil@example.net\r\n\r\nbody",
    "line feed": "a\nBcc: evil@example.net",
    "encoded header": "=?utf-8?q?a=0D=0ABcc:_evil@example.net?=",
    "encoded word": "=?utf-8?b?ZXZpbA==?=",
    "nul": "a\0b",
    "override": "a\u202eb\u2066c",
    "surrogate": "a\ud800b",
    "combining": "a" + "\u0301" * 1000,
    "long line": "x" * 5_000,
    "long words": "word " * 5_000,
    "javascript": "javascript:alert(1)",
    "javascript tab": " java\tscript:alert(1)",
    "relative": "//evil.example.net/x",
    "user name": "https://bank.example@evil.example.net/",
    "smtp": "\r\n.\r\nMAIL FROM:<x@example.net>\r\n",
    "quotes": "\"'; DROP TABLE papers; --\\",
    "address": "x@evil.example.net>, <y@example.net",
    "wide": "論文の要約" * 300,
    "macro": "\\" * 2_000 + "{" * 2_000 + "$" * 2_000,
    "emoji": "👩‍🔬 🇪🇺 ﷽",
    "empty": "",
}
