"""The frame of every page, its style sheet, and escaping."""

from html import escape

STYLE = """
:root { color-scheme: light dark; --text: #16211f; --quiet: #51605c; --surface: #fff;
  --raised: #f3f6f5; --line: #c9d3d0; --accent: #0b5d57; --on-accent: #fff; --warn: #7a4b00;
  --warn-surface: #fff4dc; --bad: #a11d1d; --focus: #0b5d57; }
@media (prefers-color-scheme: dark) { :root { --text: #e8efed; --quiet: #a7b6b2; --surface: #10191a;
  --raised: #1a2526; --line: #3a4a4a; --accent: #7fd1c7; --on-accent: #07201d; --warn: #ffd892;
  --warn-surface: #33270c; --bad: #ff9d94; --focus: #7fd1c7; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--surface); color: var(--text);
  font: 16px/1.65 system-ui, "Hiragino Sans", "BIZ UDPGothic", "Noto Sans JP", sans-serif; }
main { max-width: 34rem; margin: 0 auto; padding: 24px 16px 64px; }
main.wide { max-width: 70rem; }
h1 { font-size: 26px; line-height: 1.3; margin: 24px 0 8px; }
h2 { font-size: 20px; margin: 48px 0 8px; }
.sandbox { background: var(--warn-surface); color: var(--warn); padding: 8px 16px; font-weight: 600; }
.quiet { color: var(--quiet); }
dl { margin: 24px 0; border-top: 1px solid var(--line); }
dl div { display: flex; gap: 16px; justify-content: space-between; padding: 8px 0;
  border-bottom: 1px solid var(--line); }
dt { color: var(--quiet); }
dd { margin: 0; text-align: right; font-weight: 600; overflow-wrap: anywhere; }
label { display: block; font-weight: 600; margin-top: 16px; }
input, select { font: inherit; color: inherit; background: var(--surface); width: 100%; min-height: 44px;
  padding: 8px 12px; border: 1px solid var(--quiet); border-radius: 6px; }
button { font: inherit; font-weight: 600; min-height: 44px; width: 100%; margin-top: 12px;
  padding: 8px 16px; border-radius: 6px; border: 1px solid var(--quiet); background: transparent;
  color: inherit; cursor: pointer; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
a { color: var(--accent); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 8px 12px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { background: var(--raised); font-weight: 600; }
td.number, th.number { text-align: right; }
form.inline { display: flex; flex-wrap: wrap; gap: 8px; align-items: end; }
form.inline > * { flex: 1 1 10rem; }
form.inline { margin: 12px 0; }
main.wide button { width: auto; flex: 0 0 auto; }
td form.inline { display: inline-flex; margin: 0 8px 0 0; }
td form.inline > * { flex: 0 1 auto; width: auto; }
td button { width: auto; margin: 0; min-height: 44px; }
[role=status] { background: var(--raised); border-left: 4px solid var(--accent); padding: 8px 16px; }
[role=alert] { border-left: 4px solid var(--bad); padding: 8px 16px; }
""".strip()


def page(title: str, body: str, *, language: str = "en", banner: str, is_wide: bool = False) -> str:
    """Return a whole page; title and banner are escaped, the body is HTML."""
    wide = ' class="wide"' if is_wide else ""
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/style.css"></head><body>'
        f'<header class="sandbox">{escape(banner)}</header>'
        f"<main{wide}><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def plain_page(title: str, text: str) -> str:
    """Return a page of one sentence."""
    return page(title, f"<p>{escape(text)}</p>", banner="Sandbox")
