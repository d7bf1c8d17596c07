// The `alarms` keys: detectors over what goes on record, and who is told. `alarms: off` has none.

import {
  ALARM_RULES,
  type AlarmsConfig,
  DEFAULT_ALARMS,
  type DecoyConfig,
  type HoursConfig,
  type LoopConfig,
  type WindowConfig,
} from './alarms-config.ts';
import { compact } from './config.ts';
import { parseEndpoint } from './http-url.ts';
import { nearest } from './nearest.ts';
import { quoteText } from './node.ts';
import { choice, count, field, list, object, parsed, type Reading, type Shape, text } from './shape.ts';
import { shareTokenRefusal } from './share-token.ts';
import { DURATION_FORM, LIFETIME_FORM, parseDuration, parseLifetime } from './units.ts';

const MAX_CALLS = 1_000_000;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const duration = parsed<number>(DURATION_FORM, (value) => parseDuration(value) ?? { refused: DURATION_FORM });
const lifetime = parsed<number>(LIFETIME_FORM, (value) => parseLifetime(value) ?? { refused: LIFETIME_FORM });

const CLOCK_FORM = 'a time such as 07:30';
const clock = parsed<number>(CLOCK_FORM, (value) => {
  const [, hours, minutes] = /^([01][0-9]|2[0-4]):([0-5][0-9])$/.exec(value) ?? [];
  const found = Number(hours) * 60 + Number(minutes);
  return found <= 24 * 60 ? found : { refused: CLOCK_FORM };
});

const ZONE_FORM = 'a time zone such as Europe/Berlin or UTC';
const zone = parsed<string>(ZONE_FORM, (value) => {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone: value }).resolvedOptions().timeZone;
  } catch {
    return { refused: ZONE_FORM };
  }
});

const WEBHOOK_FORM = 'an http(s) URL of this machine, or share:TOKEN';
const webhook = parsed<NonNullable<AlarmsConfig['webhook']>>(WEBHOOK_FORM, (value) => {
  const [, share] = /^share:(.*)$/.exec(value) ?? [];
  if (share !== undefined) return shareTokenRefusal(share) ?? { share };
  const endpoint = parseEndpoint(value);
  if (endpoint?.loopback && endpoint.basic === undefined) return { url: endpoint.url };
  return { refused: WEBHOOK_FORM, hint: 'alarms leave this machine over the overlay only, or by a command of yours' };
});

const windowFields = (calls: number, within: string) => ({
  calls: field(count(2, MAX_CALLS), 'how many', { default: String(calls) }),
  within: field(duration, 'in how long', { default: within }),
});

const decoy = object({
  backend: field(
    text({ form: 'a backend id', pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/ }),
    'whose tool it looks like',
    {
      required: true,
    },
  ),
  tool: field(text({ form: 'a tool name', pattern: /^[A-Za-z0-9_.-]{1,64}$/ }), 'a name that it has not', {
    required: true,
  }),
  description: field(text(), 'as agents read it', { required: true }),
  arguments: field(list(text({ form: 'a name', pattern: /^[A-Za-z0-9_.-]{1,64}$/ })), 'their names; all are texts', {
    default: 'none',
  }),
});

const alarmsObject = object({
  off: field(list(choice(ALARM_RULES)), 'detectors that stay silent', { default: 'none', example: '[new_tool]' }),
  loop: field(
    object({
      ...windowFields(DEFAULT_ALARMS.loop.calls, '60s'),
      slow: field(
        count(2, MAX_CALLS),
        'from so many on, each is held up a second longer than the one before, at most 10',
        {
          default: 'nothing is held up',
        },
      ),
      refuse: field(count(2, MAX_CALLS), 'from so many on, they are refused, and told why', {
        default: 'nothing is refused',
      }),
    }),
    'the same tool with the same arguments by one identity',
  ),
  rate: field(object(windowFields(DEFAULT_ALARMS.rate.calls, '60s')), 'calls of one identity'),
  refusals: field(object(windowFields(DEFAULT_ALARMS.refusals.calls, '5m')), 'refused calls of one identity'),
  learn: field(lifetime, 'how long what an identity usually does is learned, before new_tool and new_backend ring', {
    default: '7d',
  }),
  hours: field(
    object({
      from: field(clock, 'calls are expected from', { required: true }),
      to: field(clock, 'until; earlier than from is over midnight', { required: true }),
      days: field(list(choice(DAYS)), 'on these days', { default: '[mon, tue, wed, thu, fri]' }),
      zone: field(zone, 'whose clock', { required: true }),
      except: field(list(text({ form: 'a principal id' })), 'of these, at any time', { default: 'nobody' }),
    }),
    'when people work; a call at another time rings',
    { neverEmpty: true, default: 'any time', example: '{ from: "07:00", to: "20:00", zone: Europe/Berlin }' },
  ),
  decoys: field(list(decoy), 'tools that are none: listed, and whoever calls one rings', {
    default: 'none',
    example: '[ { backend: db, tool: dump_credentials, description: Export all stored credentials. } ]',
  }),
  hold: field(duration, 'how long a cause must be quiet before it rings again', { default: '1h' }),
  command: field(list(text({ form: 'a word' })), 'is run for each alarm, as JSON on its stdin; no shell', {
    default: 'none',
    example: '[/usr/local/bin/page-me, gateway]',
  }),
  webhook: field(webhook, 'gets each alarm as JSON by POST', {
    default: 'none',
    example: 'http://127.0.0.1:9000/alarm',
  }),
});

