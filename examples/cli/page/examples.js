// Examples with the neighbors that voted, then the order of the page.
function voteList({key, name, color}, example) {
  const entries = example[key];
  if (!entries.length) return null;
  return html('div', {style: `--k:var(--c${color})`}, html('h3', {class: 'key'}, swatch(color, color), name),
    html('ol', {}, entries.map(([label, p]) => html('li', {}, html('span', {class: label === example.gold ? 'right' : null}, breakable(className(label))),
      html('span', {}, percent(p)), html('span', {class: 'bar', 'aria-hidden': 'true'}, html('i', {style: `width:${100 * p}%`}))))));
}

function neighborItem(neighbor, place, example) {
  return html('li', {}, html('span', {class: 'rank'}, place + 1), html('span', {}, neighbor.text || '(no text stored)'),
    html('div', {class: 'facts'}, html('span', {class: neighbor.label === example.predicted ? 'same' : null}, classKey(neighbor.label)),
      html('span', {}, `similarity ${number(neighbor.similarity)}, vote ${percent(neighbor.vote)}`)));
}

function exampleItem(example, place) {
  const known = example.gold >= 0, right = example.gold === example.predicted;
  const name = label => html('bdi', {}, className(label));
  const verdict = !known ? html('span', {}, 'predicted ', html('b', {}, className(example.predicted)))
    : right ? html('span', {}, html('span', {class: 'right'}, '\u2713 correct: '), name(example.gold))
    : html('span', {}, html('span', {class: 'wrong'}, '\u2717 wrong: '), name(example.predicted), ', gold is ', name(example.gold));
  const body = html('div'), fill = () => {
    if (body.firstChild) return;
    body.append(html('div', {class: 'votes'}, predictors.map(p => voteList(p, example))),
      html('h3', {}, example.neighbors.length ? 'Nearest examples' : 'No neighbors were found'),
      html('ol', {class: 'neighbors'}, example.neighbors.map((n, i) => neighborItem(n, i, example))));
  };
  if (!place) fill();
  return html('details', {class: 'example', open: !place, toggle: fill}, html('summary', {},
    html('span', {class: 'quote'}, example.text), html('span', {class: 'verdict'}, verdict)), body);
}

function examples() {
  const all = data.examples, list = html('div', {class: 'card'});
  const isWrong = example => example.gold >= 0 && example.gold !== example.predicted;
  const mistakes = all.filter(isWrong);
  const show = chosen => list.replaceChildren(...chosen.map(exampleItem));
  show(all);
  const pick = mistakes.length && mistakes.length < all.length
    ? html('select', {'aria-label': 'Which examples', change: event => show(event.target.value === 'wrong' ? mistakes : all)},
        html('option', {value: 'all'}, `All ${count(all.length)}`), html('option', {value: 'wrong'}, `Mistakes, ${count(mistakes.length)}`)) : null;
  section('neighbors', 'Neighbors as evidence', all.length ? 'What each predictor saw, and the labeled examples that voted.' : null, pick,
    all.length ? list : empty('No examples with neighbors were given.'));
}

results();
curves();
confusion();
perClass();
calibration();
embeddingMap();
examples();
freeTables();
settings();
document.body.append(tip);
document.querySelector('nav ul').append(...sections.map(({id, title}) => html('li', {}, html('a', {href: '#' + id}, title))));
