//! How the page looks: in light and dark, on a phone, on paper.

/// The style sheet. Colours of data are told apart by lightness too, and never the only sign.
pub(super) const SHEET: &str = "
:root { color-scheme: light dark; --back: #fff; --text: #1d2329; --faint: #5b6670; --line: #d5dbe0; --card: #f4f6f8;
  --os: #c9d3dc; --app: #1f6f9f; --on-app: #fff; --before: #b3612b; --after: #1f6f9f; --good: #2b7a3b; --bad: #b3261e; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --back: #14181c; --text: #e4e9ed; --faint: #9aa6b0; --line: #333c44; --card: #1d2329;
  --os: #3d4852; --app: #6cb4de; --on-app: #0d1114; --before: #e39a68; --after: #6cb4de; --good: #7ccf8c; --bad: #ff8a80; --warn: #e5b95c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 1rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { margin: .2em 0 0; font-size: 1.6rem; } h2 { margin: 2rem 0 .5rem; font-size: 1.2rem; } h3 { margin: 1rem 0 .3rem; font-size: 1rem; }
header p, footer, .faint { color: var(--faint); }
footer { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: .5rem; }
section { break-inside: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92em; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 600; white-space: nowrap; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td { overflow-wrap: break-word; max-width: 28rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: .7rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; break-inside: avoid; }
.card b { display: block; font-size: 1.35rem; } .better { color: var(--good); } .worse { color: var(--bad); }
.nodes { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: .7rem; }
.cores { display: flex; flex-wrap: wrap; gap: 4px; margin: .4rem 0; }
.core { border: 1px solid var(--line); border-radius: 5px; padding: 2px; display: flex; gap: 2px; }
.cpu { min-width: 2.1em; text-align: center; border-radius: 3px; font-size: .85em; padding: 2px 3px; font-variant-numeric: tabular-nums; }
.os { background: var(--os); } .app { background: var(--app); color: var(--on-app); font-weight: 600; } .off { color: var(--faint); text-decoration: line-through; }
.ok { color: var(--good); } .wrong { color: var(--bad); font-weight: 600; } .other { color: var(--warn); }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--text); font: 12px system-ui, sans-serif; } svg .faint { fill: var(--faint); }
.before { fill: var(--before); stroke: var(--before); } .after { fill: var(--after); stroke: var(--after); } .grid { stroke: var(--line); }
details summary { cursor: pointer; }
@media (max-width: 600px) { body { padding: .6rem; font-size: 14px; } .cards { grid-template-columns: 1fr 1fr; } .card b { font-size: 1.05rem; } }
@media print { :root { color-scheme: light; } body { max-width: none; font-size: 11px; } details > * { display: block; } a { color: inherit; }
  .cpu, .before, .after, rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
";
