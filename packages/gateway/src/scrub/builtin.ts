// Rules that are code: what a pattern cannot say. They are configured by their ids like those of pattern files.

import type { RuleInfo } from './pattern.ts';

const rule = (
  id: string,
  severity: RuleInfo['severity'],
  description: string,
  mode: RuleInfo['mode'] = 'flag',
): RuleInfo => ({
  id,
  severity,
  description,
  mode,
});

export const BUILTIN_RULES: readonly RuleInfo[] = [
  rule('invisible-tags', 'high', 'Text in tag characters, which nobody sees'),
  rule('invisible-selectors', 'high', 'Bytes in a run of variation selectors, which nobody sees'),
  rule('invisible-zero-width', 'low', 'Zero-width characters inside or between words'),
  rule('invisible-bidi', 'medium', 'Reading direction turned around'),
  rule('terminal-escape', 'medium', 'A sequence that steers a terminal (colours are none)'),
  rule('mixed-script', 'medium', 'A word of ASCII letters with look-alikes of another script'),
  rule('spaced-letters', 'medium', 'A telling word, written letter by letter'),
  rule('link-exfil', 'high', 'A link or image that carries data to its host'),
  rule('link-outside', 'low', 'A link or image with a query to a host outside scrub.hosts'),
  rule('link-script', 'high', 'A link that runs a script'),
  rule('media-type', 'low', 'Image or audio whose content is not what its MIME type says'),
  rule('media-size', 'low', 'Image, audio or blob over 8 MiB'),
  rule('unscanned', 'low', 'Looked through only in part: too long, or too much in it'),
];

/** What a word written letter by letter must hold to be told. */
export const TELLING =
  /ignore|disregard|override|instruction|systemprompt|password|jailbreak|bypass|secret|forget|exfiltrat/i;

/** Latin and Cyrillic or Greek in one word, both more than once, or the one between the other. */
export const MIXED_WORD =
  /[a-z][\u0370-\u03ff\u0400-\u04ff][a-z]|[\u0400-\u04ff][a-z]{1,3}[\u0400-\u04ff]|[a-z]{2}[\u0400-\u04ff]|[\u0400-\u04ff][a-z]{3}/iu;
