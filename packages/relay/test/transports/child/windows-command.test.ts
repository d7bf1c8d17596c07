// No Windows here: what is tested is the pure part, look-up and escaping, against known good command lines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windowsCommand } from '../../../src/transports/child/windows-command.ts';

const ENV = { Path: 'C:\\a;C:\\node\\', PATHEXT: '.COM;.EXE;.BAT;.CMD', ComSpec: 'C:\\Windows\\cmd.exe' };
const there =
  (...files: string[]) =>
  (file: string) =>
    files.includes(file);

test('a program is started directly with its arguments untouched', () => {
  const found = windowsCommand('node', ['a b', '"'], ENV, there('C:\\node\\node.EXE'));
  assert.deepEqual(found, { command: 'C:\\node\\node.EXE', args: ['a b', '"'], verbatim: false });
});

test('a batch file such as npx goes through cmd.exe with every argument escaped twice', () => {
  const found = windowsCommand('npx', ['-y', 'a b', '%PATH%', '&calc'], ENV, there('C:\\node\\npx.CMD'));
  assert.equal(found.command, 'C:\\Windows\\cmd.exe');
  assert.equal(found.verbatim, true);
  assert.deepEqual(found.args.slice(0, 3), ['/d', '/s', '/c']);
  const line = found.args[3] ?? '';
  assert.match(line, /^"C:\\node\\npx\.CMD /);
  assert.ok(line.includes('^^^"a^^^ b^^^"'), line);
  assert.ok(line.includes('^^^%PATH^^^%'), line);
  assert.doesNotMatch(line, /[^^]&/);
});

test('quotes and backslashes before them are doubled as the C runtime reads them', () => {
  const line = windowsCommand('x.bat', ['a\\"b', 'end\\'], ENV, there('C:\\a\\x.bat')).args[3] ?? '';
  assert.ok(line.replaceAll('^', '').includes('"a\\\\\\"b" "end\\\\"'), line);
});

test('a command nobody finds is left to the system to refuse', () => {
  assert.deepEqual(windowsCommand('nope', [], ENV, there()), { command: 'nope', args: [], verbatim: false });
});
