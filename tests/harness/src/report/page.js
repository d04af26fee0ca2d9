'use strict';
{
  const { report, history, holds } = JSON.parse(document.getElementById('data').textContent);
  const samples = history.samples;
  const byId = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
  const format = (value) => (value === null || value === undefined || Number.isNaN(value) ? '-' : number.format(value));
  const bytes = (value) =>
    value >= 1e6 ? `${format(value / 1e6)} MB` : value >= 1e3 ? `${format(value / 1e3)} KB` : `${format(value)} B`;
  const dollars = (value) => `$${value >= 0.1 ? value.toFixed(2) : value >= 0.01 ? value.toFixed(3) : value.toFixed(4)}`;
  const date = (ms) => (ms === null || ms === undefined ? '-' : new Date(ms).toISOString().slice(0, 19).replace('T', ' '));
  const colours = ['--one', '--two', '--three', '--four', '--five', '--six', '--seven'];
  const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 2], [12, 4], [1, 2]];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  const table = (caption, heads, rows) => {
    const cell = (name, scope) => (value) => element(name, scope ? { scope } : {}, String(value));
    const made = element('table', { class: 'data' });
    made.append(element('caption', { class: 'note' }, caption));
    made.append(element('thead', {}, element('tr', {}, ...heads.map(cell('th', 'col')))));
    const line = ([first, ...rest]) => element('tr', {}, cell('th', 'row')(first), ...rest.map(cell('td')));
    made.append(element('tbody', {}, ...rows.map(line)));
    return element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, made);
  };

  // Columns over the run's time, seconds.
  const seconds = samples.map((sample) => sample.ms / 1000);
  const of = (name) => samples.map((sample) => sample[name]);
  const change = (name, by) =>
    samples.map((sample, index) => {
      const before = samples[index - 1] ?? { [name]: 0, [by]: 0 };
      const span = sample[by] - before[by];
      return span > 0 ? (sample[name] - before[name]) / span : null;
    });
  // Records a second over a twentieth of the run, so that single batches do not hide the rest.
  const throughput = samples.map((sample, index) => {
    const before = samples[Math.max(0, index - Math.ceil(samples.length / 20))];
    const ms = sample.ms - before.ms;
    return ms > 0 ? ((sample.records - before.records) * 1000) / ms : null;
  });
  const kinds = [...new Set(history.events.map((event) => event.what))].slice(0, colours.length);
  const happened = (kind) => {
    let [next, count] = [0, 0];
    const events = history.events.filter((event) => event.what === kind);
    return samples.map((sample) => {
      while (next < events.length && events[next].ms <= sample.ms) { next += 1; count += 1; }
      return count;
    });
  };
  const last = samples[samples.length - 1] ?? {};
  const any = (name) => samples.some((sample) => sample[name] !== null && sample[name] > 0);
  const [half, ninety, ninetyNine, longest] = history.invocation_ms;

  const charts = [
    { title: 'Throughput', say: `${format((last.records * 1000) / last.ms)} records a second over the whole run.`,
      series: [['records a second', throughput]] },
    { title: 'Watermark and event time', time: true, when: samples.some((sample) => sample.watermark !== null),
      say: `The newest event is of ${date(last.highest)}, the watermark came to ${date(last.watermark)}, UTC.`,
      series: [['newest event', of('highest')], ['watermark', of('watermark')]] },
    { title: 'Windows', when: any('opened'),
      say: `${format(last.opened)} opened, ${format(last.closed)} closed, ${format(last.open)} left open. One that a single batch opens and closes is not among them.`,
      series: [['opened', of('opened')], ['closed', of('closed')], ['open', of('open')]] },
    { title: 'Results', say: `${format(last.results)} sent.`, series: [['results', of('results')]] },
    { title: 'Late and quarantined', say: `${format(last.late)} late, ${format(last.quarantined)} quarantined.`,
      series: [['late', of('late')], ['quarantined', of('quarantined')]] },
    { title: 'Retries and faults', when: history.events.length > 0,
      say: `${format(last.failed)} invocations came to nothing. ${format(report.retries)} sent again what an earlier one left: all of its batch, or what it did not get to. ${format(history.events.length + history.missing_events)} failures and faults in all.`,
      series: kinds.map((kind) => [kind, happened(kind)]),
      more: () => table('Each fault', ['seconds', 'what'], history.events.slice(0, 500).map((event) => [format(event.ms / 1000), event.what])) },
    { title: 'Latency of results',
      say: `From a batch's hand-out until its results are acknowledged: half within ${format(half)} ms, 99 of 100 within ${format(ninetyNine)} ms, the longest ${format(longest)} ms.`,
      series: [['longest, ms', samples.map((sample) => sample.longest_us / 1000)]],
      more: () => table('Invocations by how long they took', ['of a hundred', 'ms at most'], [['50', format(half)], ['90', format(ninety)], ['99', format(ninetyNine)], ['100', format(longest)]]) },
    { title: 'State', when: any('state_bytes'), say: `${bytes(last.state_bytes)} at the end, keys included.`,
      series: [['bytes', of('state_bytes')]] },
    { title: 'DynamoDB write units a batch', when: any('write_units'),
      say: `${format(last.write_units / Math.max(1, last.batches))} a batch, ${format(last.write_units)} in all.`,
      series: [['write units a batch', change('write_units', 'batches')]] },
  ];

  const shownAs = (chart) => (chart.time ? date : format);

  // About twenty rows, the last one among them.
  const rows = (chart) => {
    const step = Math.max(1, Math.ceil(samples.length / 20));
    const picked = samples.map((_, index) => index).filter((index) => index % step === 0 || index === samples.length - 1);
    return picked.map((index) => [format(seconds[index]), ...chart.series.map(([, values]) => shownAs(chart)(values[index]))]);
  };

  const options = (chart, width) => {
    const axis = { stroke: colour('--text'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') } };
    const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
    // A narrow page has no room for years, and date and time one above the other.
    const narrow = width < 480;
    const day = (tick) => (narrow ? date(tick).slice(5, 16).replace(' ', '\n') : date(tick).slice(0, 16));
    const values = (_, ticks) => ticks.map((tick) => (chart.time ? day(tick) : short.format(tick)));
    const shown = (value, as) => (value === null || value === undefined ? '' : as(value));
    const line = ([label], index) => ({
      label, stroke: colour(colours[index]), width: 2, dash: dashes[index], spanGaps: true,
      points: { show: samples.length < 3 }, value: (_, value) => shown(value, shownAs(chart)),
    });
    return {
      width, height: 220, cursor: { y: false }, scales: { x: { time: false }, y: { time: false } },
      axes: [{ ...axis, label: 'seconds', labelSize: 20, size: 34 }, { ...axis, values, size: chart.time && !narrow ? 136 : 56 }],
      series: [{ label: 'seconds', value: (_, value) => shown(value, format) }, ...chart.series.map(line)],
    };
  };

  const draw = (chart, place) => {
    place.replaceChildren();
    const plot = new uPlot(options(chart, place.clientWidth), [seconds, ...chart.series.map(([, values]) => values)], place);
    let at = -1;
    place.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      at = Math.min(seconds.length - 1, Math.max(0, at + step));
      plot.setCursor({ left: plot.valToPos(seconds[at], 'x'), top: 10 });
    };
    return plot;
  };

  const drawn = [];
  for (const chart of charts.filter((chart) => chart.when ?? true)) {
    const id = chart.title.toLowerCase().replaceAll(/[^a-z]+/g, '-');
    const place = element('div', { class: 'chart', tabindex: '0', role: 'img', 'aria-label': `${chart.title}, a chart over time. ${chart.say} The arrow keys move along it; the same as a table follows.` });
    const details = element('details', {}, element('summary', {}, `${chart.title} as a table`), table(`${chart.title} over time`, ['seconds', ...chart.series.map(([label]) => label)], rows(chart)));
    const section = element('section', { 'aria-labelledby': id }, element('h2', { id }, chart.title), element('p', { class: 'note' }, chart.say), place, details);
    if (chart.more) details.append(chart.more());
    byId('charts').append(section);
    drawn.push([chart, place, null]);
  }
  const drawAll = () => { for (const entry of drawn) entry[2] = draw(entry[0], entry[1]); };
  drawAll();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  new ResizeObserver(() => {
    for (const [, place, plot] of drawn) {
      if (plot && plot.width !== place.clientWidth) plot.setSize({ width: place.clientWidth, height: 220 });
    }
  }).observe(byId('charts'));

  // Words and figures.
  byId('lead').textContent = `${report.scenario}: ${report.function}, replayed by tidemill in ${format(report.wall_ms / 1000)} seconds.`;
  const verdict = { true: ['good', '✓ as expected'], false: ['bad', '✗ not as expected'] }[holds] ?? ['note', typeof report.verdict === 'string' ? report.verdict : 'not compared'];
  byId('verdict').className = verdict[0];
  byId('verdict').textContent = verdict[1];
  const injected = Object.values(report.faults ?? {}).reduce((sum, count) => sum + count, 0) + report.kills;
  const figures = [
    ['records', report.records], ['batches', report.batches], ['results', report.results], ['late', report.late],
    ['quarantined', report.quarantined], ['retries', report.retries], ['faults on purpose', injected],
    ['repeats dropped', report.repeats], ['write units', report.write_units], ['read units', report.read_units],
  ];
  for (const [name, value] of figures) byId('figures').append(element('div', {}, element('dt', {}, name), element('dd', {}, format(value))));

  const cost = report.cost;
  byId('cost-lead').textContent = `List prices of ${cost.region} as of ${cost.prices_as_of}, without free tiers; batches as in this run. As much as the smallest Managed Flink from ${format(cost.break_even_per_second)} events a second on.`;
  const parts = { requests: 'Lambda requests', memory_and_time: 'Lambda memory and time', writes: 'DynamoDB writes', reads: 'DynamoDB reads', puts: 'Kinesis puts' };
  const month = cost.month;
  const monthly = (name) => (month ? [dollars(month[name])] : []);
  byId('cost').append(
    table('A million events, by what is paid for', ['what', 'US dollars'], [...Object.entries(parts).map(([key, label]) => [label, dollars(cost.parts[key])]), ['together', dollars(cost.per_million)], ['while a journal is young', dollars(cost.per_million_at_first)]]),
    table('Ways to do it', ['way', 'a million events', ...(month ? [`a month at ${format(month.events_per_second)} a second`] : [])],
      [['tidemill', dollars(cost.per_million), ...monthly('tidemill')], ['UpdateItem a record, by hand', dollars(cost.by_hand_per_million), ...monthly('by_hand')], ['smallest Managed Flink', month ? '-' : `${dollars(cost.flink_month)} a month`, ...monthly('flink')]]),
  );
}
