// The state of an MCP server, and what is wrong with it.
import type { McpServer } from "@aster-sidecar/client";
import { Note } from "../../Buttons.js";
import { texts } from "../../messages.js";
import { visible } from "../../Plain.js";
import { capital, sentence, toTheSecond } from "../../words.js";
import { BADGE } from "./useServer.js";

export function State({ state }: Pick<McpServer, "state">) {
  return <span className={`badge ${BADGE[state] ?? ""}`}>{texts.settings.mcp.states[state]}</span>;
}

export function Trouble({ server }: { server: McpServer }) {
  const { state, error, hint, next_try, problems } = server;
  return (
    <>
      {error !== null && (
        <Note kind={state === "crashed" ? "error" : "warning"}>
          <span className="mcp-error">{visible(sentence(error))}</span>
          {hint !== null && <span className="hint">{visible(capital(hint))}</span>}
          {next_try !== null && <span className="hint">{texts.settings.mcp.nextTry(toTheSecond(next_try))}</span>}
        </Note>
      )}
      {problems.length > 0 && (
        <details className="mcp-problems">
          <summary>{texts.settings.mcp.problems(problems.length)}</summary>
          <ul className="quiet">
            {problems.map((problem) => (
              <li key={problem}>{visible(problem)}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
