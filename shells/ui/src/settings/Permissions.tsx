// When the agent asks, the rules that answer instead of you, and a form to test what would happen.
import type { CheckAnswer, RuleCreate, ToolInfo } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { useEndpoint } from "../endpoint.js";
import { client, usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { Display, visible } from "../Plain.js";
import { said } from "../problems.js";
import { exactly, when } from "../words.js";
import { Decisions } from "./Decisions.js";
import { Modes } from "./Modes.js";
import { Problem } from "./Problem.js";
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
        {rules.map(({ rule_id, decision, words, created_at, expires_at }) => (
          <li key={rule_id} className="row-item">
            <div className="row-main">
              <span className={`badge ${decision === "allow" ? "badge-good" : "badge-bad"}`}>
                {texts.settings.permissions[decision]}
              </span>
              <span className="row-words">
                {visible(words)}
                <span className="quiet">
                  {" "}
                  {expires_at == null
                    ? texts.settings.permissions.since(when(created_at))
                    : texts.settings.permissions.sinceUntil(when(created_at), exactly(expires_at))}
                </span>
              </span>
              <button
                type="button"
                className="small-button danger"
                aria-label={texts.settings.permissions.deleteRule(words)}
                onClick={() => {
                  setProblem(null);
                  client.rules.remove(rule_id).catch((error: unknown) => setProblem(said(error)));
                }}
              >
                {texts.shared.delete}
              </button>
            </div>
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

function RuleForm({ tools, onDone }: { tools: readonly ToolInfo[]; onDone: () => void }) {
  const [decision, setDecision] = useState<RuleCreate["decision"] | "">("");
  const [tool, setTool] = useState("");
  const [kind, setKind] = useState<NonNullable<RuleCreate["kind"]> | "">("");
  const [value, setValue] = useState("");
  const [folder, setFolder] = useState("");
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  // Nothing is chosen in advance: a rule that is saved by an accidental Enter would be permanent.
  /** An allow rule for a command needs a folder; a deny rule does not. */
  const command = tool === "run_command" && kind === "exact";
  const whole = command && folder.trim() !== "" ? commandIn(folder.trim(), value) : value;
  const complete =
    decision !== "" &&
    tool !== "" &&
    kind !== "" &&
    (kind === "any" || value.trim() !== "") &&
    (!command || decision !== "allow" || folder.trim() !== "");
  return (
    <form
      className="card form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!complete) return;
        client.rules
          .add({ decision, tool, kind, ...(kind !== "any" && { value: whole }) })
          .then(onDone, (error: unknown) => {
            setProblem(said(error));
          });
      }}
    >
      <div className="form-row">
        <div className="field">
          <label htmlFor={`${id}-decision`}>{texts.settings.permissions.effect}</label>
          <select
            id={`${id}-decision`}
            value={decision}
            onChange={(event) => setDecision(event.target.value as typeof decision)}
          >
            <option value="" disabled>
              {texts.shared.choose}
            </option>
            <option value="allow">{texts.settings.permissions.allow}</option>
            <option value="deny">{texts.settings.permissions.deny}</option>
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-tool`}>{texts.shared.tool}</label>
          <select id={`${id}-tool`} value={tool} onChange={(event) => setTool(event.target.value)}>
            <option value="" disabled>
              {texts.shared.choose}
            </option>
            <option value="*">{texts.settings.permissions.everyTool}</option>
            {tools.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-kind`}>{texts.settings.permissions.appliesTo}</label>
          <select id={`${id}-kind`} value={kind} onChange={(event) => setKind(event.target.value as typeof kind)}>
            <option value="" disabled>
              {texts.shared.choose}
            </option>
            <option value="exact">{texts.settings.permissions.exact}</option>
            <option value="beneath">{texts.settings.permissions.beneath}</option>
            <option value="any">{texts.settings.permissions.any}</option>
          </select>
        </div>
      </div>
      {command && (
        <div className="field">
          <label htmlFor={`${id}-folder`}>
            {decision === "deny" ? texts.settings.permissions.anyFolder : texts.settings.permissions.folder}
          </label>
          <input
            id={`${id}-folder`}
            className="mono"
            value={folder}
            spellCheck={false}
            onChange={(event) => setFolder(event.target.value)}
          />
        </div>
      )}
      {kind !== "any" && (
        <div className="field">
          <label htmlFor={`${id}-value`}>
            {command ? texts.settings.permissions.command : texts.settings.permissions.value}
          </label>
          <input
            id={`${id}-value`}
            className="mono"
            value={value}
            spellCheck={false}
            onChange={(event) => setValue(event.target.value)}
          />
        </div>
      )}
      <Problem problem={problem} />
      <div className="form-buttons">
        <button type="submit" className="primary" disabled={!complete}>
          {texts.shared.save}
        </button>
        <button type="button" onClick={onDone}>
          {texts.shared.cancel}
        </button>
      </div>
    </form>
  );
}

function TryOut({ tools }: { tools: readonly ToolInfo[] }) {
  const [tool, setTool] = useState("");
  const [text, setText] = useState("{}");
  const [answer, setAnswer] = useState<CheckAnswer | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  const chosen = tools.find(({ name }) => name === tool) ?? tools[0];

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
            {answer.remember != null && (
              <p className="quiet">{texts.settings.permissions.covers(visible(answer.remember))}</p>
            )}
          </div>
        )}
      </form>
    </section>
  );
}

/** A command in its folder, in the format of rules for commands (docs/protocol.md, POST /api/permissions/rules). */
function commandIn(folder: string, command: string): string {
  const placed = `in ${folder}:\n${command}`;
  return placed;
}
