// Every value of the configuration, where it comes from, and a field for those that can be set here.
import { useId, useState } from "react";
import { Note } from "../Buttons.js";
import { host, usePicture } from "../engine.js";
import { visible } from "../Plain.js";
import { Problem } from "./Problem.js";
import { SOURCE, useConfigChange } from "./useConfig.js";

interface Key {
  label: string;
  words: string;
  kind: "text" | "number" | "choice" | "names";
  choices?: string[];
}

const KEYS: Record<string, Key> = {
  work_dir: { label: "Work directory", words: "Where tools read and write.", kind: "text" },
  approval_timeout_s: { label: "A question waits, in seconds", words: "0: until somebody answers it.", kind: "number" },
  on_unattended: {
    label: "A question while no window is open",
    words: "Wait for one, or deny at once.",
    kind: "choice",
    choices: ["wait", "deny"],
  },
  max_requests: { label: "Most requests in one turn", words: "To the model’s provider.", kind: "number" },
  max_tool_calls: { label: "Most tool calls in one turn", words: "", kind: "number" },
  max_tokens: { label: "Most tokens in one turn", words: "In and out together.", kind: "number" },
  max_turn_s: { label: "Longest turn, in seconds", words: "Waiting for you is not counted.", kind: "number" },
  pass_environment: {
    label: "Variables for commands",
    words: "Beyond the usual ones, with commas between them: AWS_PROFILE, MY_*.",
    kind: "names",
  },
  command_path: {
    label: "PATH of commands",
    words: "auto, login (your login shell’s), inherit (the daemon’s own), or directories.",
    kind: "text",
  },
};

export function ConfigSection() {
  const config = usePicture((state) => state.config);
  const id = useId();
  if (config === null) return <p className="quiet">Reading…</p>;
  const others = Object.entries(config.values).filter(
    ([key]) => !(key in KEYS) && key !== "model" && key !== "permission_mode",
  );
  return (
    <>
      <section aria-labelledby={id}>
        <h2 id={id}>Directories and limits</h2>
        {config.problems.map((problem) => (
          <Note key={problem} kind="warning">
            {visible(problem)}
          </Note>
        ))}
        <ul className="rows">
          {Object.entries(KEYS).map(([name, key]) => {
            const setting = config.values[name];
            return (
              setting && <ValueRow key={name} name={name} about={key} value={setting.value} source={setting.source} />
            );
          })}
        </ul>
      </section>
      <section aria-label="Fixed at the start">
        <h2>Fixed at the start</h2>
        <dl className="facts">
          {others.map(([name, { value, source }]) => (
            <div key={name} className="fact">
              <dt>
                <code>{name}</code>
              </dt>
              <dd>
                {visible(
                  value === null || value === "" ? "none" : typeof value === "string" ? value : JSON.stringify(value),
                )}{" "}
                <span className="quiet">{SOURCE[source] ?? source}</span>
              </dd>
            </div>
          ))}
          <div className="fact">
            <dt>Configuration</dt>
            <dd>
              <code>{visible(config.config_path)}</code>
            </dd>
          </div>
          <div className="fact">
            <dt>Data</dt>
            <dd>
              <code>{visible(config.data_dir)}</code>
            </dd>
          </div>
          <div className="fact">
            <dt>Logs</dt>
            <dd>
              <code>{visible(config.logs_dir)}</code>
            </dd>
          </div>
        </dl>
      </section>
    </>
  );
}

function ValueRow({ name, about, value, source }: { name: string; about: Key; value: unknown; source: string }) {
  const shown = Array.isArray(value)
    ? value.join(", ")
    : typeof value === "string" || typeof value === "number"
      ? String(value)
      : "";
  const [text, setText] = useState(shown);
  const [known, setKnown] = useState(shown);
  const { change, busy, problem } = useConfigChange();
  const id = useId();
  if (known !== shown) {
    setKnown(shown);
    setText(shown);
  }
  const set = (next: unknown): void => void change({ [name]: next });
  return (
    <li className="row-item">
      <form
        className="value-row"
        onSubmit={(event) => {
          event.preventDefault();
          set(
            about.kind === "number"
              ? Number(text)
              : about.kind === "names"
                ? text.split(/[\s,]+/).filter((name) => name !== "")
                : text,
          );
        }}
      >
        <label htmlFor={id}>
          {about.label}
          <span className="quiet">
            {about.words} {about.words !== "" && "· "}
            {SOURCE[source] ?? source}
          </span>
        </label>
        {about.kind === "choice" ? (
          <select id={id} value={shown} disabled={busy} onChange={(event) => set(event.target.value)}>
            {about.choices?.map((choice) => (
              <option key={choice}>{choice}</option>
            ))}
          </select>
        ) : (
          <input
            id={id}
            className={about.kind === "text" || about.kind === "names" ? "mono" : undefined}
            inputMode={about.kind === "number" ? "decimal" : undefined}
            value={text}
            spellCheck={false}
            onChange={(event) => setText(event.target.value)}
          />
        )}
        <span className="value-buttons">
          {text !== shown && (
            <button type="submit" className="primary" disabled={busy || (about.kind !== "names" && text.trim() === "")}>
              Set
            </button>
          )}
          {name === "work_dir" && host !== null && (
            <button
              type="button"
              onClick={() => {
                void host?.pickFolder().then((path) => path !== null && set(path));
              }}
            >
              Choose…
            </button>
          )}
          {source === "api" && text === shown && (
            <button type="button" className="small-button" disabled={busy} onClick={() => set(null)}>
              Take back
            </button>
          )}
        </span>
      </form>
      <Problem problem={problem} />
    </li>
  );
}
