// Headline numbers and calibration.
// 95% interval of a share of n examples (Wilson 1927).
function wilson(share, n) {
  const z = 1.96, center = share + z * z / (2 * n), half = z * Math.sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return [(center - half) / (1 + z * z / n), (center + half) / (1 + z * z / n)];
}

const percent1 = value => percent(value);
function tile({key, name, color, note}, evaluation) {
  const share = evaluation.accuracy[key], n = evaluation.n, calibration = evaluation.calibration[key];
  const [low, high] = n ? wilson(share, n) : [0, 1];
  const known = (name, show) => (evaluation.undefined || []).includes(`${name}.${key}`) ? '\u2013' : show(evaluation[name][key]);
  const facts = [['Macro F1', known('macro_f1', percent1)]];
  if (evaluation.f1) facts.push(['F1 of ' + className(1), known('f1', percent1)]);
  facts.push(['Matthews correlation', known('mcc', value => value.toFixed(3))],
             ['Calibration error', n ? percent(calibration.expected_calibration_error) : '\u2013']);
  return html('div', {class: 'card tile', style: `--k:var(--c${color})`},
    html('h3', {}, swatch(color, color), name), html('p', {class: 'small'}, note),
    html('div', {class: 'big'}, n ? percent(share) : '\u2013'),
    html('p', {class: 'small'}, n ? `accuracy; 95% interval ${percent(low)} to ${percent(high)}` : 'accuracy; no examples'),
    html('dl', {}, facts.map(([term, value]) => [html('dt', {}, term), html('dd', {}, value)])));
}

function results() {
  const evaluation = data.evaluation;
  section('results', 'Results', evaluation && `${plural(evaluation.n, 'example')}, ${evaluation.classes.length} classes.`, null,
    evaluation ? html('div', {class: 'tiles'}, predictors.map(p => tile(p, evaluation)))
               : empty('This report holds no evaluation.'));
}

function drawReliability(box, {key, color}, width) {
  const side = Math.min(width, 360), left = 42, bottom = 36, top = 14, right = 14;
  const x = v => left + v * (side - left - right), y = v => top + (1 - v) * (side - top - bottom);
  const bins = data.evaluation.calibration[key].bins.filter(bin => bin.count);
  const marks = [0, 0.25, 0.5, 0.75, 1];
  const radius = bin => 3 + 9 * Math.sqrt(bin.count / data.evaluation.n);
  const about = bin => event => showTip(event.clientX, event.clientY,
    html('b', {}, `Confidence ${percent(bin.lower, 0)} to ${percent(bin.upper, 0)}`), tipRow('predictions', count(bin.count)),
    tipRow('mean confidence', percent(bin.confidence)), tipRow('correct', percent(bin.accuracy)));
  box.replaceChildren(svg('svg', {class: 'plot', style: `--k:var(--c${color}); max-width:${side}px`, viewBox: `0 0 ${side} ${side}`,
      role: 'img', 'aria-label': 'Share of correct predictions by confidence: ' +
        bins.map(bin => `${percent(bin.confidence, 0)} confident, ${percent(bin.accuracy, 0)} correct`).join('; ')},
    marks.map(v => [svg('line', {class: 'tick', x1: x(0), x2: x(1), y1: y(v), y2: y(v)}),
      svg('text', {x: left - 6, y: y(v) + 4, 'text-anchor': 'end'}, percent(v, 0)),
      v ? svg('text', {x: x(v), y: side - bottom + 17, 'text-anchor': v === 1 ? 'end' : 'middle'}, percent(v, 0)) : null]),
    svg('text', {x: x(0.5), y: side - 3, 'text-anchor': 'middle'}, 'confidence'),
    svg('line', {class: 'ideal', x1: x(0), y1: y(0), x2: x(1), y2: y(1)}),
    bins.map(bin => svg('line', {class: 'residual', x1: x(bin.confidence), x2: x(bin.confidence), y1: y(bin.confidence), y2: y(bin.accuracy)})),
    bins.map(bin => svg('circle', {class: 'mark', cx: x(bin.confidence), cy: y(bin.accuracy), r: radius(bin),
      pointermove: about(bin), pointerdown: about(bin), pointerleave: hideTip}))));
}

function calibration() {
  const evaluation = data.evaluation;
  if (!evaluation || !evaluation.n) return;
  section('calibration', 'Calibration', 'Share of correct predictions at each level of confidence. A circle below the dashed line was more confident than right; its size shows the number of predictions.', null,
    html('div', {class: 'grid'}, predictors.map(predictor => {
      const box = html('div'), facts = evaluation.calibration[predictor.key];
      responsive(box, width => drawReliability(box, predictor, width));
      return html('div', {class: 'card'}, html('h3', {class: 'key'}, swatch(predictor.color, predictor.color), predictor.name), box,
        html('p', {class: 'small'}, `Expected calibration error ${percent(facts.expected_calibration_error)}, Brier score ${number(facts.brier)}, ` +
          `log loss ${number(facts.negative_log_likelihood)}` + (facts.floored ? ` (${count(facts.floored)} probabilities of zero raised to 1.2e-7)` : '')));
    })));
}
