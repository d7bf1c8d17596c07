// Samples to figures, figures to the table, and the bars of the design that can be judged from one run.

export const percentile = (samples, share) => {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
};
/** The better of them counts as “the npm chain”. */
const PEERS = ['remote-supergateway', 'remote-proxy'];
const median = (samples) => percentile(samples, 0.5);

const ms = (value) => (value < 10 ? value.toFixed(2) : value.toFixed(0));
const whole = (value) => Math.round(value).toLocaleString('en-US');
const MB = (value) => value.toFixed(1);

/** Rows of the table: title, cell, figure, which share of its samples, how written. */
const ROWS = [
  ['cold start to first list, ms', 'cold', 'coldMs', 0.5, ms],
  ['1 in flight p50, ms', 'latency', 'latencyMs', 0.5, ms],
  ['fdatasync of the disk, after a pause, ms', 'latency', 'fdatasyncRoundMs', 0.5, ms],
  ['fdatasync of the disk, one behind the other, ms', 'latency', 'fdatasyncTightRoundMs', 0.5, ms],
  ['1 in flight p99, ms', 'latency', 'latencyMs', 0.99, ms],
  ['32 in flight, calls/s', 'throughput', 'callsPerSecond', 0.5, whole],
  ['1 MiB result, ms', 'large', 'result1MiBMs', 0.5, ms],
  ['16 MiB result, ms', 'huge', 'result16MiBMs', 0.5, ms],
  ['gateway after 16 MiB results, MB', 'huge', 'gatewayAfterHugeMB', 1, MB],
  ['bridge after 16 MiB results, MB', 'huge', 'bridgeAfterHugeMB', 1, MB],
  ['PSS of tools, MB', 'memory', 'toolsPssMB', 0.5, MB],
  ['PSS of gateway, MB', 'memory', 'gatewayPssMB', 0.5, MB],
  ['PSS of bridge, MB', 'memory', 'bridgePssMB', 0.5, MB],
  ['PSS of watchers, MB', 'memory', 'helpersPssMB', 0.5, MB],
  ['gateway, MB per further session', 'memory', 'gatewayMBPerSession', 0.5, (value) => value.toFixed(2)],
  ['bridge, MB per further session', 'memory', 'bridgeMBPerSession', 0.5, (value) => value.toFixed(2)],
  ['20 backends: initialize, ms', 'list', 'list20InitializeMs', 0.5, ms],
  ['20 backends: tools/list after it, ms', 'list', 'list20Ms', 0.5, ms],
  ['20 cold backends, from pins: initialize, ms', 'list', 'list20ColdInitializeMs', 0.5, ms],
  ['20 cold backends, from pins: tools/list, ms', 'list', 'list20ColdMs', 0.5, ms],
  ['scrub 4 KiB, all rules, CPU ms', 'scrub', 'scrub4KiBMs', 0.5, ms],
  ['scrub 4 KiB full of hits, CPU ms', 'scrub', 'scrubEvil4KiBMs', 0.5, ms],
  ['scrub 1 MiB, CPU ms', 'scrub', 'scrub1MiBMs', 0.5, ms],
  ['scrub glance at a small answer, CPU ms', 'scrub', 'scrubGlanceMs', 0.5, (value) => value.toFixed(4)],
  ['audit: durable records/s, 64 callers', 'audit', 'auditDurablePerSecond', 0.5, whole],
  ['audit: verified records/s', 'audit', 'auditVerifiedPerSecond', 0.5, whole],
  ['audit: CPU of a call, µs', 'audit', 'auditCallCpuUs', 0.5, ms],
];

/** `samples[chain][figure]` → `[{ title, cells: { chain: text } }]`, rows without a figure left out. */
export function table(samples, failures) {
  return ROWS.map(([title, cell, figure, share, write]) => {
    const cells = {};
    for (const [chain, figures] of Object.entries(samples)) {
      const failed = failures.some((failure) => failure.chain === chain && failure.cell === cell);
      if (failed && !figure.endsWith('MB')) cells[chain] = 'fails';
      else if (figures[figure]) cells[chain] = write(percentile(figures[figure], share));
    }
    return { title, cells };
  }).filter(({ cells }) => Object.keys(cells).length > 0);
}

