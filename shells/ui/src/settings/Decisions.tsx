// The record of decisions about tool calls, newest first.
import type { DecisionInfo, DecisionPage } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { useEndpoint } from "../endpoint.js";
import { client } from "../engine.js";
import { texts } from "../messages.js";
import { visible } from "../Plain.js";
import { said } from "../problems.js";
import { exactly, when } from "../words.js";
import { MODES } from "./Modes.js";
import { Problem } from "./Problem.js";

const PAGE = 20;

export function Decisions() {
  const id = useId();
  const newest = useEndpoint<DecisionPage>(`/api/audit?limit=${PAGE}`, ["tool_start", "tool_end", "approval_resolved"]);
  const [older, setOlder] = useState<{ decisions: DecisionInfo[]; next: string | null } | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const first = newest.data?.decisions ?? [];
  const known = new Set(first.map(({ decision_id }) => decision_id));
  const all = [...first, ...(older?.decisions ?? []).filter(({ decision_id }) => !known.has(decision_id))];
  const next = older === null ? newest.data?.next : older.next;

  async function more(): Promise<void> {
    if (next == null) return;
    setProblem(null);
    try {
      const page = await client.audit({ before: next, limit: PAGE });
      // What has come in since stays on the first page; nothing between the two pages may be lost.
      setOlder({ decisions: [...(older?.decisions ?? first), ...page.decisions], next: page.next });
    } catch (error) {
      setProblem(said(error));
    }
  }

  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{texts.settings.decisions.title}</h2>
      <p className="quiet">{texts.settings.decisions.lead}</p>
      <Problem problem={problem ?? newest.problem} />
      {newest.data !== null && all.length === 0 && <p className="quiet">{texts.settings.decisions.none}</p>}
      <ul className="rows">
        {all.map((one) => (
          <li key={one.decision_id} className="row-item">
            <div className="row-main">
              <span className={`badge ${one.decision === "allow" ? "badge-good" : "badge-bad"}`}>
                {texts.settings.decisions[one.decision]}
              </span>
              <span className="row-words">
                {visible(one.summary ?? texts.settings.decisions.deleted(one.tool))}{" "}
                <span className="quiet" title={exactly(one.decided_at)}>
                  {texts.settings.decisions.facts(
                    when(one.decided_at),
                    by(one.decided_by),
                    one.outcome === null ? null : texts.settings.decisions.outcomes[one.outcome],
                    one.sandbox === "none" ? null : one.sandbox,
                  )}
                </span>
              </span>
            </div>
          </li>
        ))}
      </ul>
      {next != null && (
        <button type="button" onClick={() => void more()}>
          {texts.shared.showMore}
        </button>
      )}
    </section>
  );
}

/** Who decided, in words. */
function by(decided_by: string): string {
  const [kind = "", mode] = decided_by.split(":");
  if (kind === "mode" && mode !== undefined) {
    const known = MODES.find((one) => one === mode);
    return texts.settings.decisions.byMode(known === undefined ? mode : texts.settings.modes.each[known].name);
  }
  return texts.settings.decisions.by[kind] ?? decided_by;
}
