// Training curves: one chart a panel, read with pointer or arrow keys.
// A line that goes up and down many times its own range hides its course.
function isNoisy(values) {
  const known = values.filter(v => v !== null), [low, high] = extent(known);
  const way = known.reduce((sum, v, i) => sum + (i ? Math.abs(v - known[i - 1]) : 0), 0);
  return known.length > 60 && way > 5 * (high - low);
}

function movingMean(values) {
  const reach = Math.ceil(values.length / 60);
  return values.map((own, i) => {
    const near = values.slice(Math.max(0, i - reach), i + reach + 1).filter(v => v !== null);
    return own === null ? null : near.reduce((sum, v) => sum + v, 0) / near.length;
  });
}

function panels() {
  const groups = new Map();
  for (const curve of data.curves) {
    const id = JSON.stringify([curve.panel, curve.axis]);
    if (!groups.has(id)) groups.set(id, {name: curve.panel, axis: curve.axis, series: []});
    const group = groups.get(id), known = predictors.find(p => p.key === curve.name);
    const place = known ? known.color : group.series.length % 6;
    const dense = curve.x.length > 30;
    group.series.push({...curve, title: known ? known.name : sentence(curve.name), color: place, shape: place, dense,
      dash: dense ? '' : dashes[place], smooth: isNoisy(curve.y) ? movingMean(curve.y) : null});
  }
  const rank = ({name}) => /loss/i.test(name) ? 0 : isShare(name) ? 1 : 2;
  return [...groups.values()].sort((a, b) => rank(a) - rank(b));
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (v !== null) low = Math.min(low, v), high = Math.max(high, v);
  return low <= high ? [low, high] : [0, 1];
}

function linePath(at, values, x, y) {
  let path = '', pen = 'M';
  values.forEach((value, i) => {
    if (value === null) { pen = 'M'; return; }
    path += pen + x(at[i]).toFixed(1) + ' ' + y(value).toFixed(1);
    pen = 'L';
  });
  return path;
}

// Every point of a short line, about seven of a long one.
function marks(series, x, y) {
  const values = series.smooth || series.y, stride = series.dense ? Math.ceil(values.length / 7) : 1;
  return values.map((value, i) => value === null || (i + Math.floor(stride / 2)) % stride ? null :
    svg('path', {class: 'mark', d: outlines[series.shape](4), transform: `translate(${x(series.x[i])} ${y(value)})`}));
}

