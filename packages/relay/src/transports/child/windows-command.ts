// On Windows `npx` is a batch file, which no program can start but cmd.exe, and Node refuses to try (CVE-2024-27980).
// So the command is looked up as the shell would, and a batch file is handed to cmd.exe with every argument escaped.

export interface WindowsCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** The arguments are one escaped command line already. */
  readonly verbatim: boolean;
}

export function windowsCommand(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  exists: (path: string) => boolean,
): WindowsCommand {
  const file = lookUp(command, env, exists);
  if (file === undefined || !/\.(cmd|bat)$/i.test(file)) return { command: file ?? command, args, verbatim: false };
  const line = [quoteForShell(file), ...args.map((arg) => quoteForShell(quoteArgument(arg), 2))].join(' ');
  return { command: variable(env, 'COMSPEC') ?? 'cmd.exe', args: ['/d', '/s', '/c', `"${line}"`], verbatim: true };
}

/** First match of folder and extension; a command with a path or an extension is looked for as it stands first. */
function lookUp(
  command: string,
  env: Readonly<Record<string, string>>,
  exists: (path: string) => boolean,
): string | undefined {
  const extensions = (variable(env, 'PATHEXT') ?? '.COM;.EXE;.BAT;.CMD').split(';').filter((part) => part !== '');
  const named = /\.[a-z0-9]+$/i.test(command) ? [''] : [];
  const folders = /[/\\]/.test(command) ? [''] : (variable(env, 'PATH') ?? '').split(';').filter((part) => part !== '');
  for (const folder of folders) {
    for (const extension of [...named, ...extensions]) {
      const file = folder === '' ? `${command}${extension}` : `${folder.replace(/[/\\]$/, '')}\\${command}${extension}`;
      if (exists(file)) return file;
    }
  }
  return undefined;
}

/** Names of variables know no case there. */
function variable(env: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.entries(env).find(([key]) => key.toUpperCase() === name)?.[1];
}

/** As the C runtime parses arguments: backslashes count only before a quote. */
function quoteArgument(argument: string): string {
  return `"${argument.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}

/** cmd.exe reads a batch file's arguments twice: once for its own line, once inside the file. */
function quoteForShell(text: string, times = 1): string {
  let quoted = text;
  for (let round = 0; round < times; round += 1) quoted = quoted.replace(/[()\][%!^"`<>&|;, *?]/g, '^$&');
  return quoted;
}
