// The `scrub` keys: what is done with what is found in texts of servers. Visibility, not a boundary: what must not happen
// is kept from happening by rules (`roles`), not by patterns.

import { compact, type ScrubConfig, type ScrubOverride } from './config.ts';
import { globProblem } from './glob.ts';
import { bool, choice, field, list, mapping, object, parsed, path, type Shape, text, wrong } from './shape.ts';

export const SCRUB_MODES = ['off', 'flag', 'redact', 'block', 'wrap'] as const;
export type ScrubMode = (typeof SCRUB_MODES)[number];

/** Where a text stands. What a client sends is `arguments`, all else comes from a server. */
export const SCRUB_SURFACES = [
  'text',
  'structured',
  'resource',
  'link',
  'error',
  'prompt',
  'description',
  'instructions',
  'name',
  'log',
  'elicitation',
  'sampling',
  'arguments',
] as const;
export type ScrubSurface = (typeof SCRUB_SURFACES)[number];

export const PII_KINDS = [
  'mail',
  'phone',
  'card',
  'iban',
  'us-ssn',
  'uk-nino',
  'de-steuer-id',
  'fr-nir',
  'it-codice-fiscale',
  'es-dni',
] as const;

const mode = choice(SCRUB_MODES);
const ruleName = { form: 'a rule id, or a pattern of ids', pattern: /^[a-z0-9*?-]{1,64}$/ };
const host = text({
  form: 'a host name, or *.domain',
  pattern: /^(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/,
});
const glob = parsed<string>('a pattern', (value) => {
  const refused = globProblem(value);
  return refused === undefined ? value : { refused: 'a pattern', hint: refused };
});

const overrideFields = {
  mode: field(
    mode,
    'off: not looked at; flag: recorded, passed on as it is; redact: what was found becomes [removed:rule]; block: the answer is withheld; wrap: texts are passed on between marks that say they are data',
    { default: 'that of scrub.mode' },
  ),
  rules: field(mapping(mode, ruleName), 'the same for single rules, by id; * and ? stand for any', {
    default: 'none',
  }),
};

const toolOverride = object({
  backend: field(text({ form: 'a backend id', pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/ }), 'of this backend', {
    required: true,
  }),
  tools: field(list(glob), "patterns on the backend's own tool names", { required: true }),
  ...overrideFields,
});

const settings = object({
  mode: field(mode, overrideFields.mode.about, { default: "each rule's own, mostly flag", example: 'flag' }),
  rules: overrideFields.rules,
  arguments: field(choice(['off', 'flag', 'block']), 'whether what clients send to tools is looked at too', {
    default: 'off',
    example: 'flag',
  }),
  patterns: field(
    list(path()),
    'YAML files with patterns of your own, read again when they change (docs/SCRUBBING.md)',
    {
      default: 'none',
      example: '[my-patterns.yml]',
    },
  ),
  pii: field(list(choice(PII_KINDS)), 'personal data that is looked for', { default: 'none', example: '[card, iban]' }),
  hosts: field(list(host), 'where links and images may lead; with it every other one with a query is a hit', {
    default: 'any host, links that carry data are hits',
    example: '["*.example.com"]',
  }),
  on_timeout: field(
    choice(['flag', 'block']),
    'what becomes of a message that was not looked through whole: over 4 MiB of text, or more work than is allowed (docs/SCRUBBING.md)',
    { default: 'block where a rule in force redacts or blocks, else flag' },
  ),
  note: field(bool(), 'whether results tell their client what was found, in _meta["mcp-overlay/scrub"]', {
    default: 'true',
  }),
  tools: field(list(toolOverride), 'overrides for tools, the last that matches wins', { default: 'none' }),
});

/** `scrub: wrap` means `scrub: { mode: wrap }`. */
export function orMode<T>(shape: Shape<T>): Shape<T | { readonly mode: (typeof SCRUB_MODES)[number] }> {
  return {
    ...shape,
    form: `${mode.form}, or a mapping`,
    read: (node, spot, reading) => {
      if (node.kind === 'map') return shape.read(node, spot, reading);
      if (node.kind === 'list') return wrong(node, spot, `${mode.form}, or a mapping`, reading);
      const word = mode.read(
        node.kind === 'scalar' && node.value === false ? { ...node, value: 'off', text: 'off' } : node,
        spot,
        reading,
      );
      return word === undefined ? undefined : { mode: word };
    },
  };
}

export const scrubShape = orMode(settings);
export const backendScrubShape = orMode(object(overrideFields));

type RawScrub = ReturnType<typeof scrubShape.read>;
type RawOverride = ReturnType<typeof backendScrubShape.read>;

export function buildScrub(raw: NonNullable<RawScrub>): ScrubConfig {
  const given = raw as Partial<Exclude<typeof raw, { readonly mode: string; readonly rules?: never }>>;
  return {
    rules: Object.fromEntries(given.rules ?? []),
    arguments: given.arguments ?? 'off',
    patterns: given.patterns ?? [],
    pii: given.pii ?? [],
    note: given.note ?? true,
    ...compact({ mode: given.mode, hosts: given.hosts, onTimeout: given.on_timeout }),
    tools: (given.tools ?? []).map((tool) => ({
      backend: tool.backend ?? '',
      tools: tool.tools ?? [],
      ...buildOverride(tool),
    })),
  };
}

export function buildOverride(
  raw: Pick<NonNullable<RawOverride>, 'mode'> & {
    rules?: ReadonlyMap<string, (typeof SCRUB_MODES)[number]> | undefined;
  },
): ScrubOverride {
  return { ...compact({ mode: raw.mode }), rules: Object.fromEntries(raw.rules ?? []) };
}
