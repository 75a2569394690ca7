// What every part of the page uses. Elements are built from text nodes only, so no text of the data can become markup.
const data = JSON.parse(document.getElementById('report-data').textContent);
const predictors = [
  {key: 'combined', name: 'Combined', color: 0, note: 'head and neighbors together'},
  {key: 'head', name: 'Head', color: 2, note: 'linear classifier'},
  {key: 'knn', name: 'Neighbors', color: 1, note: 'vote of the nearest examples'},
];

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
  return node;
}
const html = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  build(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

const className = label => label < 0 ? 'unknown' : data.classes[label] ?? 'class ' + label;
const percent = (value, digits = 1) => value === null ? '\u2013' : (100 * value).toFixed(digits) + '%';
const count = value => value.toLocaleString('en-US');
const plural = (value, word) => count(value) + ' ' + word + (value === 1 ? '' : 's');
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const sentence = name => { const text = name.replace(/_/g, ' '); return text.charAt(0).toUpperCase() + text.slice(1); };
const isShare = name => /accuracy|f1|precision|recall|rate$/i.test(name) && !/learning/i.test(name);

function number(value) {
  if (value === null) return '\u2013';
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace(/\.?0*e\+?/, 'e');
  return String(Number(value.toPrecision(4)));
}

// About `most` round values in [low, high], seldom fewer than half of it.
function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find(factor => factor * power >= rough * 0.999);
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) values.push(Number((i * step).toPrecision(12)));
  return values;
}

// Outline of mark number `shape` around (0, 0): circle, triangle, square, diamond, plus, cross.
const outlines = [
  r => `M${r} 0A${r} ${r} 0 1 1 ${-r} 0A${r} ${r} 0 1 1 ${r} 0Z`,
  r => `M0 ${-1.25 * r}L${1.15 * r} ${0.85 * r}H${-1.15 * r}Z`,
  r => `M${-0.9 * r} ${-0.9 * r}H${0.9 * r}V${0.9 * r}H${-0.9 * r}Z`,
  r => `M0 ${-1.3 * r}L${1.3 * r} 0L0 ${1.3 * r}L${-1.3 * r} 0Z`,
  r => { const a = 1.25 * r, b = 0.42 * r; return `M${-b} ${-a}H${b}V${-b}H${a}V${b}H${b}V${a}H${-b}V${b}H${-a}V${-b}H${-b}Z`; },
  r => { const a = 1.2 * r, b = 0.6 * r; return `M${-a} ${-b}L${-b} ${-a}L0 ${-b}L${b} ${-a}L${a} ${-b}L${b} 0L${a} ${b}L${b} ${a}L0 ${b}L${-b} ${a}L${-a} ${b}L${-b} 0Z`; },
];
const colorOf = label => (label % 6 + 6) % 6;
const shapeOf = label => ((label + Math.floor(label / 6)) % 6 + 6) % 6;
const dashes = ['', '7 4', '2 3', '9 3 2 3', '4 2', '1 4'];

function swatch(color, shape, dash) {
  return svg('svg', {class: 'swatch', width: dash === undefined ? 14 : 26, height: 14, 'aria-hidden': 'true', style: `--k:var(--c${color})`},
    dash === undefined ? null : svg('line', {x1: 0, x2: 26, y1: 7, y2: 7, 'stroke-dasharray': dash}),
    svg('path', {d: outlines[shape](4.5), transform: `translate(${dash === undefined ? 7 : 13} 7)`}));
}
// The name with places where a line may break.
const breakable = name => name.split(/(?<=[_./-])/).flatMap((part, i) => i ? [html('wbr'), part] : [part]);
const classKey = label => html('span', {class: 'key'}, label < 0 ? null : swatch(colorOf(label), shapeOf(label)), html('span', {}, breakable(className(label))));

const tip = html('div', {class: 'tip', role: 'status', hidden: true});
const hideTip = () => { tip.hidden = true; };
function showTip(x, y, ...content) {
  tip.replaceChildren(...content);
  tip.hidden = false;
  const {width, height} = tip.getBoundingClientRect(), view = document.documentElement;
  tip.style.left = clamp(x - width / 2, 8, view.clientWidth - width - 8) + 'px';
  tip.style.top = (y - height - 14 > 4 ? y - height - 14 : Math.min(y + 18, view.clientHeight - height - 4)) + 'px';
}
const tipRow = (name, value) => html('div', {class: 'row'}, html('span', {}, name), html('span', {}, value));
addEventListener('scroll', hideTip, {passive: true, capture: true});
addEventListener('keydown', event => { if (event.key === 'Escape') hideTip(); });

// Calls draw(width) now and whenever the box changes its width.
function responsive(box, draw) {
  let last = 0;
  new ResizeObserver(() => {
    const width = Math.floor(box.clientWidth);
    if (width && width !== last) draw(last = width);
  }).observe(box);
}

let shown = 'combined';
const whenShown = [];
function predictorSwitch() {
  const group = 'predictor-' + whenShown.length + '-' + document.querySelectorAll('.switch').length;
  const change = event => {
    shown = event.target.value;
    for (const input of document.querySelectorAll('.switch input')) input.checked = input.value === shown;
    whenShown.forEach(update => update());
  };
  return html('fieldset', {class: 'switch'}, html('legend', {}, 'Predictor'), predictors.map(({key, name}) =>
    html('label', {}, html('input', {type: 'radio', name: group, value: key, checked: key === shown, change}), html('span', {}, name))));
}
function follow(update) { whenShown.push(update); update(); }

const sections = [];
function section(id, title, lead, controls, ...content) {
  sections.push({id, title});
  document.querySelector('main').append(html('section', {id, 'aria-labelledby': id + '-title'},
    html('div', {class: 'head'}, html('div', {}, html('h2', {id: id + '-title'}, title), lead ? html('p', {class: 'lead'}, lead) : null), controls),
    ...content));
}
const empty = text => html('p', {class: 'empty'}, text);
