"""The look of the report: one style sheet and the colours that figures share with it."""

INK = "#1b2330"
MUTED = "#667085"
LINE = "#e4e7ec"
PAPER = "#ffffff"
AROUSAL = "#d9480f"
VALENCE = "#1864ab"
OURS = "#0b7285"
GOOD, WARN, BAD, NEUTRAL = "#2b8a3e", "#e8a010", "#c92a2a", "#adb5bd"
TARGET_COLOURS = {"arousal": AROUSAL, "valence": VALENCE}
STATUS_COLOURS = {"ok": GOOD, "partial": WARN, "failed": BAD, "excluded": NEUTRAL}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

CSS = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
html {{ scroll-behavior: smooth; }}
body {{ margin: 0; background: #f5f6f8; color: {INK}; font: 16px/1.55 {FONT};
  font-variant-numeric: tabular-nums; }}
main, header > div {{ max-width: 1120px; margin: 0 auto; padding: 0 28px; }}
header {{ background: {PAPER}; border-bottom: 1px solid {LINE}; padding: 44px 0 0; }}
h1 {{ font-size: 34px; line-height: 1.15; letter-spacing: -0.02em; margin: 0 0 8px; }}
h2 {{ font-size: 24px; letter-spacing: -0.01em; margin: 0 0 6px; }}
h3 {{ font-size: 17px; margin: 30px 0 8px; }}
p {{ margin: 0 0 12px; max-width: 76ch; }}
.lead {{ font-size: 18px; color: {MUTED}; }}
.note, figcaption {{ color: {MUTED}; font-size: 14px; max-width: 92ch; }}
nav {{ display: flex; flex-wrap: wrap; gap: 4px 22px; padding: 18px 0; font-size: 15px; }}
nav a {{ color: {OURS}; text-decoration: none; }}
nav a:hover {{ text-decoration: underline; }}
section {{ background: {PAPER}; border: 1px solid {LINE}; border-radius: 12px;
  padding: 28px 30px; margin: 24px 0; }}
.banner {{ border-left: 5px solid {WARN}; background: #fff8e6; padding: 14px 18px;
  border-radius: 6px; margin: 20px 0 6px; max-width: none; }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr));
  gap: 14px; margin: 22px 0 4px; }}
.card {{ border: 1px solid {LINE}; border-radius: 10px; padding: 14px 16px; }}
.card b {{ display: block; font-size: 26px; line-height: 1.2; letter-spacing: -0.02em; }}
.card span {{ color: {MUTED}; font-size: 14px; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: 15px; margin: 10px 0; }}
th, td {{ padding: 7px 10px; text-align: center; border-bottom: 1px solid {LINE};
  vertical-align: top; }}
th {{ font-weight: 600; }}
thead th {{ border-bottom: 1px solid {MUTED}; }}
thead tr:not(:last-child) th:not([rowspan]) {{ border-bottom: 0; padding-bottom: 0; }}
th.name, td.name {{ text-align: left; }}
td.from {{ text-align: left; color: {MUTED}; font-size: 13.5px; white-space: nowrap; }}
tr.published td {{ color: {MUTED}; }}
tr.joined td, tr.joined th {{ border-bottom: 0; padding-bottom: 1px; }}
tr.ours td {{ color: {OURS}; font-weight: 600; }}
tr.ours td.from {{ color: {OURS}; font-weight: 400; }}
tr.best td {{ font-style: italic; }}
td.group {{ border-left: 1px solid {LINE}; }}
th.group {{ border-left: 1px solid {LINE}; }}
tr.ours td:not(.name) {{ white-space: nowrap; }}
td small {{ display: block; font-weight: 400; font-size: 12.5px; color: {MUTED}; }}
td .none {{ color: #c4cad3; }}
.bar {{ display: flex; height: 10px; border-radius: 5px; overflow: hidden; background: {LINE};
  min-width: 120px; margin-top: 7px; }}
.counts {{ font-size: 13.5px; color: {MUTED}; }}
.dot {{ display: inline-block; width: 10px; height: 10px; border-radius: 5px;
  margin: 0 5px 0 12px; }}
.ok {{ color: {GOOD}; font-weight: 600; }}
.sheet {{ margin: 18px 0 0; }}
.sheet h4 {{ margin: 0 0 6px; font-size: 15px; font-weight: 600; }}
.sheet h4 span {{ color: {MUTED}; font-weight: 400; }}
.faces {{ display: grid; grid-template-columns: repeat(10, 1fr); gap: 6px; }}
.faces figure {{ margin: 0; }}
.faces img {{ display: block; width: 100%; aspect-ratio: 1; object-fit: cover;
  border-radius: 6px; }}
.faces img + img {{ margin-top: 4px; }}
.faces .unseen img {{ filter: grayscale(1) opacity(0.55); }}
.faces figcaption {{ font-size: 12px; text-align: center; }}
.crops {{ display: grid; grid-template-columns: 1fr 1fr; gap: 26px; max-width: 780px; }}
.crops figure {{ margin: 8px 0; }}
.crops figure div {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; }}
.crops img {{ display: block; width: 100%; aspect-ratio: 1; object-fit: cover;
  border-radius: 6px; }}
#viper td small {{ white-space: nowrap; }}
.deciles {{ display: flex; flex-wrap: wrap; gap: 10px 40px; }}
.deciles figure {{ margin: 10px 0; max-width: 464px; }}
.deciles svg {{ max-width: 100%; height: auto; }}
figure {{ margin: 18px 0; }}
summary {{ cursor: pointer; font-weight: 600; font-size: 17px; margin: 26px 0 8px; }}
footer {{ color: {MUTED}; font-size: 14px; padding: 6px 0 60px; }}
@media print {{ section {{ break-inside: avoid; }} nav {{ display: none; }} }}
"""
