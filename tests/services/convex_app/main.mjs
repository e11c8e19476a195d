// The functions of examples/convex over HTTP, by Convex's own stand-in for tests. GET tells what is stored, DELETE forgets it.
import { createServer } from "node:http";
import { convexTest } from "convex-test";
import schema from "./convex/schema";

const modules = {
  "./convex/_generated/api.js": () => import("./convex/_generated/api.js"),
  "./convex/http.ts": () => import("./convex/http"),
  "./convex/logs.ts": () => import("./convex/logs"),
};
let app = convexTest(schema, modules);

async function answer(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  if (request.method === "GET") {
    return Response.json(await app.run((ctx) => ctx.db.query("logs").collect()));
  }
  if (request.method === "DELETE") {
    app = convexTest(schema, modules);
    return Response.json({});
  }
  const { method, headers } = request;
  return app.fetch(request.url, { method, headers, body: Buffer.concat(parts) });
}

createServer(async (request, response) => {
  const said = await answer(request).catch((error) => new Response(String(error), { status: 500 }));
  response.writeHead(said.status);
  response.end(await said.text());
}).listen(Number(process.argv[2]), "127.0.0.1");
