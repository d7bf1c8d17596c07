// The public names of @mcp-overlay/cli, one by one.
export {};
