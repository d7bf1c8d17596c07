// The index stays small whatever is asked, and what it lets go of is unknown, never new.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ONCE_LIMITS } from '../../src/index.ts';
import { Book, type Entry } from '../../src/once/book.ts';

const LIMITS = { outcomesPerSession: 4, outcomes: 10, sessions: 3, endedSessions: 2 };
const FILE = 'one';
const end = (state: 'done' | 'unknown' = 'done', file = FILE): Entry<string> => {
  return { state, digest: 7, file, from: 0, length: 1, checksum: 0 };
};
const done = (book: Book<string>, session: string, ...numbers: number[]): void => {
  for (const number of numbers) book.settled({ session, number }, end());
};
const look = (book: Book<string>, session: string, number: number) => {
  const found = book.look({ session, number });
  return typeof found === 'string' ? found : found.state;
};

test('of one session the newest outcomes are kept, whatever their numbers; older ones are not kept any more', () => {
  const book = new Book<string>(LIMITS);
  book.started({ session: 'a', number: 1 }, FILE, 7);
  done(book, 'a', 2, 3, 4, 5, 6);
  assert.deepEqual(
    [2, 3, 4, 5, 6, 7].map((number) => look(book, 'a', number)),
    ['not kept', 'not kept', 'done', 'done', 'done', 'new'],
  );
  // It ran all the while.
  assert.equal(look(book, 'a', 1), 'started');
  done(book, 'a', 1, 7);
  assert.deepEqual([look(book, 'a', 1), look(book, 'a', 4)], ['done', 'not kept']);
});

test('of all sessions together the quietest lose theirs first', () => {
  const book = new Book<string>(LIMITS);
  for (const session of ['a', 'b', 'c']) done(book, session, 1, 2, 3, 4);
  assert.ok(book.outcomes <= LIMITS.outcomes);
  assert.equal(look(book, 'a', 1), 'not kept');
  assert.equal(look(book, 'c', 4), 'done');
});

test('the session that was quiet longest is forgotten, and so are those that ended longest ago', () => {
  const book = new Book<string>(LIMITS);
  for (const session of ['a', 'b', 'c']) done(book, session, 5);
  done(book, 'a', 6);
  done(book, 'd', 1);
  assert.equal(book.sessions, LIMITS.sessions);
  assert.deepEqual([look(book, 'b', 5), look(book, 'a', 5)], ['new', 'done']);
  for (const session of ['a', 'c', 'd']) book.end(session);
  assert.equal(book.outcomes, 0);
  assert.deepEqual([look(book, 'a', 5), look(book, 'c', 5), look(book, 'c', 6)], ['new', 'not kept', 'new']);
});

test('floors are written somewhere as long as they are needed', () => {
  const book = new Book<string>(LIMITS);
  done(book, 'a', 1, 2);
  done(book, 'b', 9);
  assert.deepEqual(book.drop(FILE), [
    { session: 'a', floor: 2 },
    { session: 'b', floor: 9 },
  ]);
  book.raise('a', 2, 'two');
  book.raise('b', 9, 'two');
  assert.deepEqual(book.drop('three'), []);
  book.settled({ session: 'a', number: 3 }, end('done', 'three'));
  assert.deepEqual(book.drop('two'), [
    { session: 'b', floor: 9 },
    { session: 'a', floor: 2 },
  ]);
});

test('an outcome is never replaced, neither by a start nor by what is not known', () => {
  const book = new Book<string>(LIMITS);
  done(book, 'a', 1);
  book.started({ session: 'a', number: 1 }, FILE, 7);
  book.settled({ session: 'a', number: 1 }, end('unknown'));
  book.notRun({ session: 'a', number: 1 });
  book.lose(FILE);
  assert.equal(look(book, 'a', 1), 'done');
});

test('whatever comes, no known number is new again while its session is known, and the counts hold', () => {
  const act = fc.record({
    do: fc.constantFrom('start', 'done', 'unknown', 'lose', 'drop'),
    session: fc.constantFrom('a', 'b', 'c'),
    number: fc.integer({ min: 1, max: 12 }),
    file: fc.constantFrom('one', 'two'),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
      const book = new Book<string>(LIMITS);
      const told = new Set<string>();
      for (const { do: what, session, number, file } of acts) {
        if (what === 'lose') book.lose(file);
        else if (what === 'drop') for (const { session, floor } of book.drop(file)) book.raise(session, floor, 'three');
        else {
          if (what === 'start') book.started({ session, number }, file, 7);
          else book.settled({ session, number }, end(what === 'done' ? 'done' : 'unknown', file));
          told.add(`${session} ${number}`);
        }
        let entries = 0;
        for (const session of ['a', 'b', 'c']) {
          for (let number = 1; number <= 12; number += 1) {
            const is = look(book, session, number);
            if (told.has(`${session} ${number}`)) assert.notEqual(is, 'new');
            if (is !== 'new' && is !== 'not kept') entries += 1;
          }
        }
        assert.equal(book.outcomes, entries);
      }
    }),
  );
});

test('a session may have more open and on their way than its client can have open', () => {
  assert.ok(ONCE_LIMITS.outcomesPerSession > 256 + 1024);
});
