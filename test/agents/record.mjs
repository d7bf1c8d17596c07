// Between an agent and the program that it starts: `record.mjs <file> <command> …` passes everything and writes what the
// agent says into the file.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';

const [file, command, ...args] = process.argv.slice(2);
const copy = createWriteStream(file, { flags: 'a' });
const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] });
process.stdin.on('data', (chunk) => copy.write(chunk)).pipe(child.stdin);
child.stdin.on('error', () => {});
child.on('close', (code) => copy.end(() => process.exit(code ?? 1)));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
