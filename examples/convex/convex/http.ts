import { httpRouter } from "convex/server";
import { internal } from "./_generated/api";
import { httpAction } from "./_generated/server";
import type { Log } from "./logs";

/** A document of Convex holds 1 MiB; what is larger is refused here, or it would come again for ever. */
const MOST_BYTES = 1_000_000;

const TEXTS = ["correlationId", "timestamp", "level", "logType", "message", "serverName", "serverVersion"];
const TEXTS_OR_NULL = ["toolName", "status", "outputSummary", "errorMessage", "module", "function", "threadName"];
const NUMBERS_OR_NULL = ["durationMs", "line", "processId"];
const OBJECTS_OR_NULL = ["inputArgs", "extraData"];
const KEYS = [...TEXTS, ...TEXTS_OR_NULL, ...NUMBERS_OR_NULL, ...OBJECTS_OR_NULL];

/** What is sent back says what becomes of the records: 4xx, they are never taken; 401 and 5xx, they come again. */
class NotTaken extends Error {
  constructor(
    readonly status: number,
    problem: string,
  ) {
    super(problem);
  }
}

/**
 * Takes one record, {"log": {…}}, which the header Idempotency-Key names; or many, {"logs": [{…}, …], "ids": ["…", …]}.
 */
const ingest = httpAction(async (ctx, request) => {
  try {
    checkKey(request);
    const logs = logsIn(await bodyOf(request), request.headers.get("Idempotency-Key"));
    const stored = await ctx.runMutation(internal.logs.store, { logs });
    return Response.json({ stored });
  } catch (error) {
    if (error instanceof NotTaken) {
      return new Response(error.message, { status: error.status });
    }
    throw error; // answered with 500
  }
});

function checkKey(request: Request): void {
  const key = process.env.LOGS_API_KEY;
  if (!key) {
    throw new NotTaken(503, "LOGS_API_KEY is not set");
  }
  if (!isSame(request.headers.get("Authorization") ?? "", `Bearer ${key}`)) {
    throw new NotTaken(401, "wrong key");
  }
}

/** In a time that does not tell how much of it agrees. */
function isSame(given: string, wanted: string): boolean {
  let difference = given.length ^ wanted.length;
  for (let at = 0; at < wanted.length; at += 1) {
    difference |= given.charCodeAt(at) ^ wanted.charCodeAt(at);
  }
  return difference === 0;
}

async function bodyOf(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    throw new NotTaken(400, "the body is no JSON");
  }
}

function logsIn(body: unknown, key: string | null): Log[] {
  if (isObject(body) && isObject(body.log)) {
    return [logIn(body.log, key)];
  }
  if (isObject(body) && Array.isArray(body.logs) && Array.isArray(body.ids) && body.logs.length === body.ids.length) {
    const { logs, ids } = body;
    return logs.map((each, at) => logIn(each, ids[at]));
  }
  throw new NotTaken(400, "the body is neither {log} nor {logs, ids}");
}

function logIn(given: unknown, recordId: unknown): Log {
  if (typeof recordId !== "string" || recordId === "") {
    throw new NotTaken(400, "a record has no id");
  }
  if (!isObject(given)) {
    throw new NotTaken(400, "a log is no object");
  }
  const kept: Record<string, unknown> = { recordId };
  for (const [name, value] of Object.entries(given)) {
    if (!KEYS.includes(name)) {
      throw new NotTaken(400, `nothing is called ${name}`);
    }
    if (value !== null) {
      kept[name] = OBJECTS_OR_NULL.includes(name) && isObject(value) ? JSON.stringify(value) : value;
    }
  }
  const isOne =
    TEXTS.every((name) => typeof kept[name] === "string") &&
    [...TEXTS_OR_NULL, ...OBJECTS_OR_NULL].every((name) => ["string", "undefined"].includes(typeof kept[name])) &&
    NUMBERS_OR_NULL.every((name) => ["number", "undefined"].includes(typeof kept[name]));
  if (!isOne) {
    throw new NotTaken(400, "something in a log is not of its type");
  }
  if (new TextEncoder().encode(JSON.stringify(kept)).length > MOST_BYTES) {
    throw new NotTaken(413, `a log has more than ${MOST_BYTES} bytes`);
  }
  return kept as Log;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const http = httpRouter();
http.route({ path: "/logs/ingest", method: "POST", handler: ingest });
export default http;
