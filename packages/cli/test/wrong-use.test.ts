import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nearest } from '../src/nearest.ts';
import { UsageError } from '../src/report.ts';
import { refuseWrongUse, type Typed, wrongUse } from '../src/wrong-use.ts';

const TYPED: Typed = {
  program: 'mcp-tools',
  usage: 'run <token>',
  commands: ['run', 'http', 'create'],
  options: ['help', 'overlay', 'log-level', 'allow-origin'],
  repeatable: new Set(['allow-origin']),
  parsed: { _: ['run'], token: 'x', overlay: 'local', 'log-level': 'info', logLevel: 'info' },
  words: 'none',
};

function refusal(more: Partial<Typed>): { text: string; hint: string | undefined } | undefined {
  try {
    refuseWrongUse({ ...TYPED, ...more });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return { text: error.message, hint: error.hint };
  }
}

test('what is right passes', () => {
  assert.equal(refusal({}), undefined);
  assert.equal(
    refusal({ parsed: { ...TYPED.parsed, 'allow-origin': ['a', 'b'], allowOrigin: ['a', 'b'] } }),
    undefined,
  );
  assert.equal(refusal({ parsed: { ...TYPED.parsed, _: ['any', 'words', 'at all'] }, words: 'any' }), undefined);
});

test('an unknown option is named as it was typed, with the nearest one', () => {
  const parsed = (name: string, camel = name) => ({ ...TYPED.parsed, [name]: true, [camel]: true });
  assert.deepEqual(refusal({ parsed: parsed('log-levle', 'logLevle') }), {
    text: 'unknown option --log-levle',
    hint: 'did you mean --log-level?',
  });
  assert.deepEqual(refusal({ parsed: parsed('quiet') }), {
    text: 'unknown option --quiet',
    hint: 'mcp-tools run --help shows how',
  });
  assert.equal(refusal({ parsed: parsed('v') })?.text, 'unknown option -v');
});

test('a word too many, an option too often, a command that is none', () => {
  assert.deepEqual(refusal({ parsed: { ...TYPED.parsed, _: ['run', 'y'] } }), {
    text: 'run: y is one word too many',
    hint: 'mcp-tools run TOKEN',
  });
  assert.equal(
    refusal({ parsed: { ...TYPED.parsed, overlay: ['a', 'b'] } })?.text,
    '--overlay is given more than once',
  );
  const none = { usage: undefined, words: 'command' } as const;
  assert.deepEqual(refusal({ ...none, parsed: { _: ['htpt'] } }), {
    text: 'unknown command htpt',
    hint: 'did you mean mcp-tools http?',
  });
  assert.deepEqual(refusal({ ...none, parsed: { _: [] } }), {
    text: 'name a command',
    hint: 'one of run, http, create; mcp-tools --help shows how',
  });
});

test("yargs' sentences become ours; one that is not known is passed on in our voice", () => {
  const says = (message: string) => {
    const { message: text, hint } = wrongUse(message, TYPED);
    return [text, hint];
  };
  const choices = 'Invalid values:\n  Argument: overlay, Given: "locla", Choices: "local", "zrok", "ziti"';
  assert.deepEqual(says(choices), ['--overlay locla: expected local, zrok or ziti', 'did you mean local?']);
  assert.deepEqual(says('Not enough arguments following: overlay'), [
    '--overlay needs a value',
    'mcp-tools run --help shows how',
  ]);
  assert.deepEqual(says('Not enough non-option arguments: got 0, need at least 1'), [
    'run: TOKEN is missing',
    'mcp-tools run TOKEN',
  ]);
  assert.deepEqual(says('Something New Of Yargs\nmore'), ['something New Of Yargs', 'mcp-tools run --help shows how']);
});

test('the nearest word is one slip away, and nobody is sent far', () => {
  const known = ['run', 'http', 'create', 'delete', 'list', 'status'];
  for (const word of ['rnu', 'ru', 'runn', 'Run']) assert.equal(nearest(word, known), 'run', word);
  assert.equal(nearest('creat', known), 'create');
  assert.equal(nearest('delte', known), 'delete');
  for (const word of ['frobnicate', 'x'.repeat(41), '']) assert.equal(nearest(word, known), undefined, word);
});

test('a known word is its own nearest, whatever stands beside it', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1 }), fc.nat(), (words, n) => {
      const word = words[n % words.length] ?? '';
      assert.equal(nearest(word, words)?.toLowerCase(), word.toLowerCase());
    }),
  );
});
