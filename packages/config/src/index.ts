// The public names of @mcp-overlay/config, one by one.
export { parseBridgeEnv } from './bridge-env.ts';
export type {
  AggregatorConfig,
  AuditConfig,
  BackendConfig,
  GatewayConfig,
  HttpConfig,
  LimitsConfig,
  OverlayName,
  ShareConfig,
  ShareTransportConfig,
  StdioConfig,
  ToolFilterConfig,
  TransportConfig,
} from './config.ts';
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
} from './errors.ts';
export { compileGlob } from './glob.ts';
export { loadGatewayConfig, readConfigText } from './load.ts';
export { type ParsedConfig, type ParseOptions, parseGatewayConfig } from './parse.ts';
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
export { parseSecretReference, SECRET_REFERENCE_FORM, type SecretReference } from './secret/reference.ts';
export { type ResolveOptions, resolveSecret, SECRET_ERROR_CODES, SecretError } from './secret/resolve.ts';
export { SecretString } from './secret/secret-string.ts';
