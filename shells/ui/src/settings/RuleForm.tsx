// The form for a new rule.
import type { RuleCreate, ToolInfo } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { client } from "../engine.js";
import { texts } from "../messages.js";
import { said } from "../problems.js";
import { conditionOf, type Drafted } from "./condition.js";
import { Conditions } from "./Conditions.js";
import { Problem } from "./Problem.js";

export function RuleForm({ tools, onDone }: { tools: readonly ToolInfo[]; onDone: () => void }) {
  const [decision, setDecision] = useState<RuleCreate["decision"] | "">("");
  const [tool, setTool] = useState("");
  const [kind, setKind] = useState<NonNullable<RuleCreate["kind"]> | "">("");
  const [value, setValue] = useState("");
  const [folder, setFolder] = useState("");
  const [conditions, setConditions] = useState<readonly Drafted[]>([]);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  // Nothing is chosen in advance: a rule that is saved by an accidental Enter would be permanent.
  /** An allow rule for a command or a program needs a folder; a deny rule does not. */
  const command = kind === "program" || (tool === "run_command" && kind === "exact");
  const whole = command && folder.trim() !== "" ? commandIn(folder.trim(), value) : value;
  const complete =
    decision !== "" &&
    tool !== "" &&
    kind !== "" &&
    (kind === "any" || value.trim() !== "") &&
    (!command || decision !== "allow" || folder.trim() !== "") &&
    conditions.every((one) => one.argument.trim() !== "" && conditionOf(one) !== null);
  const schema = tools.find(({ name }) => name === tool)?.schema as { properties?: object } | undefined;
  const help = kind === "glob" || kind === "program" ? texts.settings.permissions.help[kind] : null;
  return (
    <form
      className="card form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!complete) return;
        client.rules
          .add({
            decision,
            tool,
            kind,
            ...(kind !== "any" && { value: whole }),
            ...(conditions.length > 0 && { conditions: conditions.map(conditionOf).filter((one) => one !== null) }),
          })
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
            <option value="glob">{texts.settings.permissions.glob}</option>
            <option value="program">{texts.settings.permissions.program}</option>
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
            {
              texts.settings.permissions.values[
                kind === "program" || kind === "glob" ? kind : command ? "command" : "value"
              ]
            }
          </label>
          <input
            id={`${id}-value`}
            className="mono"
            value={value}
            spellCheck={false}
            aria-describedby={help === null ? undefined : `${id}-help`}
            onChange={(event) => setValue(event.target.value)}
          />
          {help !== null && (
            <p id={`${id}-help`} className="quiet">
              {help}
            </p>
          )}
        </div>
      )}
      <Conditions conditions={conditions} known={Object.keys(schema?.properties ?? {})} onChange={setConditions} />
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

/** A command or a program in its folder, in the format of rules (docs/protocol.md, POST /api/permissions/rules). */
function commandIn(folder: string, command: string): string {
  const placed = `in ${folder}:\n${command}`;
  return placed;
}
