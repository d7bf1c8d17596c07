// The public names of @mcp-overlay/config, one by one.

export {
  ALARM_RULES,
  type AlarmRule,
  type AlarmsConfig,
  DEFAULT_ALARMS,
  type DecoyConfig,
  type HoursConfig,
  type LoopConfig,
  type WindowConfig,
} from './alarms-config.ts';
export { parseBridgeEnv } from './bridge-env.ts';
export type {
  AggregatorConfig,
  AuditConfig,
  BackendConfig,
  GatewayConfig,
  HttpConfig,
  InjectConfig,
  Injected,
  IssuerConfig,
  LimitsConfig,
  OnceConfig,
  OverlayName,
  OwnSecrets,
  PerIdentityConfig,
  PinsConfig,
  ReloadConfig,
  ScrubConfig,
  ScrubOverride,
  ShareConfig,
  ShareTransportConfig,
  StdioConfig,
  TokensConfig,
  ToolFilterConfig,
  TransportConfig,
  VaultConfig,
} from './config.ts';
export { DEFAULTS } from './config.ts';
export { describeBackends, quoteWord } from './describe.ts';
export { configReference, type DocumentedKey, documentedKeys, REGENERATE } from './doc.ts';
export {
  CONFIG_ERROR_CODES,
  ConfigError,
  type ConfigErrorCode,
  type ConfigNote,
  type ConfigProblem,
  type NoteKind,
  openReport,
  type Report,
  type Spot,
  WHOLE_FILE,
} from './errors.ts';
export { compileGlob } from './glob.ts';
export type { AllowanceConfig, AllowancesConfig, IdentityAllowance, ToolAllowance } from './limits-config.ts';
export { loadGatewayConfig, readConfigText } from './load.ts';
export { type ParsedConfig, type ParseOptions, parseGatewayConfig } from './parse.ts';
export { loadPatternFile, type PatternEntry, parsePatternFile, patternError } from './pattern-file.ts';
export { type PolicyCase, type PolicyCases, parsePolicyCases } from './policy-cases.ts';
export type {
  ArgConfig,
  ArgsConfig,
  IdentityConfig,
  Located,
  PolicyConfig,
  RuleConfig,
  Scalar,
  Selection,
  SqlConfig,
  SqlStatement,
  ViewConfig,
} from './policy-config.ts';
export { SCRUB_SURFACES, type ScrubMode, type ScrubSurface } from './scrub-shape.ts';
export { type AccessReader, accessFromFlags, accessReader } from './secret/access.ts';
export { type ComposeOptions, composeAll, type Place } from './secret/compose.ts';
export { SECRET_ERROR_CODES, SecretError, type SecretErrorCode } from './secret/errors.ts';
export type { Keyring, LoadKeyring } from './secret/keyring.ts';
export {
  IDENTITY,
  namesIdentity,
  parseSecretReference,
  SECRET_REFERENCE_FORM,
  type SecretReference,
  VAULT_NAME,
} from './secret/reference.ts';
export { type ResolveOptions, resolveSecret } from './secret/resolve.ts';
export { SecretString } from './secret/secret-string.ts';
export { type ConfiguredText, referencesIn, type SecretText } from './secret/text.ts';
export { MAX_VAULT_BYTES, Vault, type VaultEntry, type VaultOptions } from './secret/vault.ts';
export { looksSecret } from './secrets.ts';
export { type Changer, changeableBy } from './tamper.ts';
export { DURATION_FORM, LIFETIME_FORM, parseDuration, parseLifetime } from './units.ts';
