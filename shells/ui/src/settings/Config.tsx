// Every value of the configuration, where it comes from, and a field for those that can be set here.
import { useId, useState } from "react";
import { Note } from "../Buttons.js";
import { host, usePicture } from "../engine.js";
import { numberOf } from "../numbers.js";
import { visible } from "../Plain.js";
import { Problem } from "./Problem.js";
import { SOURCE, useConfigChange } from "./useConfig.js";

interface Key {
  label: string;
  words: string;
  kind: "text" | "count" | "seconds" | "choice" | "names";
  choices?: string[];
}

const KEYS: Record<string, Key> = {
  work_dir: { label: "Work directory", words: "Where tools read and write.", kind: "text" },
  approval_timeout_s: {
    label: "How long a question waits",
    words: "In seconds, or like 10 min or 2 h. 0 waits until somebody answers.",
    kind: "seconds",
  },
  on_unattended: {
    label: "Questions while no window is open",
    words: "Wait until a window opens, or deny at once.",
    kind: "choice",
    choices: ["wait", "deny"],
  },
  max_requests: { label: "Maximum requests per turn", words: "To the model’s provider.", kind: "count" },
  max_tool_calls: { label: "Maximum tool calls per turn", words: "", kind: "count" },
  max_tokens: { label: "Maximum tokens per turn", words: "Input and output together.", kind: "count" },
  max_turn_s: {
    label: "Maximum time per turn",
    words: "In seconds, or like 10 min or 2 h. Waiting for you does not count.",
    kind: "seconds",
  },
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

const EXAMPLES = {
  count: "Write it like 1000 or 20k.",
  seconds: "Write it like 90, 1.5 h or 10 min.",
};

export function ConfigSection() {
  const config = usePicture((state) => state.config);
  const id = useId();
  if (config === null) return <p className="quiet">Loading…</p>;
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
      <section aria-label="Set at start">
        <h2>Set at start</h2>
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
  /** Why the text was not sent. */
  const [misread, setMisread] = useState<{ message: string; hint: string } | null>(null);
  const id = useId();
  if (known !== shown) {
    setKnown(shown);
    setText(shown);
  }
  const set = (next: unknown): void => void change({ [name]: next });
  function submit(): void {
    setMisread(null);
    if (about.kind === "count" || about.kind === "seconds") {
      const number = numberOf(text, about.kind);
      if (number !== null) set(number);
      else setMisread({ message: "This can’t be read as one number.", hint: EXAMPLES[about.kind] });
    } else set(about.kind === "names" ? text.split(/[\s,]+/).filter((name) => name !== "") : text);
  }
  return (
    <li className="row-item">
      <form
        className="value-row"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
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
            value={text}
            spellCheck={false}
            aria-invalid={misread !== null}
            onChange={(event) => {
              setText(event.target.value);
              setMisread(null);
            }}
          />
        )}
        <span className="value-buttons">
          {text !== shown && (
            <button type="submit" className="primary" disabled={busy || (about.kind !== "names" && text.trim() === "")}>
              Save
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
              Reset to default
            </button>
          )}
        </span>
      </form>
      <Problem problem={misread ?? problem} />
    </li>
  );
}
