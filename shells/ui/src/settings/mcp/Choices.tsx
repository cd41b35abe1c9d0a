// The risk of an MCP server's tools, and the agents that get them.
import type { McpConfig } from "@aster-sidecar/client";
import { useId } from "react";
import { usePicture } from "../../engine.js";
import { texts } from "../../messages.js";
import { visible } from "../../Plain.js";
import { capital } from "../../words.js";

const RISKS = ["low", "medium", "high"] as const;

interface RiskProps {
  risk: McpConfig["risk"];
  onChoose: (risk: McpConfig["risk"]) => void;
}

export function RiskChoice({ risk, onChoose }: RiskProps) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h3 id={id}>{texts.settings.mcp.risk}</h3>
      <p className="quiet">{texts.settings.mcp.riskLead}</p>
      <div className="choices" role="radiogroup" aria-labelledby={id}>
        {RISKS.map((one) => (
          <label key={one} className="choice">
            <input type="radio" name={id} checked={risk === one} onChange={() => onChoose(one)} />
            <span className="choice-text">
              <span className="choice-name">{capital(texts.risk[one])}</span>
              <span className="quiet">{texts.settings.mcp.risks[one]}</span>
            </span>
          </label>
        ))}
      </div>
    </section>
  );
}

interface AgentsProps {
  /** Their ids; null: all. */
  agents: readonly string[] | null;
  onChoose: (agents: string[] | null) => void;
}

export function AgentsChoice({ agents, onChoose }: AgentsProps) {
  const known = usePicture((state) => state.agents);
  const id = useId();
  const names = new Map(known.map((agent) => [agent.id, agent.name]));
  /** Agents that are chosen but not known are listed too: they may be in a project. */
  const listed = [...new Set([...names.keys(), ...(agents ?? [])])];
  return (
    <section aria-labelledby={id}>
      <h3 id={id}>{texts.settings.mcp.agents}</h3>
      <div role="radiogroup" aria-labelledby={id} className="mcp-agents">
        <label className="check-label">
          <input type="radio" name={id} checked={agents === null} onChange={() => onChoose(null)} />
          {texts.settings.mcp.allAgents}
        </label>
        <label className="check-label">
          <input type="radio" name={id} checked={agents !== null} onChange={() => onChoose([...names.keys()])} />
          {texts.settings.mcp.theseAgents}
        </label>
      </div>
      {agents !== null && (
        <fieldset className="mcp-checks">
          <legend className="out-of-sight">{texts.settings.mcp.theseAgents}</legend>
          {listed.map((agent) => (
            <label key={agent} className="check-label">
              <input
                type="checkbox"
                checked={agents.includes(agent)}
                onChange={(event) =>
                  onChoose(event.target.checked ? [...agents, agent] : agents.filter((one) => one !== agent))
                }
              />
              {visible(names.get(agent) ?? agent)}
            </label>
          ))}
        </fieldset>
      )}
    </section>
  );
}
