// SQL that only does what the rule allows, told by PostgreSQL's own parser. Nothing is repaired: what the parser does not
// understand, or a database might understand otherwise, is refused. The role it runs under stays the real boundary.

import type { SqlConfig } from '@mcp-overlay/config';
import { judgeStatement, SqlRefusal } from '../sql/judge.ts';
import type { SqlParser } from '../sql/parser.ts';
import { type Matcher, type Misfit, ofText } from './matcher.ts';

export function sqlMatcher(config: SqlConfig, parser: SqlParser): Matcher {
  const { single, maxBytes } = config;
  return ofText('SQL as a text', (text): Misfit | undefined => {
    if (Buffer.byteLength(text) > maxBytes) return { expected: `SQL of at most ${maxBytes} bytes`, broken: true };
    // The parser stops at NUL, a database may not.
    if (/(?![\t\n\r])[\p{Cc}\p{Cs}]/u.test(text)) return broken('SQL without control characters');
    if (text.normalize('NFC') !== text) return broken('SQL in Unicode form NFC');
    const parsed = parser.parse(text);
    if ('refused' in parsed) {
      return broken(parsed.refused === 'wrong' ? 'SQL that PostgreSQL understands' : 'SQL that can be parsed');
    }
    const { statements } = parsed;
    if (statements.length === 0 || (single && statements.length > 1))
      return broken(single ? 'one statement' : 'a statement');
    try {
      for (const statement of statements) judgeStatement(statement, config);
      return undefined;
    } catch (error) {
      if (error instanceof SqlRefusal) return { expected: `SQL with ${error.message}` };
      throw error;
    }
  });
}

function broken(expected: string): Misfit {
  return { expected, broken: true };
}
