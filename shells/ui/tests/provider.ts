// A model provider of OpenAI's kind on this machine, which says what the test wants, in as many pieces.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** The settings of a daemon that talks to it. `answer` gives the pieces of an answer to what was said. */
export async function provider(
  answer: (said: string) => readonly string[],
): Promise<{ model: string; environment: Record<string, string> }> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const { messages } = JSON.parse(body) as { messages: { role: string; content: unknown }[] };
      const said = messages.findLast(({ role }) => role === "user")?.content;
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      const frame = (delta: object, finish_reason: string | null): string =>
        `data: ${JSON.stringify({
          id: "c1",
          object: "chat.completion.chunk",
          created: 1,
          model: "double",
          choices: [{ index: 0, delta, finish_reason }],
        })}\n\n`;
      for (const piece of answer(typeof said === "string" ? said : JSON.stringify(said))) {
        response.write(frame({ role: "assistant", content: piece }, null));
      }
      const usage = { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 };
      const counted = `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "double", choices: [], usage })}\n\n`;
      response.end(frame({}, "stop") + counted + "data: [DONE]\n\n");
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
