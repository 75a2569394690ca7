// The table by class, free tables and the settings.
// Columns are {title, value(row), cell(row), numeric}; a header sorts by its column's values, again in reverse.
function sortableTable(columns, rows, caption) {
  const body = html('tbody');
  const heads = columns.map((column, i) => html('th', {scope: 'col', class: column.numeric ? 'numeric' : null},
    html('button', {type: 'button', click: () => sort(i)}, column.title)));
  let by = -1, direction = 1;
  const fill = () => body.replaceChildren(...rows.map(row => html('tr', {}, columns.map((column, i) =>
    html(i ? 'td' : 'th', {scope: i ? null : 'row', class: column.numeric ? 'numeric' : i ? null : 'name'}, column.cell(row))))));
  function sort(i) {
    direction = by === i ? -direction : columns[i].numeric ? -1 : 1;
    by = i;
    const key = columns[i].value;
    rows = rows.map((row, place) => ({row, place})).sort((a, b) => {
      const x = key(a.row), y = key(b.row);
      return direction * (typeof x === 'string' ? x.localeCompare(y) : x - y) || a.place - b.place;
    }).map(item => item.row);
    heads.forEach((head, k) => k === i ? head.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending') : head.removeAttribute('aria-sort'));
    fill();
  }
  fill();
  return html('div', {class: 'scroll tall', tabindex: 0, role: 'region', 'aria-label': caption},
    html('table', {}, html('thead', {}, html('tr', {}, heads)), body));
}

function perClass() {
  const evaluation = data.evaluation;
  if (!evaluation || !evaluation.n) return;
  const share = name => ({title: sentence(name), numeric: true, value: row => row[name],
    cell: row => (row.undefined || []).includes(name) ? html('span', {title: 'zero divided by zero'}, '\u2013')
      : [percent(row[name]), name === 'f1' ? html('span', {class: 'bar', 'aria-hidden': 'true'}, html('i', {style: `width:${100 * row[name]}%`})) : null]});
  const columns = [{title: 'Class', value: row => row.class, cell: row => classKey(row.label)},
    share('f1'), share('precision'), share('recall'),
    {title: 'Examples', numeric: true, value: row => row.support, cell: row => count(row.support)},
    {title: 'Predicted', numeric: true, value: row => row.predicted, cell: row => count(row.predicted)}];
  const box = html('div', {class: 'card'});
  section('classes', 'By class', 'Choose a column to sort by it.', predictorSwitch(), box);
  follow(() => box.replaceChildren(sortableTable(columns, evaluation.per_class[shown].map((row, label) => ({...row, label})), 'Scores by class')));
}

function freeTables() {
  data.tables.forEach((table, place) => {
    const columns = table.columns.map((title, i) => {
      const numeric = table.rows.length > 0 && table.rows.every(row => /^[-+]?[\d.,]+(e[-+]?\d+)?\s?%?$/.test(row[i] ?? ''));
      const value = row => numeric ? parseFloat((row[i] ?? '').replace(/,/g, '')) : row[i] ?? '';
      return {title, numeric, value, cell: row => row[i] ?? ''};
    });
    section('table-' + place, table.title, table.note, null,
      table.rows.length ? html('div', {class: 'card'}, sortableTable(columns, table.rows, table.title)) : empty('This table has no rows.'));
  });
}

function settings() {
  section('settings', 'Settings', null, null, data.settings.length
    ? html('div', {class: 'card'}, html('div', {class: 'scroll'}, html('table', {class: 'settings'}, html('tbody', {},
        data.settings.map(([name, value]) => html('tr', {}, html('th', {scope: 'row'}, name), html('td', {}, value)))))))
    : empty('No settings were recorded.'));
}
