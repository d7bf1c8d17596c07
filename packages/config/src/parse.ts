// Text to a GatewayConfig: which of the formats it is, then the one schema. Pure: variables, folders and the file's name
// are arguments, nothing is read or started. Throws ConfigError and nothing else.

import { userInfo } from 'node:os';
import { basename, dirname, isAbsolute, resolve } from 'node:path';
import { buildGateway } from './build.ts';
import type { GatewayConfig } from './config.ts';
import { ConfigError, type ConfigNote, openReport, type Report, type Spot } from './errors.ts';
import { type Environment, expander, foreignExpander } from './expand.ts';
import { buildFromServers, findServers } from './mcp-servers.ts';
import type { MapNode, Node } from './node.ts';
import { gatewayShape } from './schema.ts';
import { type Reading, rootSpot, wrong } from './shape.ts';
import { parseSource } from './source.ts';

export interface ParseOptions {
  /** As the user named it: shown in messages, and its folder is where relative paths begin. */
  readonly file: string;
  readonly env: Environment;
  /** Where the program was started: a relative `file` begins there. */
  readonly cwd: string;
}

export interface ParsedConfig {
  readonly config: GatewayConfig;
  /** What a person should know before anything runs, in file order. */
  readonly notes: readonly ConfigNote[];
}

export function parseGatewayConfig(text: string, options: ParseOptions): ParsedConfig {
  const report = openReport(options.file);
  const root = parseSource(text, options.file, report);
  const config = root === undefined ? undefined : build(root, options, report);
  report.end();
  // Unreachable: whoever returns nothing has reported why.
  if (!config)
    throw new ConfigError(options.file, [{ line: 0, col: 0, key: '', expected: 'cannot be read', text: options.file }]);
  return { config, notes: report.notes() };
}

/** Keys that only the Go original's files have at the top, and keys that only ours have. */
const ORIGINAL_KEYS = ['share_token', 'orchestrator', 'log_file'];
const OUR_KEYS = [
  'share',
  'limits',
  'roles',
  'identities',
  'views',
  'enforce',
  'audit',
  'secrets',
  'pins',
  'scrub',
  'reload',
];
/** Folders of a project in which clients keep their files: paths begin beside them. */
const CLIENT_FOLDERS = new Set(['.vscode', '.cursor', '.gemini', '.claude', '.roo', '.kiro', '.amazonq']);

function build(root: Node, { file, env, cwd }: ParseOptions, report: Report): GatewayConfig | undefined {
  const path = resolve(cwd, file);
  const home = homeOf(env);
  const found = findServers(root);
  const folder = dirname(path);
  if (found && root.kind === 'map') {
    const workspace = CLIENT_FOLDERS.has(basename(folder)) ? dirname(folder) : folder;
    const expanding = (to: Report) => foreignExpander(env, { home, workspace }, to);
    return buildFromServers(root, found, path, readingOf('mcp-servers', workspace, home, expanding, report));
  }
  const format = root.kind === 'map' && isOriginal(root) ? 'original' : 'ours';
  const reading = readingOf(format, folder, home, (to) => expander(env, to), report);
  if (root.kind !== 'map') return wrong(root, rootSpot(root.at), 'a mapping with backends, or mcpServers', reading);
  const raw = gatewayShape.read(root, rootSpot(root.at), reading);
  return raw && buildGateway(raw, path, reading);
}

/** Empty: HOME says nothing and the user database does not know us (a container that runs us under any number). */
function homeOf({ HOME }: Environment): string {
  if (HOME !== undefined && isAbsolute(HOME)) return HOME;
  try {
    return userInfo().homedir;
  } catch {
    return '';
  }
}

function isOriginal(root: MapNode): boolean {
  const has = (key: string): boolean => root.entries.has(key);
  return ORIGINAL_KEYS.some(has) && !OUR_KEYS.some(has);
}

function readingOf(
  format: GatewayConfig['format'],
  folder: string,
  home: string,
  expanding: (report: Report) => Reading['expand'],
  report: Report,
): Reading {
  const path = (text: string, spot: Spot): string | undefined => {
    if (text === '~' || text.startsWith('~/')) {
      if (home !== '') return resolve(home, text.slice(2));
      report.problem(spot, 'expected a full path: this user has no home folder', 'or set HOME');
      return undefined;
    }
    if (text.startsWith('~')) {
      report.problem(spot, 'expected ~/ or a full path: other people’s home folders are not looked up');
      return undefined;
    }
    if (format === 'original' && !isAbsolute(text)) {
      report.note(spot, 'differs', 'is relative to this file (the Go original: to where it is started)');
    }
    return resolve(folder, text);
  };
  // What a lenient expansion finds missing goes into a report that nobody reads.
  return { format, report, path, expand: expanding(report), expandLeniently: expanding(openReport('')) };
}
