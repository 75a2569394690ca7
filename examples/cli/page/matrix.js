// The confusion matrix with its most frequent confusions, and the table by class.
const goldCount = gold => data.evaluation.per_class[shown][gold].support;

function confusions() {
  return data.evaluation.confusion_cells[shown].map(([gold, predicted, n]) => ({gold, predicted, n, share: n / goldCount(gold)}));
}

function longestName(pixels) {
  const context = document.createElement('canvas').getContext('2d');
  context.font = `${pixels}px ${getComputedStyle(document.body).fontFamily}`;
  return data.classes.reduce((most, name) => Math.max(most, context.measureText(name).width), 0);
}

function drawMatrix(box, width, choose) {
  const cells = confusions(), classes = data.evaluation.classes.length;
  const counts = new Map(cells.map(cell => [cell.gold * classes + cell.predicted, cell.n]));
  const least = classes <= 20 ? 27 : classes <= 40 ? 20 : classes <= 90 ? 13 : 11;
  const gutterOf = pixels => Math.ceil(clamp(longestName(pixels) + 8, 78, width < 520 ? 92 : 180));
  const size = clamp(Math.floor((width - gutterOf(12.5) - 12) / classes), least, 84), side = size * classes;
  const font = clamp(size - 2, 9, 12.5), gutter = gutterOf(font), style = `font-size:${font}px;line-height:${size}px`;
  const cursor = svg('rect', {class: 'cursor', width: size, height: size, visibility: 'hidden'});
  const strength = cell => 0.12 + 0.88 * Math.sqrt(cell.share);
  const kind = cell => cell.gold === cell.predicted ? 'hit' : 'miss';
  const lines = classes > 60 ? [] : Array.from({length: classes - 1}, (_, i) => (i + 1) * size);
  const area = svg('svg', {width: side, height: side, viewBox: `0 0 ${side} ${side}`, tabindex: 0, role: 'img',
      'aria-label': `Confusion matrix of ${classes} classes, rows gold, columns predicted. Use the arrow keys to read cells.`},
    lines.map(at => [svg('line', {class: 'grid-line', x1: at, x2: at, y1: 0, y2: side}), svg('line', {class: 'grid-line', x1: 0, x2: side, y1: at, y2: at})]),
    cells.map(cell => svg('rect', {class: 'cell-' + kind(cell), x: cell.predicted * size + 0.5, y: cell.gold * size + 0.5,
      width: size - 1, height: size - 1, rx: size > 20 ? 3 : 1, 'fill-opacity': strength(cell).toFixed(3)})),
    size < 24 ? null : cells.map(cell => svg('text', {x: (cell.predicted + 0.5) * size, y: (cell.gold + 0.5) * size,
      class: strength(cell) > 0.62 ? 'on-' + kind(cell) : null, style: `font-size:${cell.n > 999 && size < 34 ? 9 : size > 44 ? 14 : 12}px`}, cell.n)),
    svg('rect', {class: 'frame', x: 0.5, y: 0.5, width: side - 1, height: side - 1}), cursor);
  const rows = html('div', {class: 'rows', style: `width:${gutter}px`}, data.classes.map(name => html('div', {style: `height:${size}px;${style}`, title: name}, name)));
  const columns = html('div', {class: 'columns', style: `height:${gutter + 8}px`}, data.classes.map(name => html('div', {style: `width:${size}px;max-height:${gutter}px;${style}`, title: name}, name)));
  let at = null;
  const mark = (gold, predicted) => {
    if (at) rows.children[at.gold].classList.remove('active'), columns.children[at.predicted].classList.remove('active');
    at = gold === null ? null : {gold, predicted};
    cursor.setAttribute('visibility', at ? 'visible' : 'hidden');
    if (!at) return hideTip();
    rows.children[gold].classList.add('active');
    columns.children[predicted].classList.add('active');
    cursor.setAttribute('x', predicted * size);
    cursor.setAttribute('y', gold * size);
    const frame = area.getBoundingClientRect(), n = counts.get(gold * classes + predicted) || 0, total = goldCount(gold);
    showTip(frame.left + (predicted + 0.5) * size, frame.top + gold * size, html('b', {}, gold === predicted ? className(gold) : `${className(gold)} \u2192 ${className(predicted)}`),
      html('div', {}, gold === predicted ? `${count(n)} of ${count(total)} correct` : `${count(n)} of ${count(total)} predicted so`),
      html('div', {}, total ? percent(n / total) + ' of the gold class' : 'no example of the gold class'));
  };
  const cellAt = event => {
    const frame = area.getBoundingClientRect();
    return [event.clientY - frame.top, event.clientX - frame.left].map(v => clamp(Math.floor(v / size), 0, classes - 1));
  };
  build(area, {pointermove: event => mark(...cellAt(event)), pointerleave: () => mark(null), blur: () => mark(null),
    click: event => { mark(...cellAt(event)); choose(at); },
    keydown: event => {
      if (event.key === 'Enter' && at) return choose(at);
      const turn = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
      if (!turn) return;
      event.preventDefault();
      const next = at ? [at.gold + turn[0], at.predicted + turn[1]] : [0, 0];
      mark(...next.map(v => clamp(v, 0, classes - 1)));
    }}, []);
  box.replaceChildren(html('div', {class: 'scroll matrix'},
    html('div', {class: 'corner', style: `width:${gutter}px`}, html('span', {}, 'predicted \u2192'), html('span', {}, 'gold \u2193')), columns, rows, area));
}

