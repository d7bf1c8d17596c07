import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT, exitCodeOf, UsageError } from '../src/index.ts';

const index = fileURLToPath(new URL('../src/index.ts', import.meta.url));

/** Runs a line of a program of its own, which has the package under `cli`. */
function program(line: string): { code: number | null; stdout: string; stderr: string } {
  const text = `import * as cli from ${JSON.stringify(index)};\n${line}`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', text];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

test('exit codes: by code, by the error itself, else failed', () => {
  assert.equal(exitCodeOf(new UsageError('x')), EXIT.usage);
  assert.equal(exitCodeOf({ code: 'share_unknown' }), EXIT.unreachable);
  assert.equal(exitCodeOf({ code: 'link_refused' }), EXIT.refused);
  assert.equal(exitCodeOf({ code: 'link_unavailable' }), EXIT.unreachable);
  assert.equal(exitCodeOf({ code: 'EACCES' }), EXIT.failed);
  assert.equal(exitCodeOf({ code: 'share_unknown', exitCode: 3 }), EXIT.refused);
  assert.equal(exitCodeOf(undefined), EXIT.failed);
});

test('an error with a code is one line and its hint; one without is a fault of ours and shows its stack', () => {
  const known = program(
    "process.exitCode = cli.report('p', Object.assign(new Error('it broke'), { code: 'share_unknown', hint: 'a\\nb' }));",
  );
  assert.deepEqual(known, { code: 4, stdout: '', stderr: 'p: it broke (share_unknown)\n  a\n  b\n' });
  const ours = program("process.exitCode = cli.report('p', new TypeError('no such thing'));");
  assert.equal(ours.code, 1);
  assert.match(ours.stderr, /^p: TypeError: no such thing\n +at /);
});

test('a program runs its command and takes its exit code; a throwing one is reported', () => {
  const run = (body: string, ...argv: string[]) =>
    program(
      `await cli.main({ name: 'p', describe: 'd', commands: [{ usage: 'go [word]', describe: 'goes', run: async (flags) => { ${body} } }] }, ${JSON.stringify(argv)});`,
    );
  assert.deepEqual(run('cli.announce({ word: flags.word }); return 3;', 'go', '08'), {
    code: 3,
    stdout: '{"word":"08"}\n',
    stderr: '',
  });
  assert.deepEqual(run("throw new cli.UsageError('not so', 'so');", 'go'), {
    code: 2,
    stdout: '',
    stderr: 'p: not so (usage)\n  so\n',
  });
  assert.deepEqual(run('return 0;', 'og').code, 2);
});

test('a table: columns as wide as their widest cell, no trailing blanks', () => {
  const { stdout } = program("cli.printTable(['name', 'why'], [['a', 'long enough'], ['longer', '']]);");
  assert.equal(stdout, 'NAME    WHY\na       long enough\nlonger\n');
});

test('what a server wrote cannot steer the terminal: neither in a table nor in a sentence', () => {
  const bad = 'a\\u001b[31mb\\u202ec\\r\\nd\\u0007';
  const { stdout, stderr } = program(`cli.printTable(['name'], [['${bad}']]); cli.say('p: ${bad}', 'one\\ntwo');`);
  assert.equal(stdout, 'NAME\na<U+001B>[31mb<U+202E>c<U+000D> d<U+0007>\n');
  assert.equal(stderr, 'p: a<U+001B>[31mb<U+202E>c<U+000D>\nd<U+0007>\n  one\n  two\n');
});

test('the end: a signal, or what was lost; a second SIGINT ends at once', () => {
  const lost = program(
    "const end = cli.endSignal(); end.lost(new Error('socket gone')); console.log((await end.ended).message, end.signal.aborted);",
  );
  assert.equal(lost.stdout, 'socket gone true\n');
  const told = program(
    "const end = cli.endSignal(); const open = setInterval(() => {}, 1000); process.kill(process.pid, 'SIGTERM'); console.log(await end.ended); clearInterval(open);",
  );
  assert.equal(told.stdout, 'undefined\n');
  const twice = program(
    "const end = cli.endSignal(); setInterval(() => {}, 1000); process.kill(process.pid, 'SIGINT'); await end.ended; process.kill(process.pid, 'SIGINT');",
  );
  assert.equal(twice.code, 130);
});
