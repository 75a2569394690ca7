#pragma once
#include <string_view>

namespace knnbert::page {

/// Colors of both schemes, type, and the frame of the report. --c0 to --c5 keep a contrast of 3 with the background and
/// stay apart for red-, green- and blue-blind readers; marks differ in shape or dash as well.
inline constexpr std::string_view style_base = R"css(
:root {
  color-scheme: light dark;
  --page: #f7f6f2; --card: #ffffff; --ink: #1b1f27; --muted: #5b6270; --line: #dedcd4; --faint: #efede6;
  --accent: #2440b8; --on-accent: #ffffff; --good: #1d6b4f; --bad: #b3390a; --dim: #c9c7c0;
  --c0: #2440b8; --c1: #ee5a1c; --c2: #3a98ad; --c3: #9d4edd; --c4: #6f2c0a; --c5: #0c1730;
  --hit: #2440b8; --on-hit: #ffffff; --miss: #d2450b; --on-miss: #ffffff;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif;
  --serif: "Iowan Old Style", Charter, "Palatino Linotype", Palatino, Georgia, "Songti SC", serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121418; --card: #1a1d22; --ink: #e9e7e1; --muted: #a3a8b3; --line: #33373f; --faint: #24282f;
    --accent: #8fb0ff; --on-accent: #10131a; --good: #7fd6b2; --bad: #ff9d7d; --dim: #454a54;
    --c0: #5c93e6; --c1: #ff8a75; --c2: #86f2ea; --c3: #a79bff; --c4: #a56127; --c5: #f7e04b;
    --hit: #7fa6ff; --on-hit: #10131a; --miss: #ff8a66; --on-miss: #10131a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; scroll-padding-top: 3.5rem; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 var(--sans); font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
main, header { max-width: 72rem; margin: 0 auto; padding: 0 max(1rem, env(safe-area-inset-left)); }
header { padding-top: clamp(1.75rem, 5vw, 3.5rem); }
h1 { font: 600 clamp(1.7rem, 1.2rem + 2.4vw, 2.8rem)/1.12 var(--serif); letter-spacing: -.012em; margin: 0; text-wrap: balance; }
h2 { font: 600 clamp(1.3rem, 1.1rem + .8vw, 1.65rem)/1.2 var(--serif); margin: 0; }
h3 { font: 600 .95rem/1.3 var(--sans); margin: 0; }
p { margin: 0; max-width: 66ch; }
.lead { color: var(--muted); margin-top: .4rem; }
.small { color: var(--muted); font-size: .85rem; }
section { margin-top: clamp(2.25rem, 6vw, 3.75rem); }
section > .head > div { min-width: 0; }
section > .head { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: end; justify-content: space-between; margin-bottom: 1rem; }
footer { margin: 3.5rem 0 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.1rem; min-width: 0; }
.empty { border: 1px dashed var(--line); border-radius: 10px; padding: 1.1rem; color: var(--muted); max-width: none; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); }
.beside { display: grid; gap: 1rem; }
.beside > * { min-width: 0; }
.beside + *:not(:empty) { margin-top: 1rem; }
@media (min-width: 60rem) { .beside { grid-template-columns: minmax(0, 1fr) 19rem; align-items: start; } }
.scroll { overflow: auto; max-width: 100%; overscroll-behavior-x: contain; }
.tall { max-height: min(70vh, 42rem); }
nav { position: sticky; top: 0; z-index: 5; background: var(--page); border-bottom: 1px solid var(--line); margin-top: 1.75rem; }
nav ul { display: flex; gap: 1.35rem; list-style: none; margin: 0 auto; max-width: 72rem; padding: .7rem 1rem; overflow-x: auto; scrollbar-width: none; }
nav a { color: var(--muted); text-decoration: none; white-space: nowrap; font-size: .92rem; }
nav a:hover { color: var(--ink); text-decoration: underline; text-underline-offset: .3em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
:focus:not(:focus-visible) { outline: none; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print { nav, .controls, .switch { display: none; } .scroll, .tall { max-height: none; overflow: visible; } }
)css";

/// Tiles, switches, tables, charts, the matrix, the map and the neighbor lists.
inline constexpr std::string_view style_parts = R"css(
.tiles { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); }
.tile { border-top: 3px solid var(--k); }
.tile .big { font: 600 clamp(2.4rem, 2rem + 1.6vw, 3.1rem)/1.05 var(--serif); letter-spacing: -.02em; margin: .35rem 0 .1rem; }
.tile h3, .votes h3, .grid .card > h3 { overflow-wrap: break-word; }
.tile h3 { display: flex; align-items: center; gap: .5rem; }
.tile dl { display: grid; grid-template-columns: 1fr auto; gap: .2rem 1rem; margin: .9rem 0 0; padding-top: .75rem; border-top: 1px solid var(--line); font-size: .9rem; }
.tile dt { color: var(--muted); }
.tile dd { margin: 0; text-align: right; }
.switch { border: 1px solid var(--line); border-radius: 8px; padding: 2px; margin: 0; display: inline-flex; background: var(--card); min-width: 0; }
.switch legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.switch label { position: relative; cursor: pointer; }
.switch input { position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer; }
.switch span { display: block; padding: .38rem .8rem; border-radius: 6px; font-size: .88rem; color: var(--muted); }
.switch input:checked + span { background: var(--accent); color: var(--on-accent); }
.switch input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 2px; }
button, select, input[type=search] {
  font: inherit; font-size: .88rem; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 7px; padding: .35rem .7rem; min-height: 2.25rem;
}
button { cursor: pointer; }
button:hover { border-color: var(--muted); }
.controls input[type=search] { flex: 1 1 8rem; min-width: 0; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem .9rem; align-items: center; margin-bottom: .8rem; font-size: .9rem; }
.controls label { display: inline-flex; gap: .4rem; align-items: center; min-height: 2.25rem; cursor: pointer; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .45rem .7rem; text-align: left; border-bottom: 1px solid var(--faint); vertical-align: top; }
th { font-weight: 600; }
tbody th { font-weight: 400; }
tbody tr:last-child > * { border-bottom: 0; }
thead th {
  position: sticky; top: 0; background: var(--card); z-index: 1; border-bottom: 1px solid var(--line);
  white-space: nowrap; padding-top: .3rem; padding-bottom: .3rem;
}
thead button { border: 0; background: none; padding: .2rem 0; font-weight: 600; white-space: nowrap; min-height: 2rem; }
thead button::after { content: "\2195"; opacity: .35; margin-left: .25rem; }
@media (max-width: 40rem) { th, td { padding-inline: .4rem; } thead button { white-space: normal; text-align: inherit; } thead button::after { content: ""; } }
[aria-sort=ascending] button::after { content: "\2191"; opacity: 1; }
[aria-sort=descending] button::after { content: "\2193"; opacity: 1; }
.numeric { text-align: right; white-space: nowrap; }
.name { min-width: 8rem; }
td, th, h1, h2, h3, .lead, .quote, .key, .pairs span { overflow-wrap: anywhere; }
.bar { display: block; height: 4px; margin-top: .28rem; background: var(--faint); border-radius: 2px; overflow: hidden; min-width: 3rem; }
.bar i { display: block; height: 100%; background: var(--k, var(--accent)); }
.settings th { width: 40%; color: var(--muted); }
.settings td { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .85rem; }
.plot { width: 100%; display: block; touch-action: pan-y; }
.plot text { fill: var(--muted); font-size: 12px; }
.plot .tick { stroke: var(--line); stroke-width: 1; }
.plot .line { fill: none; stroke: var(--k); stroke-width: 2; stroke-linejoin: round; }
.plot .raw { stroke-width: 1; opacity: .3; }
.plot .mark { fill: var(--k); stroke: var(--card); stroke-width: 1; }
.plot .cursor { stroke: var(--muted); stroke-dasharray: 2 3; }
.plot .ideal { stroke: var(--muted); stroke-dasharray: 4 4; }
.plot .residual { stroke: var(--k); stroke-width: 1.5; opacity: .55; }
.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; margin: .4rem 0 .2rem; padding: 0; font-size: .85rem; }
.keys li, .key { display: inline-flex; align-items: center; gap: .4rem; min-width: 0; }
.keys b { font-weight: 600; }
.swatch { flex: none; }
.swatch path { fill: var(--k); }
.swatch line { stroke: var(--k); stroke-width: 2; }
.matrix { display: grid; grid-template-columns: max-content max-content; max-height: min(85vh, 56rem); width: fit-content; margin-inline: auto; }
.matrix svg:focus-visible { outline-offset: -2px; }
.chosen:not(:empty) { margin-top: 1rem; border-top: 1px solid var(--line); padding-top: .8rem; }
.matrix > * { background: var(--card); }
.matrix .corner {
  position: sticky; top: 0; left: 0; z-index: 3; white-space: nowrap; font-size: .75rem; line-height: 1.25;
  color: var(--muted); padding: 0 .5rem .4rem 0; display: flex; flex-direction: column; justify-content: end;
  align-items: end;
}
.matrix .columns { position: sticky; top: 0; z-index: 2; display: flex; padding-bottom: .4rem; align-items: end; }
.matrix .columns div {
  writing-mode: vertical-rl; text-orientation: sideways; transform: rotate(180deg); white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; display: block;
}
.matrix .rows { position: sticky; left: 0; z-index: 2; padding-right: .5rem; }
.matrix .rows div { text-align: right; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.matrix .active { color: var(--accent); font-weight: 700; }
.matrix svg { display: block; }
.cell-hit { fill: var(--hit); } .cell-miss { fill: var(--miss); }
.matrix .frame { fill: none; stroke: var(--line); } .matrix .grid-line { stroke: var(--faint); }
.matrix .cursor { fill: none; stroke: var(--ink); stroke-width: 2; }
.matrix text { text-anchor: middle; dominant-baseline: central; fill: var(--ink); pointer-events: none; }
.matrix text.on-hit { fill: var(--on-hit); } .matrix text.on-miss { fill: var(--on-miss); }
.pairs { list-style: none; margin: .6rem 0 0; padding: 0; font-size: .9rem; }
.pairs li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .1rem .8rem; padding: .45rem 0; border-top: 1px solid var(--faint); }
.texts { margin: .6rem 0 0; padding-left: 1.2rem; font-size: .92rem; }
.texts li { padding: .2rem 0; }
.map { display: block; width: 100%; border-radius: 8px; cursor: crosshair; }
.chips { display: flex; flex-wrap: wrap; gap: .35rem; list-style: none; margin: 0; padding: 2px; max-height: 17rem; overflow: auto; }
@media (min-width: 60rem) { .chips { max-height: 29rem; } }
.chips li { max-width: 100%; }
.chips button { display: inline-flex; align-items: center; gap: .4rem; max-width: 100%; border-radius: 99px; padding: .2rem .7rem .2rem .5rem; text-align: left; }
.chips button[aria-pressed=true] { border-color: var(--ink); box-shadow: inset 0 0 0 1px var(--ink); font-weight: 600; }
.chips small { white-space: nowrap; color: var(--muted); font-size: .8rem; font-weight: 400; }
.tip {
  position: fixed; z-index: 9; pointer-events: none; max-width: min(21rem, calc(100vw - 1.5rem));
  background: var(--ink); color: var(--page); border-radius: 8px; padding: .5rem .7rem; font-size: .85rem;
  line-height: 1.4; box-shadow: 0 6px 24px rgb(0 0 0 / .22);
}
.tip[hidden] { display: none; }
.tip b { display: block; font-weight: 600; }
.tip .row { display: flex; justify-content: space-between; gap: 1.2rem; }
.tip .text { margin-top: .3rem; max-height: 8.5rem; overflow: hidden; }
details { border-top: 1px solid var(--line); }
details:first-of-type { border-top: 0; }
summary { cursor: pointer; padding: .75rem 0; }
.example > summary { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .15rem .9rem; list-style: none; align-items: baseline; }
.example > summary::-webkit-details-marker { display: none; }
.example > summary::before { content: "+"; font: 600 1.1rem/1 var(--serif); color: var(--muted); grid-row: span 2; width: 1ch; }
.example[open] > summary::before { content: "\2212"; }
.quote { font: 500 1.05rem/1.45 var(--serif); }
.example:not([open]) .quote { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; }
.verdict { font-size: .85rem; color: var(--muted); }
.right { color: var(--good); font-weight: 600; } .wrong { color: var(--bad); font-weight: 600; }
.votes { display: grid; gap: .9rem 1.75rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); margin: .4rem 0 1.2rem; }
.votes ol { list-style: none; margin: .3rem 0 0; padding: 0; font-size: .88rem; }
.votes li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 .8rem; padding: .18rem 0; }
.votes .bar { grid-column: 1 / -1; }
.neighbors { list-style: none; margin: .4rem 0 1.2rem; padding: 0; }
.neighbors li { display: grid; grid-template-columns: 1.6rem minmax(0, 1fr); padding: .5rem 0; border-top: 1px solid var(--faint); font-size: .93rem; }
.neighbors .rank { color: var(--muted); }
.neighbors .facts { grid-column: 2; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; color: var(--muted); font-size: .85rem; }
.neighbors .same { color: var(--ink); font-weight: 600; }
)css";

}  // namespace knnbert::page