/** The bars that we hold ourselves to: `{ bar, value, limit, holds }` for those whose chains were measured. */
export function bars(samples) {
  const get = (chain, figure, share = 0.5) => {
    const found = samples[chain]?.[figure];
    return found && percentile(found, share);
  };
  const ours = (figure, share) => get('overlay', figure, share);
  // Round by round: what else the machine did falls on both sides of each division.
  const ratio = (figure, other) => {
    const [mine, theirs] = [samples.overlay?.[figure], samples[other]?.[figure]];
    return mine && theirs && median(mine.flatMap((value, round) => (theirs[round] ? [value / theirs[round]] : [])));
  };
  /** The same of another chain of ours. */
  const ratioOf = (figure, chain, other) => {
    const [mine, theirs] = [samples[chain]?.[figure], samples[other]?.[figure]];
    return mine && theirs && median(mine.flatMap((value, round) => (theirs[round] ? [value / theirs[round]] : [])));
  };
  /** What durability costs, in fdatasyncs of the same round. */
  const syncs = (figure) => {
    const [durable, governed, sync] = [
      samples.durable?.latencyRoundMs,
      samples.governed?.latencyRoundMs,
      samples.durable?.[figure],
    ];
    if (!durable || !governed || !sync) return undefined;
    return median(
      durable.flatMap((value, round) => (sync[round] ? [(value - (governed[round] ?? 0)) / sync[round]] : [])),
    );
  };
  const added = (figure, a, b) => {
    const [one, other] = [samples[a]?.[figure], samples[b]?.[figure]];
    return one && other
      ? median(one.flatMap((value, at) => (other[at] === undefined ? [] : [value - other[at]])))
      : undefined;
  };
  const peerRatio = (figure, pick) => {
    const found = PEERS.map((peer) => ratio(figure, peer)).filter((value) => value !== undefined);
    return found.length > 0 ? pick(...found) : undefined;
  };
  const most = Math.max(...['tools', 'gateway', 'bridge'].map((role) => ours(`${role}PssMB`) ?? Number.NaN));
  const growth = Math.max(...['gateway', 'bridge'].map((role) => ours(`${role}MBPerSession`) ?? Number.NaN));
  return [
    ['p50 ≤ 1.8 × bare', ratio('latencyRoundMs', 'bare'), '≤', 1.8],
    ['p99 ≤ 3 × bare', ours('latencyMs', 0.99) / get('bare', 'latencyMs', 0.99), '≤', 3],
    ['calls/s ≥ 0.5 × bare + AEAD', ratio('callsPerSecond', 'aead'), '≥', 0.5],
    ['calls/s ≥ 6 × npm chain', peerRatio('callsPerSecond', Math.min), '≥', 6],
    ['governed: p50 ≤ 2.5 × bare', ratioOf('latencyRoundMs', 'governed', 'bare'), '≤', 2.5],
    ['governed: calls/s ≥ 0.5 × bare + AEAD', ratioOf('callsPerSecond', 'governed', 'aead'), '≥', 0.5],
    ['all of it on adds ≤ 0.3 ms to p50', added('latencyRoundMs', 'everything', 'ungoverned'), '≤', 0.3],
    ['all of it on: calls/s ≥ 0.6 × all of it off', ratioOf('callsPerSecond', 'everything', 'ungoverned'), '≥', 0.6],
    ['durable: ≤ 2 fdatasync on top, after a pause', syncs('fdatasyncRoundMs'), '≤', 2],
    ['durable: ≤ 2 fdatasync on top, one behind the other', syncs('fdatasyncTightRoundMs'), '≤', 2],
    ['durable: calls/s ≥ 0.5 × bare + AEAD', ratioOf('callsPerSecond', 'durable', 'aead'), '≥', 0.5],
    ['1 MiB results/s ≥ 0.8 × bare', 1 / ratio('result1MiBRoundMs', 'bare'), '≥', 0.8],
    ['1 MiB results/s ≥ npm chain', 1 / peerRatio('result1MiBRoundMs', Math.max), '≥', 1],
    ['16 MiB results pass', samples.overlay?.result16MiBMs?.length, '≥', 1],
    ['cold ≤ bare + 100 ms', ours('coldMs') - get('bare', 'coldMs'), '≤', 100],
    ['cold ≤ half of npm chain', peerRatio('coldMs', Math.max), '≤', 0.5],
    ['PSS of a process ≤ 60 MB', most, '≤', 60],
    ['≤ 1 MB for each further session', growth, '≤', 1],
    ['list of 20 backends seen before ≤ 50 ms', ours('list20Ms'), '≤', 50],
    ['list of 20 cold backends from pins ≤ 50 ms', ours('list20ColdMs'), '≤', 50],
    ['scrub of 4 KiB with all rules ≤ 2 ms', ours('scrub4KiBMs'), '≤', 2],
    ['durable audit records/s ≥ 20,000', ours('auditDurablePerSecond'), '≥', 20_000],
    ['verified audit records/s ≥ 100,000', ours('auditVerifiedPerSecond'), '≥', 100_000],
    ['audit ≤ 50 µs CPU a call', ours('auditCallCpuUs'), '≤', 50],
  ]
    .filter(([, value]) => Number.isFinite(value))
    .map(([bar, value, sign, limit]) => ({ bar, value, limit, holds: sign === '≤' ? value <= limit : value >= limit }));
}

/** For the JSON file: size, quartiles and ends of each sample list. */
export function summary(samples) {
  const shorten = (list) => ({
    count: list.length,
    min: percentile(list, 0),
    p25: percentile(list, 0.25),
    p50: median(list),
    p75: percentile(list, 0.75),
    p99: percentile(list, 0.99),
    max: percentile(list, 1),
  });
  return Object.fromEntries(
    Object.entries(samples).map(([chain, figures]) => [
      chain,
      Object.fromEntries(Object.entries(figures).map(([figure, list]) => [figure, shorten(list)])),
    ]),
  );
}
