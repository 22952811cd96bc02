/** How the page of a run looks: one sheet, no file beside it, light and dark by the reader's own setting, and fit to be printed. */

const light = `
  --page: #f6f5f1; --card: #ffffff; --ink: #1b2126; --soft: #5c666d; --faint: #8a949a; --line: #e2e0d9; --track: #efede7;
  --accent: #0c7a6b; --accent-soft: #d3ece7; --bad: #b3261e; --bad-soft: #fbe3e0; --warn: #9a6200; --warn-soft: #fbeecf; --info: #2b62b8; --back: #6f4aa8;
  --p0: #5d7f9c; --p1: #0c7a6b; --p2: #4fa597; --p3: #c9a227; --p4: #b4552d; --p5: #2b62b8;`;

const dark = `
  --page: #12161a; --card: #1a2026; --ink: #e8ebec; --soft: #a6b0b6; --faint: #7b868d; --line: #2b333a; --track: #232a31;
  --accent: #4cc3af; --accent-soft: #173b37; --bad: #ff8a80; --bad-soft: #46211f; --warn: #eac06a; --warn-soft: #3d3116; --info: #8ab4f8; --back: #c3a5f0;
  --p0: #7d9db8; --p1: #3aa694; --p2: #7fd0c2; --p3: #dcbc56; --p4: #dd8257; --p5: #8ab4f8;`;

export const pageStyle = `
:root { color-scheme: light dark;${light} }
@media (prefers-color-scheme: dark) { :root {${dark} } }
@media print { :root { color-scheme: light;${light} --page: #ffffff; } details > *:not(summary) { display: block; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 28px 56px; }
code, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.92em; overflow-wrap: anywhere; }
.eyebrow { margin: 0 0 6px; color: var(--soft); font-size: 13px; letter-spacing: 0.02em; }
.mark { display: inline-block; width: 10px; height: 10px; margin-right: 8px; border-radius: 3px; background: var(--accent); }
h1 { margin: 0; font-size: 34px; line-height: 1.15; letter-spacing: -0.02em; font-weight: 680; overflow-wrap: anywhere; }
h1.bad { color: var(--bad); } h1.warn { color: var(--warn); } h1.info { color: var(--info); }
.lede { margin: 8px 0 0; color: var(--soft); font-size: 16px; overflow-wrap: anywhere; }
section { margin-top: 36px; }
h2 { margin: 0 0 12px; font-size: 13px; font-weight: 640; letter-spacing: 0.06em; text-transform: uppercase; color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 20px 22px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px; }
.tile h3 { margin: 0; font-size: 13px; font-weight: 560; color: var(--soft); }
.tile .value { margin: 4px 0 0; font-size: 28px; font-weight: 660; letter-spacing: -0.02em; line-height: 1.2; }
.tile .value small { display: inline-block; font-size: 15px; line-height: 1.2; white-space: nowrap; font-weight: 500; letter-spacing: 0; color: var(--soft); }
.tile p { margin: 10px 0 0; font-size: 13px; color: var(--soft); overflow-wrap: anywhere; }
.badge { display: inline-block; padding: 1px 9px; border-radius: 999px; font-size: 12px; font-weight: 620; background: var(--track); color: var(--soft); white-space: nowrap; }
.badge.good { background: var(--accent-soft); color: var(--accent); } .badge.bad { background: var(--bad-soft); color: var(--bad); }
.badge.warn { background: var(--warn-soft); color: var(--warn); }
.meter { position: relative; height: 6px; margin-top: 12px; border-radius: 3px; background: var(--track); overflow: hidden; }
.meter i { position: absolute; inset: 0 auto 0 0; border-radius: 3px; background: var(--accent); } .meter i.bad { background: var(--bad); }
.phases { display: flex; height: 30px; border-radius: 8px; overflow: hidden; background: var(--track); }
.phases i { display: block; min-width: 3px; border-right: 2px solid var(--card); } .phases i:last-child { border-right: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 12px 0 0; padding: 0; list-style: none; font-size: 13px; color: var(--soft); }
.legend i { display: inline-block; width: 10px; height: 10px; margin-right: 7px; border-radius: 3px; }
.legend b { color: var(--ink); font-weight: 600; }
.p0 { background: var(--p0); } .p1 { background: var(--p1); } .p2 { background: var(--p2); } .p3 { background: var(--p3); } .p4 { background: var(--p4); } .p5 { background: var(--p5); }
.gantt { display: grid; grid-template-columns: minmax(120px, 250px) minmax(200px, 1fr) max-content; column-gap: 18px; }
.gantt .row > div { min-height: 40px; padding: 7px 0; border-top: 1px solid var(--line); }
.gantt .axis { border-top: 0; min-height: 22px; padding: 0; font-size: 11px; color: var(--faint); }
.gantt .name b { font-weight: 590; overflow-wrap: anywhere; } .gantt .name small { display: block; font-size: 12px; line-height: 1.35; color: var(--soft); overflow-wrap: anywhere; }
.gantt .row { display: contents; }
.critical { font-size: 11px; color: var(--p3); }
.gantt .took { text-align: right; font-size: 13px; white-space: nowrap; } .gantt .took small { display: block; font-size: 12px; color: var(--faint); }
.gantt .phase { grid-column: 1 / -1; min-height: 0; padding: 14px 0 5px; font-size: 12px; font-weight: 620; letter-spacing: 0.04em; color: var(--soft); border-top: 0; }
.track { position: relative; }
.track .grid { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--line); }
.track .break { position: absolute; top: 0; bottom: 0; width: 0; border-left: 2px dotted var(--p3); }
.track .plan { position: absolute; top: 10px; height: 6px; min-width: 3px; border-radius: 3px; background: var(--faint); opacity: 0.55; }
.track .bar { position: absolute; top: 19px; height: 11px; min-width: 3px; border-radius: 3px; background: var(--accent); }
.track .failed { background: var(--bad); } .track .back { background: var(--back); } .track .running { background: var(--info); }
.track .cut { background: repeating-linear-gradient(135deg, var(--warn) 0 4px, transparent 4px 7px); }
.axis.track span { position: absolute; bottom: 2px; transform: translateX(-50%); white-space: nowrap; } .axis.track span:first-child { transform: none; } .axis.track span.last { transform: translateX(-100%); }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { padding: 0 14px 8px 0; text-align: left; font-size: 12px; font-weight: 560; color: var(--faint); white-space: nowrap; }
td { padding: 8px 14px 8px 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; } td.n { text-align: right; white-space: nowrap; }
th.n { text-align: right; } td:last-child, th:last-child { padding-right: 0; }
.wide { overflow-x: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 8px 22px; margin: 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
ul.plain { margin: 0; padding: 0; list-style: none; } ul.plain li + li { margin-top: 6px; }
details summary { cursor: pointer; color: var(--soft); font-size: 14px; } details[open] summary { margin-bottom: 12px; }
.note { margin: 12px 0 0; font-size: 13px; color: var(--soft); }
footer { margin-top: 40px; font-size: 12px; color: var(--faint); overflow-wrap: anywhere; }
@media (max-width: 640px) {
  main { padding: 24px 16px 40px; } h1 { font-size: 27px; } .gantt { display: block; } .gantt .axis.blank { display: none; }
  .gantt .row { display: grid; grid-template-columns: 1fr max-content; column-gap: 14px; border-top: 1px solid var(--line); }
  .gantt .row > div { border-top: 0; } .gantt .row .bars { grid-column: 1 / -1; order: 3; min-height: 36px; padding: 0; }
}
`;