/** `off`, or what rings. */
export const alarmsShape: Shape<'off' | NonNullable<ReturnType<typeof alarmsObject.read>>> = {
  ...alarmsObject,
  form: 'a mapping, or off',
  read: (node, spot, reading) =>
    node.kind === 'scalar' && (node.value === 'off' || node.value === false)
      ? 'off'
      : alarmsObject.read(node, spot, reading),
};

type Raw = NonNullable<ReturnType<typeof alarmsShape.read>>;
type RawAlarms = Exclude<Raw, 'off'>;

export function buildAlarms(raw: Raw, backends: readonly string[], reading: Reading): AlarmsConfig | 'off' {
  if (raw === 'off') return raw;
  const ours = DEFAULT_ALARMS;
  if (raw.command?.length === 0 && raw.given.has('command') && !reading.report.failed()) {
    reading.report.problem(raw.spotOf('command'), 'expected a program');
  }
  return {
    off: raw.off ?? [],
    loop: buildLoop(raw.loop, reading),
    rate: windowOf(raw.rate, ours.rate),
    refusals: windowOf(raw.refusals, ours.refusals),
    learnMs: raw.learn ?? ours.learnMs,
    decoys: buildDecoys(raw.decoys ?? [], backends, reading),
    holdMs: raw.hold ?? ours.holdMs,
    ...compact({
      hours: raw.hours && buildHours(raw.hours),
      command: raw.command && raw.command.length > 0 ? raw.command : undefined,
      webhook: raw.webhook,
    }),
  };
}

function windowOf(
  raw: { readonly calls: number | undefined; readonly within: number | undefined } | undefined,
  ours: WindowConfig,
): WindowConfig {
  return { calls: raw?.calls ?? ours.calls, withinMs: raw?.within ?? ours.withinMs };
}

function buildLoop(raw: RawAlarms['loop'], { report }: Reading): LoopConfig {
  const { slow, refuse } = raw ?? {};
  if (raw && slow !== undefined && refuse !== undefined && refuse <= slow) {
    report.problem(
      raw.spotOf('refuse'),
      `expected more than slow (${slow})`,
      'calls are slowed before they are refused',
    );
  }
  return { ...windowOf(raw, DEFAULT_ALARMS.loop), ...compact({ slow, refuse }) };
}

function buildHours(raw: NonNullable<RawAlarms['hours']>): HoursConfig {
  const { from = 0, to = 0, days, zone = 'UTC', except = [] } = raw;
  return { fromMinutes: from, toMinutes: to, days: days ?? DAYS.slice(0, 5), zone, except };
}

/** One for a backend that is not there would never be seen. */
function buildDecoys(
  raw: NonNullable<RawAlarms['decoys']>,
  backends: readonly string[],
  { report }: Reading,
): readonly DecoyConfig[] {
  return raw.map((one) => {
    const { backend = '', tool = '', description = '', arguments: names = [] } = one;
    if (backend !== '' && !backends.includes(backend)) {
      const meant = nearest(backend, backends);
      const hint = meant === undefined ? `there are: ${backends.join(', ')}` : `did you mean ${meant}?`;
      report.problem(one.spotOf('backend'), `unknown backend ${quoteText(backend)}`, hint);
    }
    return { backend, tool, description, arguments: names };
  });
}
