// A stand-in for four real programs: `node app.mjs db|api|web|worker`. Plain Node.js, nothing to install.
import { createServer } from "node:http";

const [role] = process.argv.slice(2);
const port = Number(process.env.PORT);

/** Where the others answer: vendetta puts these variables into every service of a workspace. */
const { VENDETTA_SERVICE_DB_URL: db, VENDETTA_SERVICE_API_URL: api } = process.env;

const ask = async (url) => (await fetch(url, { signal: AbortSignal.timeout(2000) })).text();

const roles = {
  db: () => serve(() => JSON.stringify({ greeting: "hello from the database" })),
  api: () => serve(async () => `${JSON.parse(await ask(db)).greeting}, by way of the api\n`),
  web: () => serve(async () => `<!doctype html><title>vendetta</title><h1>${(await ask(api)).trim()}</h1>\n`),
  async worker() {
    for (let job = 1; ; job++) {
      console.log(`job ${job}: ${(await ask(api)).trim()}`);
      await new Promise((resolve) => setTimeout(resolve, 5000));
    }
  },
};

function serve(answer) {
  const server = createServer(async (request, response) => {
    try {
      // The health check asks only whether this program answers, not whether the ones behind it do.
      response.end(request.url === "/healthz" ? "ok\n" : await answer());
    } catch (error) {
      response.writeHead(502).end(`${error.message}\n`);
    }
  });
  server.listen(port, () => console.log(`${role} listens on ${port}`));
  process.on("SIGTERM", () => {
    console.log(`${role} was asked to stop`);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

if (!Object.hasOwn(roles, role ?? "")) {
  console.error("usage: node app.mjs db|api|web|worker");
  process.exit(2);
}
await roles[role]();