function drawChart(box, panel, width) {
  const height = 230, left = 52, right = 14, top = 12, bottom = 34;
  const show = isShare(panel.name) ? value => percent(value) : number;
  const [x0, x1] = extent(panel.series.flatMap(s => s.x));
  let [y0, y1] = extent(panel.series.flatMap(s => s.y));
  if (y0 === y1) { const pad = Math.abs(y0) / 10 || 1; y0 -= pad; y1 += pad; }
  else { const pad = (y1 - y0) * 0.05; if (y0 > 0 && y0 - pad < (y1 - y0) * 0.15) y0 = 0; else if (y0 !== 0) y0 -= pad; y1 += pad; }
  const x = v => x1 === x0 ? (left + width - right) / 2 : left + (v - x0) / (x1 - x0) * (width - left - right);
  const y = v => top + (y1 - v) / (y1 - y0) * (height - top - bottom);
  const steps = [...new Set(panel.series.flatMap(s => s.x))].sort((a, b) => a - b);
  const across = x1 === x0 ? [x0] : ticks(x0, x1, clamp(Math.floor(width / 65), 3, 9)).filter(v => panel.axis !== 'epoch' || Number.isInteger(v));
  const cursor = svg('line', {class: 'cursor', y1: top, y2: height - bottom, visibility: 'hidden'});
  const plot = svg('svg', {class: 'plot', viewBox: `0 0 ${width} ${height}`, height, tabindex: 0, role: 'img',
      'aria-label': sentence(panel.name) + ' by ' + panel.axis + '. ' + panel.series.map(s => `${s.title}: last value ${show(s.y.at(-1) ?? 0)}`).join('; ')},
    ticks(y0, y1, 5).map(v => [svg('line', {class: 'tick', x1: left, x2: width - right, y1: y(v), y2: y(v)}),
      svg('text', {x: left - 7, y: y(v) + 4, 'text-anchor': 'end'}, isShare(panel.name) ? String(Number((100 * v).toFixed(2))) + '%' : number(v))]),
    across.map(v => svg('text', {x: x(v), y: height - bottom + 17, 'text-anchor': x(v) > width - 40 ? 'end' : 'middle'}, count(v))),
    svg('text', {x: (left + width - right) / 2, y: height - 2, 'text-anchor': 'middle'}, panel.axis), cursor,
    panel.series.map(s => svg('g', {style: `--k:var(--c${s.color})`},
      s.smooth ? svg('path', {class: 'line raw', d: linePath(s.x, s.y, x, y)}) : null,
      svg('path', {class: 'line', d: linePath(s.x, s.smooth || s.y, x, y), 'stroke-dasharray': s.dash}),
      s.dense && panel.series.length === 1 ? null : marks(s, x, y))));
  const near = (values, at) => values.reduce((best, v, i) => Math.abs(v - at) < Math.abs(values[best] - at) ? i : best, 0);
  let place = steps.length - 1;
  const point = (clientX, clientY) => {
    const at = steps[place];
    cursor.setAttribute('visibility', 'visible');
    cursor.setAttribute('x1', x(at));
    cursor.setAttribute('x2', x(at));
    showTip(clientX, clientY, html('b', {}, `${sentence(panel.axis)} ${count(at)}`), ...panel.series.filter(s => s.x.length).map(s => {
      const i = near(s.x, at);
      return tipRow(s.title, s.y[i] === null ? 'not finite' : show(s.y[i]));
    }));
  };
  const leave = () => { cursor.setAttribute('visibility', 'hidden'); hideTip(); };
  const move = event => {
    const frame = plot.getBoundingClientRect();
    place = near(steps, x0 + (event.clientX - frame.left - left) / (width - left - right) * (x1 - x0));
    point(event.clientX, event.clientY);
  };
  build(plot, {pointermove: move, pointerdown: move, pointerleave: leave, blur: leave, keydown: event => {
    const turn = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!turn) return;
    event.preventDefault();
    place = clamp(place + turn, 0, steps.length - 1);
    const frame = plot.getBoundingClientRect();
    point(frame.left + x(steps[place]), frame.top + top + 20);
  }}, []);
  box.replaceChildren(plot);
}

const changedAxis = 'examples changed';

function curveCards(chosen) {
  return panels().filter(chosen).map(panel => {
    const box = html('div'), show = isShare(panel.name) ? value => percent(value) : number;
    const averaged = Math.max(...panel.series.map(s => s.averaged || 1));
    responsive(box, width => drawChart(box, panel, width));
    return html('div', {class: 'card'}, html('h3', {}, sentence(panel.name)), box,
      html('ul', {class: 'keys'}, panel.series.map(s => html('li', {}, swatch(s.color, s.shape, s.dash),
        panel.series.length > 1 || s.name !== panel.name ? s.title : 'last value', html('b', {}, s.y.at(-1) === null || !s.y.length ? '' : show(s.y.at(-1)))))),
      html('p', {class: 'small'}, [panel.series.some(s => s.smooth) ? 'Lines are moving means, the values lie faintly behind.' : null,
        averaged > 1 ? ` Each point is the mean of up to ${averaged} records.` : null]));
  });
}

function curves() {
  const cards = curveCards(panel => panel.axis !== changedAxis);
  section('training', 'Training', null, null,
    cards.length ? html('div', {class: 'grid'}, cards) : empty('No training curves were recorded.'));
  const certified = curveCards(panel => panel.axis === changedAxis);
  if (certified.length)
    section('certified', 'Certified accuracy', 'Share of answers that are right and stay so whatever so many stored examples of its classes are removed, added or altered.', null,
      html('div', {class: 'grid'}, certified));
}
