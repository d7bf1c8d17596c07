// Writes docs/CONFIG.md from the schema of the configuration: node --import tsx scripts/config-doc.mjs
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configReference } from '../packages/config/src/index.ts';
import { root } from './ensure.mjs';

writeFileSync(join(root, 'docs', 'CONFIG.md'), configReference());
