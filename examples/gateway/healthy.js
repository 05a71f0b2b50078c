// `node healthy.js URL`: exits with 0 if that answers with a success. A health check without a shell.
const answer = await fetch(process.argv[2], { signal: AbortSignal.timeout(3000) }).catch(() => undefined);
process.exit(answer?.ok ? 0 : 1);
