// When the agent asks, the rules that answer instead of you, and a place to try out what would happen.
import type { CheckAnswer, RuleCreate, ToolInfo } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { useEndpoint } from "../endpoint.js";
import { client, usePicture } from "../engine.js";
import { Display, visible } from "../Plain.js";
import { exactly, RISK, said, when } from "../words.js";
import { Modes } from "./Modes.js";
import { Problem } from "./Problem.js";

export default function PermissionsSection() {
  const id = useId();
  const tools = useEndpoint<ToolInfo[]>("/api/tools", ["agents_changed"]);
  return (
    <>
      <section aria-labelledby={`${id}-mode`}>
        <h2 id={`${id}-mode`}>When to ask</h2>
        <Modes />
      </section>
      <Rules tools={tools.data ?? []} />
      <TryOut tools={tools.data ?? []} />
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
      <h2 id={id}>Rules</h2>
      <p className="quiet">
        Rules that deny come before everything else. “Always allow” and “Always deny” add a rule here.
      </p>
      <Problem problem={problem} />
      {rules.length === 0 && <p className="quiet">No rules yet.</p>}
      <ul className="rows">
        {rules.map(({ rule_id, decision, words, created_at, expires_at }) => (
          <li key={rule_id} className="row-item">
            <div className="row-main">
              <span className={`badge ${decision === "allow" ? "badge-good" : "badge-bad"}`}>{decision}</span>
              <span className="row-words">
                {visible(words)}
                <span className="quiet">
                  {" "}
                  since {when(created_at)}
                  {expires_at != null && <>, until {exactly(expires_at)}</>}
                </span>
              </span>
              <button
                type="button"
                className="small-button danger"
                aria-label={`Delete the rule: ${words}`}
                onClick={() => {
                  setProblem(null);
                  client.rules.remove(rule_id).catch((error: unknown) => setProblem(said(error)));
                }}
              >
                Delete
              </button>
            </div>
          </li>
        ))}
      </ul>
      <button type="button" aria-expanded={adding} onClick={() => setAdding(!adding)}>
        Add a rule
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
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  // Nothing is chosen for the person: a rule that is saved by a careless Enter would hold for good.
  const complete = decision !== "" && tool !== "" && kind !== "" && (kind === "any" || value.trim() !== "");
  return (
    <form
      className="card form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!complete) return;
        client.rules.add({ decision, tool, kind, ...(kind !== "any" && { value }) }).then(onDone, (error: unknown) => {
          setProblem(said(error));
        });
      }}
    >
      <div className="form-row">
        <div className="field">
          <label htmlFor={`${id}-decision`}>Effect</label>
          <select
            id={`${id}-decision`}
            value={decision}
            onChange={(event) => setDecision(event.target.value as typeof decision)}
          >
            <option value="" disabled>
              Choose…
            </option>
            <option value="allow">Allow</option>
            <option value="deny">Deny</option>
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-tool`}>Tool</label>
          <select id={`${id}-tool`} value={tool} onChange={(event) => setTool(event.target.value)}>
            <option value="" disabled>
              Choose…
            </option>
            <option value="*">Every tool (deny only)</option>
            {tools.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-kind`}>Applies to</label>
          <select id={`${id}-kind`} value={kind} onChange={(event) => setKind(event.target.value as typeof kind)}>
            <option value="" disabled>
              Choose…
            </option>
            <option value="exact">Exactly this</option>
            <option value="beneath">A directory and everything in it</option>
            <option value="any">Every call of the tool</option>
          </select>
        </div>
      </div>
      {kind !== "any" && (
        <div className="field">
          <label htmlFor={`${id}-value`}>Path, command or address</label>
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
          Save
        </button>
        <button type="button" onClick={onDone}>
          Cancel
        </button>
      </div>
    </form>
  );
}

const ANSWER = { allow: "This would run at once.", deny: "This would be denied.", ask: "You would be asked." } as const;

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
      setProblem({ message: `The arguments are not valid JSON: ${said(error).message}`, hint: null });
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
      <h2 id={`${id}-title`}>What would happen?</h2>
      <p className="quiet">See what would happen to a tool call. Nothing runs.</p>
      <form
        className="card form"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <div className="field">
          <label htmlFor={`${id}-tool`}>Tool</label>
          <select id={`${id}-tool`} value={chosen?.name ?? ""} onChange={(event) => pick(event.target.value)}>
            {tools.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-arguments`}>Arguments (JSON)</label>
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
            Ask
          </button>
        </div>
        <Problem problem={problem} />
        {answer && (
          <div className="answer-box" role="status">
            <p>
              <strong>{ANSWER[answer.decision]}</strong>{" "}
              <span className={`badge risk-badge-${answer.risk}`}>{RISK[answer.risk]}</span>
            </p>
            <p className="quiet">
              {visible(answer.reason)} (decided by {visible(answer.decided_by)})
            </p>
            <Display text={answer.display} />
            {answer.remember != null && <p className="quiet">“Always” would cover: {visible(answer.remember)}</p>}
          </div>
        )}
      </form>
    </section>
  );
}
