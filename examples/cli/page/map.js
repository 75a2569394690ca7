// The map of embeddings on a canvas: class filter, mistakes, zoom, hover.
const wrong = (map, i) => map.label[i] >= 0 && map.predicted[i] >= 0 && map.label[i] !== map.predicted[i];

class EmbeddingMap {
  constructor(canvas, map) {
    Object.assign(this, {canvas, map, chosen: new Set(), mistakesOnly: false, zoom: 1, x: 0, y: 0, hover: -1});
    const [x0, x1] = extent(map.x), [y0, y1] = extent(map.y);
    this.center = [(x0 + x1) / 2, (y0 + y1) / 2];
    this.spread = [x1 - x0 || 1, y1 - y0 || 1];
    this.shapes = outlines.map(outline => new Path2D(outline(map.x.length > 1500 ? 2.6 : map.x.length > 300 ? 3.4 : 4.5)));
    this.ring = new Path2D(outlines[0](map.x.length > 1500 ? 5 : 6.5));
    this.listen();
    responsive(canvas.parentElement, width => this.resize(width));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }
  shows(i) {
    return (!this.chosen.size || this.chosen.has(this.map.label[i])) && (!this.mistakesOnly || wrong(this.map, i));
  }
  resize(width) {
    this.width = width;
    this.height = Math.round(clamp(width * 0.62, Math.min(width, 340), 600));
    const dots = devicePixelRatio || 1;
    Object.assign(this.canvas, {width: width * dots, height: this.height * dots});
    this.canvas.style.height = this.height + 'px';
    this.scale = Math.min((width - 36) / this.spread[0], (this.height - 36) / this.spread[1]);
    this.draw();
  }
  place(i) {
    const k = this.scale * this.zoom;
    return [this.width / 2 + this.x + (this.map.x[i] - this.center[0]) * k, this.height / 2 + this.y - (this.map.y[i] - this.center[1]) * k];
  }
  draw() {
    if (!this.width) return;
    const context = this.canvas.getContext('2d'), style = getComputedStyle(document.documentElement), dots = devicePixelRatio || 1;
    const color = name => style.getPropertyValue(name).trim();
    const palette = [0, 1, 2, 3, 4, 5].map(k => color('--c' + k)), ink = color('--ink'), dim = color('--dim');
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const live = [], others = [];
    for (let i = 0; i < this.map.x.length; ++i) (this.shows(i) ? live : others).push(i);
    const ringStrength = live.filter(i => wrong(this.map, i)).length > 300 ? 0.3 : 0.9;
    const paint = (i, isLive) => {
      const [x, y] = this.place(i), label = this.map.label[i];
      if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) return;
      context.setTransform(dots, 0, 0, dots, x * dots, y * dots);
      context.globalAlpha = isLive ? 0.82 : 0.45;
      context.fillStyle = isLive && label >= 0 ? palette[colorOf(label)] : dim;
      context.fill(this.shapes[label < 0 ? 0 : shapeOf(label)]);
      if (!isLive || !wrong(this.map, i)) return;
      context.globalAlpha = ringStrength;
      context.strokeStyle = ink;
      context.lineWidth = 1.1;
      context.stroke(this.ring);
    };
    for (const i of others) paint(i, false);
    for (const i of live) paint(i, true);
    if (this.hover >= 0) {
      const [x, y] = this.place(this.hover);
      context.setTransform(dots, 0, 0, dots, x * dots, y * dots);
      context.globalAlpha = 1;
      context.strokeStyle = ink;
      context.lineWidth = 2;
      context.stroke(new Path2D(outlines[0](8)));
    }
  }
  nearest(x, y, reach) {
    let best = -1, distance = reach * reach;
    for (let i = 0; i < this.map.x.length; ++i) {
      if (!this.shows(i)) continue;
      const [px, py] = this.place(i), d = (px - x) ** 2 + (py - y) ** 2;
      if (d < distance) distance = d, best = i;
    }
    return best;
  }
  point(event, reach) {
    const frame = this.canvas.getBoundingClientRect();
    const found = this.nearest(event.clientX - frame.left, event.clientY - frame.top, reach);
    if (found !== this.hover) this.hover = found, this.draw();
    if (found < 0) return hideTip();
    const {label, predicted, text} = this.map, [x, y] = this.place(found);
    showTip(frame.left + x, frame.top + y, html('b', {}, className(label[found])),
      predicted[found] < 0 ? '' : predicted[found] === label[found] ? 'predicted correctly' : 'predicted as ' + className(predicted[found]),
      html('div', {class: 'text'}, text[found]));
  }
  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    const to = clamp(this.zoom * factor, 1, 40), k = to / this.zoom, fromX = x - this.width / 2, fromY = y - this.height / 2;
    this.pan(fromX + (this.x - fromX) * k - this.x, fromY + (this.y - fromY) * k - this.y, to);
  }
  pan(dx, dy, zoom = this.zoom) {
    this.zoom = zoom;
    const room = [this.width, this.height].map(side => side / 2 * (zoom - 1));
    this.x = clamp(this.x + dx, -room[0], room[0]);
    this.y = clamp(this.y + dy, -room[1], room[1]);
    this.hover = -1;
    this.canvas.style.touchAction = zoom > 1 ? 'none' : 'pan-y pinch-zoom';
    hideTip();
    this.draw();
  }
  listen() {
    let grip = null;
    const at = event => { const frame = this.canvas.getBoundingClientRect(); return [event.clientX - frame.left, event.clientY - frame.top]; };
    build(this.canvas, {
      pointerdown: event => { grip = {x: event.clientX, y: event.clientY, moved: false}; if (this.zoom > 1) this.canvas.setPointerCapture(event.pointerId); },
      pointermove: event => {
        if (!grip || this.zoom === 1) return event.pointerType === 'mouse' ? this.point(event, 14) : undefined;
        const dx = event.clientX - grip.x, dy = event.clientY - grip.y;
        if (!grip.moved && Math.hypot(dx, dy) < 4) return;
        Object.assign(grip, {x: event.clientX, y: event.clientY, moved: true});
        this.pan(dx, dy);
      },
      pointerup: event => { if (grip && !grip.moved) this.point(event, event.pointerType === 'mouse' ? 14 : 26); grip = null; },
      pointercancel: () => { grip = null; },
      pointerleave: event => { if (event.pointerType === 'mouse') { this.hover = -1; hideTip(); this.draw(); } },
      dblclick: event => this.zoomBy(2, ...at(event)),
      keydown: event => {
        const turn = {ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60]}[event.key];
        if (turn && this.zoom > 1) { event.preventDefault(); this.pan(...turn); }
        if (event.key === '+' || event.key === '=') this.zoomBy(1.5);
        if (event.key === '-') this.zoomBy(1 / 1.5);
      },
    }, []);
    this.canvas.addEventListener('wheel', event => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...at(event));
    }, {passive: false});
  }
}