function cellTexts(panel, cell) {
  const map = data.map;
  if (!map || !cell || shown !== 'combined') return panel.replaceChildren();
  const texts = [];
  for (let i = 0; i < map.label.length && texts.length < 12; ++i)
    if (map.label[i] === cell.gold && map.predicted[i] === cell.predicted && map.text[i]) texts.push(map.text[i]);
  const title = cell.gold === cell.predicted ? className(cell.gold) + ', predicted correctly' : `${className(cell.gold)} predicted as ${className(cell.predicted)}`;
  panel.replaceChildren(html('h3', {}, title), texts.length ? html('ul', {class: 'texts'}, texts.map(text => html('li', {}, text)))
    : html('p', {class: 'small'}, 'None of the examples on the map falls into this cell.'));
}

function confusion() {
  const evaluation = data.evaluation;
  if (!evaluation || !evaluation.n) return section('confusion', 'Confusion', null, null, empty('Without an evaluation there is no confusion matrix.'));
  const box = html('div'), worst = html('div', {class: 'card'}), chosen = html('div', {class: 'chosen', 'aria-live': 'polite'});
  const choose = cell => cellTexts(chosen, cell);
  let width = 0;
  responsive(box, to => drawMatrix(box, width = to, choose));
  section('confusion', 'Confusion', 'Rows are gold classes, columns predictions; color shows the share of the row.' + (data.map ? ' Choose a cell of the combined predictor to read its examples.' : ''), predictorSwitch(),
    html('div', {class: 'beside'}, html('div', {class: 'card'}, box, chosen), worst));
  follow(() => {
    const pairs = confusions().filter(p => p.gold !== p.predicted).sort((a, b) => b.n - a.n || b.share - a.share);
    const mistakes = pairs.reduce((sum, p) => sum + p.n, 0);
    worst.replaceChildren(html('h3', {}, mistakes ? 'Most frequent mistakes' : 'No mistakes'),
      html('p', {class: 'small'}, `${count(mistakes)} of ${plural(evaluation.n, 'example')}`),
      html('ul', {class: 'pairs'}, pairs.slice(0, 8).map(p => html('li', {}, html('span', {}, breakable(className(p.gold)), ' \u2192 ', breakable(className(p.predicted))),
        html('b', {}, count(p.n)), html('span', {class: 'small'}, percent(p.share) + ' of its class')))));
    choose(null);
    if (width) drawMatrix(box, width, choose);
  });
}
