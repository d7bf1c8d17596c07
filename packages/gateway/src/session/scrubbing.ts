// How a session gets what looks through its texts, and what a server hears whose question is withheld.

import { errorMessage, type Message } from '@mcp-overlay/relay';
import { SessionScrub } from '../scrub/session-scrub.ts';
import type { SessionOriginInfo, SessionSettings } from './settings.ts';

export function scrubFor(settings: SessionSettings, info: SessionOriginInfo): SessionScrub | undefined {
  const { scrubber, scrubHits } = settings;
  return scrubber && new SessionScrub(scrubber, scrubHits?.(info) ?? (() => {}));
}

export function withheldQuestion(question: Message): Message {
  const text = 'the gateway did not pass this question on: its operator blocks what was found in it';
  return errorMessage(question.id ?? 'null', 'withheld', text);
}
