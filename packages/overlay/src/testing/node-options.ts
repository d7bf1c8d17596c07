// What lets this process run TypeScript, for children of tests that shall run it too; not the options of the test runner.

export function importOptions(options: readonly string[] = process.execArgv): string[] {
  return options.flatMap((option, at) => {
    if (option.startsWith('--import=')) return [option];
    const value = options[at + 1];
    return option === '--import' && value !== undefined ? [option, value] : [];
  });
}
