// Imported before everything else, for its effect. A terminal can stand in a folder that was deleted meanwhile; then
// process.cwd() throws, in yargs while it is loaded. There is no other folder to take: a server given `.` would serve it.

import { say } from './announce.ts';
import { EXIT } from './exit-codes.ts';

try {
  process.cwd();
} catch {
  say('the folder in which this was started is gone (usage)', 'cd to another one');
  process.exit(EXIT.usage);
}
