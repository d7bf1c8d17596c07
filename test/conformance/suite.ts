// The official conformance suite as a program: installed on first use into a folder of its own (it needs a newer Node than
// we do), run against a URL, judged by the failures in the files that it writes. Against a dead port it still counts 29
// checks as passed, so passes prove nothing: every scenario of the set must have left a file, and none a failure.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const SUITE_VERSION = '0.2.0-alpha.12';
const NODE_MAJOR = '22';
const installMs = 180_000;
const cache = fileURLToPath(new URL('./.cache/', import.meta.url));

export interface Suite {
  readonly node: string;
  readonly entry: string;
  readonly requirements: string;
}

export type Installed = { readonly suite: Suite } | { readonly impossible: string };

export interface Failure {
  readonly scenario: string;
  readonly check: string;
  readonly message: string;
}

export interface Verdict {
  /** Scored scenarios of the set, and those of them that left no file. */
  readonly required: number;
  readonly missing: readonly string[];
  readonly failures: readonly Failure[];
  readonly warnings: readonly Failure[];
  /** Failures of scenarios that the set runs without scoring. */
  readonly unscored: readonly Failure[];
  readonly checks: number;
}

/** What the suite writes about one check. */
interface Check {
  readonly id: string;
  readonly status: string;
  readonly description: string;
  readonly errorMessage?: string;
}

interface Requirements {
  readonly server: readonly string[];
}

/** The installed suite, or why it cannot be had: no network is a reason to skip, never one to pass. */
export async function installSuite(): Promise<Installed> {
  const folder = join(cache, `${SUITE_VERSION}-node${NODE_MAJOR}`);
  const suite: Suite = {
    node: join(folder, 'node_modules', 'node', 'bin', 'node'),
    entry: join(folder, 'node_modules', '@modelcontextprotocol', 'conformance', 'dist', 'index.js'),
    requirements: join(folder, 'node_modules', '@modelcontextprotocol', 'conformance', 'requirements'),
  };
  if (existsSync(folder)) return { suite };
  // Installed aside and moved, so that an install that was cut off is never taken for a whole one.
  await mkdir(cache, { recursive: true });
  const aside = await mkdtemp(join(cache, 'install-'));
  try {
    await writeFile(join(aside, 'package.json'), '{"private":true}\n');
    const wanted = [`node@${NODE_MAJOR}`, `@modelcontextprotocol/conformance@${SUITE_VERSION}`];
    // The package node fetches its binary in an install script.
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts=false', '--prefix', aside, ...wanted];
    const install = await runProgram('npm', args, installMs);
    if (install.code !== 0) return { impossible: `npm install failed: ${lastLines(install.output)}` };
    const version = await runProgram(join(aside, 'node_modules', 'node', 'bin', 'node'), ['--version'], 10_000);
    if (!version.output.startsWith(`v${NODE_MAJOR}.`)) {
      return { impossible: `node ${NODE_MAJOR} does not start: ${lastLines(version.output)}` };
    }
    await rename(aside, folder).catch((error: unknown) => {
      // Another test file was faster.
      if (!existsSync(folder)) throw error;
    });
    return { suite };
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

export async function runSuite(suite: Suite, url: string, revision: string): Promise<Verdict> {
  const out = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    const args = [suite.entry, 'server', '--url', url, '--requirements', revision, '-o', out];
    const { code, output } = await runProgram(suite.node, args, 240_000);
    if (code === null) throw new Error(`the conformance suite did not end in time: ${lastLines(output)}`);
    const text = await readFile(join(suite.requirements, `${revision}.yaml`), 'utf8');
    return await judge(out, (parse(text) as Requirements).server);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

export interface ClientVerdict {
  readonly failures: readonly Failure[];
  readonly warnings: readonly Failure[];
  /** Ids of the checks that passed, sorted, each once. */
  readonly passed: readonly string[];
  /** What the client said, when it did not come through. */
  readonly output: string;
}

/** `command` gets the URL of the suite's server appended. */
export async function runClientScenario(
  suite: Suite,
  command: string,
  scenario: string,
  revision: string,
): Promise<ClientVerdict> {
  const out = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    const flags = ['--scenario', scenario, '--spec-version', revision, '--timeout', '60000', '-o', out];
    const args = [suite.entry, 'client', '--command', command, ...flags];
    const { code, output } = await runProgram(suite.node, args, 90_000);
    if (code === null) throw new Error(`the conformance suite did not end in time: ${lastLines(output)}`);
    const [folder] = await readdir(out);
    if (folder === undefined) throw new Error(`the conformance suite wrote nothing: ${lastLines(output)}`);
    const written = JSON.parse(await readFile(join(out, folder, 'checks.json'), 'utf8')) as Check[];
    const of = (status: string): Failure[] =>
      written
        .filter((check) => check.status === status)
        .map((check) => ({ scenario, check: check.id, message: check.errorMessage ?? check.description }));
    const passed = [...new Set(of('SUCCESS').map(({ check }) => check))].toSorted();
    return { failures: of('FAILURE'), warnings: of('WARNING'), passed, output };
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

async function judge(out: string, required: readonly string[]): Promise<Verdict> {
  const failures: Failure[] = [];
  const warnings: Failure[] = [];
  const unscored: Failure[] = [];
  const seen = new Set<string>();
  let checks = 0;
  for (const folder of await readdir(out)) {
    // server-<scenario>-<time, as an ISO date with dashes for the colons and the point>
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(folder)?.[1];
    if (scenario === undefined) continue;
    const scored = required.includes(scenario);
    const written = JSON.parse(await readFile(join(out, folder, 'checks.json'), 'utf8')) as Check[];
    if (written.length > 0) seen.add(scenario);
    for (const check of written) {
      if (scored) checks += 1;
      const said = { scenario, check: check.id, message: check.errorMessage ?? check.description };
      if (check.status === 'FAILURE') (scored ? failures : unscored).push(said);
      else if (check.status === 'WARNING' && scored) warnings.push(said);
    }
  }
  const missing = required.filter((scenario) => !seen.has(scenario));
  return { required: required.length, missing, failures, warnings, unscored, checks };
}

async function runProgram(
  command: string,
  args: readonly string[],
  limitMs: number,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-64 * 1024);
    });
  }
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  } catch (error) {
    return { code: 1, output: error instanceof Error ? error.message : String(error) };
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join(' | ');
}