function mapLegend(view, map) {
  const sizes = new Map();
  for (const label of map.label) sizes.set(label, (sizes.get(label) || 0) + 1);
  const toggle = (label, button) => {
    const on = !view.chosen.delete(label) && view.chosen.add(label);
    button.setAttribute('aria-pressed', on ? 'true' : 'false');
    view.draw();
  };
  const labels = [...sizes.keys()].sort((a, b) => a - b);
  const items = labels.map(label => html('li', {}, html('button', {type: 'button', 'aria-pressed': 'false', click: event => toggle(label, event.currentTarget)},
    classKey(label), html('small', {}, count(sizes.get(label))))));
  const search = html('input', {type: 'search', placeholder: 'Find a class', 'aria-label': 'Find a class', input: event => {
    const wanted = event.target.value.toLowerCase();
    items.forEach((item, i) => { item.hidden = !className(labels[i]).toLowerCase().includes(wanted); });
  }});
  const clear = html('button', {type: 'button', click: () => {
    view.chosen.clear();
    items.forEach(item => item.firstChild.setAttribute('aria-pressed', 'false'));
    view.draw();
  }}, 'All classes');
  return [html('div', {class: 'controls'}, labels.length > 12 ? search : null, clear), html('ul', {class: 'chips'}, items)];
}

function mistakeList(map) {
  const all = map.label.map((_, i) => i).filter(i => wrong(map, i));
  if (!all.length) return null;
  const body = html('div');
  return html('details', {toggle: () => {
    if (!body.firstChild) body.append(sortableTable([{title: 'Text', value: i => map.text[i], cell: i => map.text[i]},
      {title: 'Gold', value: i => className(map.label[i]), cell: i => classKey(map.label[i])},
      {title: 'Predicted', value: i => className(map.predicted[i]), cell: i => classKey(map.predicted[i])}], all.slice(0, 500), 'Mistakes'));
  }}, html('summary', {}, `Mistakes as a list (${count(all.length)}${all.length > 500 ? ', first 500 shown' : ''})`), body);
}

function embeddingMap() {
  const map = data.map;
  if (!map || !map.x.length) return section('map', 'Map of embeddings', null, null, empty('No embeddings were given for a map.'));
  const canvas = html('canvas', {class: 'map', tabindex: 0, role: 'img', 'aria-label': `Map of ${plural(map.x.length, 'embedding')}. Zoom with plus and minus, move with the arrow keys.`});
  const card = html('div', {class: 'card'}), frame = html('div', {}, canvas), view = new EmbeddingMap(canvas, map);
  const spread = map.explained.length === 2 ? ` The two axes hold ${percent(map.explained[0] + map.explained[1])} of the variance.` : '';
  const thinned = map.total > map.x.length ? ` ${count(map.x.length)} of ${plural(map.total, 'example')} are drawn.` : '';
  const button = (text, label, click) => html('button', {type: 'button', 'aria-label': label, title: label, click}, text);
  card.append(html('div', {class: 'controls'},
    html('label', {}, html('input', {type: 'checkbox', change: event => { view.mistakesOnly = event.target.checked; view.draw(); }}), 'Mistakes only'),
    button('+', 'Zoom in', () => view.zoomBy(1.6)), button('\u2212', 'Zoom out', () => view.zoomBy(1 / 1.6)),
    button('Reset', 'Show everything', () => view.pan(0, 0, 1))), frame);
  section('map', 'Map of embeddings', `Nearby texts look alike to the encoder.${spread}${thinned} A ring marks a mistake; choose classes to bring them forward.`, null,
    html('div', {class: 'beside'}, card, html('div', {class: 'card'}, mapLegend(view, map))), mistakeList(map));
}
