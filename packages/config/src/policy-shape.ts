// `roles`, `identities`, `views`: who may do what. docs/GOVERNANCE.md explains them; what they mean together is checked in
// ./policy-build.ts.

import { members } from './args-shape.ts';
import type { Spot } from './errors.ts';
import { globProblem } from './glob.ts';
import { located, named } from './located.ts';
import type { Located } from './policy-config.ts';
import { bool, choice, field, list, object, parsed, type Shape, text, wrong } from './shape.ts';
import { shareTokenRefusal } from './share-token.ts';

const NAME_FORM = '1 to 64 letters, digits, _ . or -';
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const named64 = { form: NAME_FORM, fits: (key: string) => NAME.test(key) };
const roleName = located(text({ form: `the name of a role (${NAME_FORM})`, pattern: NAME }));

const glob = parsed<string>('a pattern', (value) => {
  const refused = globProblem(value);
  return refused === undefined ? value : { refused: 'a pattern', hint: refused };
});
const globs = list(glob);
/** Without a value it would say nothing, where it was meant to restrict. */
const never = { neverEmpty: true } as const;

const selectionFields = {
  backend: field(located(glob), 'a backend', never),
  backends: field(list(located(glob)), 'backends', never),
  tools: field(globs, "patterns on the backend's own tool names", never),
  prompts: field(globs, "patterns on the backend's own prompt names", never),
  resources: field(globs, "patterns on the backend's own URIs", never),
  methods: field(globs, 'patterns on other requests', never),
};
const selection = object(selectionFields);
export type RawSelection = ValueOf<typeof selection>;

const effect = object(
  {
    ...selectionFields,
    args: field(members, 'what the arguments must be', never),
    additional: field(choice(['allow', 'deny']), 'arguments that args does not name', { default: 'deny' }),
    when: field(located(text({ form: 'an expression (CEL)' })), 'a condition', never),
  },
  { elsewhere: { enforce: 'the rule, beside allow or deny', id: 'the rule, beside allow or deny' } },
);
export type RawEffect = ValueOf<typeof effect>;

const RULE_FORM = 'a rule: { allow: … } or { deny: … }';
const ruleObject = object(
  {
    allow: field(effect, 'what it lets through', never),
    deny: field(effect, 'what it refuses, whatever others allow', never),
    enforce: field(bool(), 'false: only recorded', { default: 'true' }),
    id: field(text({ form: NAME_FORM, pattern: NAME }), 'what the record calls it', { default: 'its number' }),
  },
  { elsewhere: Object.fromEntries(Object.keys(effect.fields ?? {}).map((key) => [key, 'allow or deny'])) },
);
export type RawRule = ValueOf<typeof ruleObject>;

const rule: Shape<RawRule> = {
  form: RULE_FORM,
  read: (node, spot, reading) =>
    node.kind === 'map' ? ruleObject.read(node, spot, reading) : wrong(node, spot, RULE_FORM, reading),
};

export const rolesShape = named(named64, list(rule), 'a mapping of roles to lists of rules');
export type RawRoles = ValueOf<typeof rolesShape>;

/** As the proofs and tokens of docs/WIRE.md name somebody; groups of theirs; everybody of a kind. */
const SUBJECT =
  /^(?:owner|network|unproven|group:\S.{0,254}|ziti:[A-Za-z0-9._-]{1,64}|spiffe:\/\/[a-z0-9._-]{1,255}\/[\x21-\x7e]+|x509:.+|token:[\x21-\x7e]{1,256}|jwt:[\x21-\x7e]+#.+)$/;
const NICKNAME = /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/;
const subject = text({
  form: 'a principal id (ziti:…, spiffe://…, x509:…, token:…, jwt:…), group:NAME, owner, network or unproven',
  pattern: SUBJECT,
  hint: 'as mcp-gateway peers and mcp-tools status show it',
});

export function isSubject(key: string): boolean {
  return SUBJECT.test(key);
}

const identityObject = object({
  is: field(list(subject), 'who that is: any one of them', never),
  roles: field(list(roleName), 'its roles', { required: true }),
});

export interface RawIdentity {
  readonly is: readonly string[] | undefined;
  readonly roles: readonly Located<string>[];
}

const IDENTITY_FORM = 'a list of roles, or { is, roles }';
const identity: Shape<RawIdentity> = {
  form: IDENTITY_FORM,
  read: (node, spot: Spot, reading) => {
    if (node.kind === 'list') return { is: undefined, roles: list(roleName).read(node, spot, reading) ?? [] };
    if (node.kind !== 'map') return wrong(node, spot, IDENTITY_FORM, reading);
    const raw = identityObject.read(node, spot, reading);
    return raw && { is: raw.is, roles: raw.roles ?? [] };
  },
};

export const identitiesShape = named(
  {
    form: 'a nickname, a principal id, group:NAME, owner, network or unproven',
    fits: (key) => NICKNAME.test(key) || isSubject(key),
  },
  identity,
  `a mapping of who to ${IDENTITY_FORM}`,
);
export type RawIdentities = ValueOf<typeof identitiesShape>;

const view = object({
  roles: field(list(roleName), 'roles that see no more than this', never),
  show: field(list(selection), 'what is shown', { required: true, ...never }),
  share: field(
    object({
      token: field(
        parsed<string>('a share token', (value) => shareTokenRefusal(value) ?? value),
        'a share made with mcp-tools create',
        { required: true },
      ),
    }),
    'a share of its own',
    never,
  ),
});
export type RawView = ValueOf<typeof view>;

export const viewsShape = named(named64, view, 'a mapping of names to { roles, show, share }');
export type RawViews = ValueOf<typeof viewsShape>;

type ValueOf<S> = S extends Shape<infer T> ? T : never;
