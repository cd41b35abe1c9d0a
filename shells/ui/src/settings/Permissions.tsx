// When the agent asks, the rules that answer instead of you, and a form to test what would happen.
import type { CheckAnswer, RuleInfo, ToolInfo } from "@aster-sidecar/client";
import { useId, useState, type ReactNode } from "react";
import { useEndpoint } from "../endpoint.js";
import { client, usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { Display, visible, visibleText } from "../Plain.js";
import { said } from "../problems.js";
import { exactly, when } from "../words.js";
import { Decisions } from "./Decisions.js";
import { Modes } from "./Modes.js";
import { Problem } from "./Problem.js";
import { RuleForm } from "./RuleForm.js";
import { Sandbox } from "./Sandbox.js";

export default function PermissionsSection() {
  const id = useId();
  const tools = useEndpoint<ToolInfo[]>("/api/tools", ["agents_changed", "config_changed"]);
  return (
    <>
      <section aria-labelledby={`${id}-mode`}>
        <h2 id={`${id}-mode`}>{texts.settings.modes.title}</h2>
        <Modes />
      </section>
      <section aria-labelledby={`${id}-sandbox`}>
        <h2 id={`${id}-sandbox`}>{texts.settings.sandbox.title}</h2>
        <Sandbox tools={tools.data ?? []} />
      </section>
      <Rules tools={tools.data ?? []} />
      <TryOut tools={tools.data ?? []} />
      <Decisions />
    </>
  );
}

function Rules({ tools }: { tools: readonly ToolInfo[] }) {
  const rules = usePicture((state) => state.rules);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const [adding, setAdding] = useState(false);
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{texts.settings.permissions.rules}</h2>
      <p className="quiet">{texts.settings.permissions.rulesLead}</p>
      <Problem problem={problem} />
      {rules.length === 0 && <p className="quiet">{texts.settings.permissions.noRules}</p>}
      <ul className="rows">
        {rules.map((rule) => (
          <li key={rule.rule_id} className="row-item">
            <Rule rule={rule}>
              <button
                type="button"
                className="small-button danger"
                aria-label={texts.settings.permissions.deleteRule(visibleText(rule.words))}
                onClick={() => {
                  setProblem(null);
                  client.rules.remove(rule.rule_id).catch((error: unknown) => setProblem(said(error)));
                }}
              >
                {texts.shared.delete}
              </button>
            </Rule>
          </li>
        ))}
      </ul>
      <button type="button" aria-expanded={adding} onClick={() => setAdding(!adding)}>
        {texts.settings.permissions.addRule}
      </button>
      {adding && <RuleForm tools={tools} onDone={() => setAdding(false)} />}
    </section>
  );
}

/** What a rule does, in words, and where it comes from. */
function Rule({ rule, children }: { rule: Omit<RuleInfo, "conditions">; children?: ReactNode }) {
  const { decision, words, created_at, expires_at, made_by, made_for } = rule;
  return (
    <div className="row-main">
      <span className={`badge ${decision === "allow" ? "badge-good" : "badge-bad"}`}>
        {texts.settings.permissions[decision]}
      </span>
      <span className="row-words">
        {visible(words)}{" "}
        <span className="quiet" title={exactly(created_at)}>
          {texts.settings.permissions.origin(
            when(created_at),
            expires_at == null ? null : exactly(expires_at),
            made_by == null ? null : visibleText(made_by),
            made_for != null,
          )}
        </span>
      </span>
      {children}
    </div>
  );
}

function TryOut({ tools }: { tools: readonly ToolInfo[] }) {
  const [tool, setTool] = useState("");
  const [text, setText] = useState("{}");
  const [answer, setAnswer] = useState<CheckAnswer | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  const chosen = tools.find(({ name }) => name === tool) ?? tools[0];
  const scopes = answer?.scopes ?? [];
  const covered = scopes[0]?.words ?? answer?.remember;

  function pick(name: string): void {
    setTool(name);
    setAnswer(null);
    const needed = tools.find((one) => one.name === name)?.schema as { required?: string[] } | undefined;
    setText(JSON.stringify(Object.fromEntries((needed?.required ?? []).map((field) => [field, ""])), null, 2));
  }

  async function ask(): Promise<void> {
    setProblem(null);
    setAnswer(null);
    let given: unknown;
    try {
      given = JSON.parse(text);
    } catch (error) {
      setProblem({ message: texts.shared.invalidJson(said(error).message), hint: null });
      return;
    }
    try {
      setAnswer(await client.check({ tool: chosen?.name ?? "", arguments: given as Record<string, unknown> }));
    } catch (error) {
      setProblem(said(error));
    }
  }

  return (
    <section aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{texts.settings.permissions.tryOut}</h2>
      <p className="quiet">{texts.settings.permissions.tryOutLead}</p>
      <form
        className="card form"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <div className="field">
          <label htmlFor={`${id}-tool`}>{texts.shared.tool}</label>
          <select id={`${id}-tool`} value={chosen?.name ?? ""} onChange={(event) => pick(event.target.value)}>
            {tools.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-arguments`}>{texts.settings.permissions.argumentsJson}</label>
          <textarea
            id={`${id}-arguments`}
            className="mono"
            rows={4}
            spellCheck={false}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        <div className="form-buttons">
          <button type="submit" disabled={chosen === undefined}>
            {texts.settings.permissions.check}
          </button>
        </div>
        <Problem problem={problem} />
        {answer && (
          <div className="answer-box" role="status">
            <p>
              <strong>{texts.settings.permissions.outcome[answer.decision]}</strong>{" "}
              <span className={`badge risk-badge-${answer.risk}`}>{texts.risk[answer.risk]}</span>
            </p>
            <p className="quiet">{visible(answer.reason)}</p>
            <Display text={answer.display} />
            {answer.rule != null && (
              <div role="group" aria-label={texts.settings.permissions.decidedBy}>
                <p className="label">{texts.settings.permissions.decidedBy}</p>
                <Rule rule={answer.rule} />
              </div>
            )}
            {scopes.length > 1 && (
              <div>
                <p className="label" id={`${id}-scopes`}>
                  {texts.settings.permissions.scopes}
                </p>
                <ul className="scopes quiet" aria-labelledby={`${id}-scopes`}>
                  {scopes.map(({ scope_id, words }) => (
                    <li key={scope_id}>{visible(words)}</li>
                  ))}
                </ul>
              </div>
            )}
            {scopes.length <= 1 && covered != null && (
              <p className="quiet">{texts.settings.permissions.covers(visible(covered))}</p>
            )}
          </div>
        )}
      </form>
    </section>
  );
}
