// A local model provider with OpenAI's protocol, which answers what the test wants, in the given pieces.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** Text, a part of an answer in the provider's protocol, why the answer ends, or the size of the request. */
export type Piece = string | { reasoning_content: string } | { finish_reason: string } | { prompt_tokens: number };

/** An answer to which the test adds pieces; it goes on until the test ends it. */
export class Spoken implements AsyncIterable<Piece> {
  readonly #pieces: Piece[] = [];
  #over = false;
  #wake: () => void = () => undefined;

  say(...pieces: Piece[]): void {
    this.#pieces.push(...pieces);
    this.#wake();
  }

  end(): void {
    this.#over = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Piece> {
    for (let at = 0; ; at += 1) {
      while (at >= this.#pieces.length) {
        if (this.#over) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      yield this.#pieces[at] ?? "";
    }
  }
}

/** The settings of a daemon that talks to it. `answer` gives the pieces of the answer to a message. */
export async function provider(
  answer: (said: string) => Iterable<Piece> | AsyncIterable<Piece>,
): Promise<{ model: string; environment: Record<string, string> }> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      if (request.method !== "POST") {
        response.writeHead(404).end(); // it does not list its models
        return;
      }
      const { messages } = JSON.parse(body) as { messages: { role: string; content: unknown }[] };
      const said = messages.filter(({ role }) => role === "user").at(-1)?.content;
      void speak(response, answer(typeof said === "string" ? said : JSON.stringify(said)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    model: "openai-chat:double",
    environment: { OPENAI_API_KEY: "sk-double", OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` },
  };
}

async function speak(response: ServerResponse, pieces: Iterable<Piece> | AsyncIterable<Piece>): Promise<void> {
  const chunk = (more: object): string =>
    `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "double", ...more })}\n\n`;
  const frame = (delta: object, finish_reason: string | null): string =>
    chunk({ choices: [{ index: 0, delta, finish_reason }] });
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.flushHeaders();
  let finish = "stop";
  let prompt_tokens = 12;
  for await (const piece of pieces) {
    if (typeof piece !== "string" && "finish_reason" in piece) {
      finish = piece.finish_reason;
      continue;
    }
    if (typeof piece !== "string" && "prompt_tokens" in piece) {
      ({ prompt_tokens } = piece);
      continue;
    }
    response.write(frame({ role: "assistant", ...(typeof piece === "string" ? { content: piece } : piece) }, null));
  }
  const usage = { prompt_tokens, completion_tokens: 34, total_tokens: prompt_tokens + 34 };
  response.end(frame({}, finish) + chunk({ choices: [], usage }) + "data: [DONE]\n\n");
}
