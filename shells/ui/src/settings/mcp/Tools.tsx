// The tools of an MCP server, and which of them agents get.
import type { McpConfig, McpServer, McpPatch, McpTool } from "@aster-sidecar/client";
import { useId } from "react";
import { texts } from "../../messages.js";
import { visible, visibleText } from "../../Plain.js";
import { sentence } from "../../words.js";
import { withTool } from "./draft.js";

interface ToolsProps {
  tools: readonly McpTool[];
  state: McpServer["state"];
  onChange: (patchOf: (config: McpConfig) => McpPatch) => void;
}

export function Tools({ tools, state, onChange }: ToolsProps) {
  const id = useId();
  const on = tools.filter(({ enabled }) => enabled).length;
  return (
    <section aria-labelledby={id}>
      <h3 id={id}>{texts.settings.mcp.toolsTitle}</h3>
      <p className="quiet">
        {tools.length > 0
          ? texts.settings.mcp.toolsOn(on, tools.length)
          : state === "ready"
            ? texts.settings.mcp.noTools
            : texts.settings.mcp.toolsLater}
      </p>
      <ul className="rows">
        {tools.map((tool) => (
          <li key={tool.tool} className="row-item">
            <div className="row-main">
              <label className="check-label mcp-tool">
                <input
                  type="checkbox"
                  role="switch"
                  checked={tool.enabled}
                  aria-describedby={tool.changed === true ? `${id}-${tool.tool}` : undefined}
                  onChange={(event) => {
                    const { checked } = event.target;
                    onChange((config) => withTool(config, tool.tool, checked));
                  }}
                />
                <code>{visible(tool.tool)}</code>
              </label>
              <span className="mcp-badges">
                <span className={`badge risk-badge-${tool.risk}`}>{texts.risk[tool.risk]}</span>
                {tool.changed === true && <span className="badge badge-warning">{texts.settings.mcp.changed}</span>}
              </span>
            </div>
            <About description={tool.description} />
            {tool.changed === true && (
              <p id={`${id}-${tool.tool}`} className="quiet mcp-about">
                {texts.settings.mcp.changedWords}
              </p>
            )}
            {tool.problem != null && (
              <p className="quiet mcp-about">{texts.settings.mcp.notOffered(visible(sentence(tool.problem)))}</p>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

const LINE_CHARS = 100;

/** A description: its first line, and all of it on demand. */
export function About({ description }: { description: string }) {
  const text = description.trim();
  if (text === "") return null;
  const line = text.split("\n", 1)[0] ?? "";
  if (line === text && text.length <= LINE_CHARS) return <p className="quiet mcp-about">{visible(text)}</p>;
  return (
    <details className="mcp-about">
      <summary className="quiet">
        {visibleText(line.length > LINE_CHARS ? `${line.slice(0, LINE_CHARS)}…` : line)}
      </summary>
      <p className="quiet mcp-description">{visible(text)}</p>
    </details>
  );
}
