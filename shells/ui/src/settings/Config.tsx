// Every value of the configuration and its source, with a field for each value that can be set here.
import { useId, useState } from "react";
import { Note } from "../Buttons.js";
import { host, usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { numberOf } from "../numbers.js";
import { visible } from "../Plain.js";
import { Problem } from "./Problem.js";
import { useConfigChange } from "./useConfig.js";

interface Key {
  label: string;
  words?: string;
  kind: "text" | "count" | "seconds" | "choice" | "names";
  choices?: Readonly<Record<string, string>>;
}

const KEYS: Record<string, Key> = {
  work_dir: { ...texts.settings.config.workDir, kind: "text" },
  approval_timeout_s: {
    ...texts.settings.config.approvalTimeout,
    kind: "seconds",
  },
  on_unattended: {
    ...texts.settings.config.onUnattended,
    kind: "choice",
  },
  max_requests: { ...texts.settings.config.maxRequests, kind: "count" },
  max_tool_calls: { ...texts.settings.config.maxToolCalls, kind: "count" },
  max_tokens: { ...texts.settings.config.maxTokens, kind: "count" },
  max_turn_s: {
    ...texts.settings.config.maxTurn,
    kind: "seconds",
  },
  pass_environment: {
    ...texts.settings.config.passEnvironment,
    kind: "names",
  },
  command_path: {
    ...texts.settings.config.commandPath,
    kind: "text",
  },
};

export function ConfigSection() {
  const config = usePicture((state) => state.config);
  const id = useId();
  if (config === null) return <p className="quiet">{texts.settings.config.loading}</p>;
  const others = Object.entries(config.values).filter(
    ([key]) => !(key in KEYS) && key !== "model" && key !== "vision" && key !== "permission_mode" && key !== "sandbox",
  );
  return (
    <>
      <section aria-labelledby={id}>
        <h2 id={id}>{texts.settings.sections.config}</h2>
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
      <section aria-label={texts.settings.config.atStart}>
        <h2>{texts.settings.config.atStart}</h2>
        <dl className="facts">
          {others.map(([name, { value, source }]) => (
            <div key={name} className="fact">
              <dt>
                <code>{name}</code>
              </dt>
              <dd>
                {visible(
                  value === null || value === ""
                    ? texts.shared.none
                    : typeof value === "string"
                      ? value
                      : JSON.stringify(value),
                )}{" "}
                <span className="quiet">{texts.settings.sources[source] ?? source}</span>
              </dd>
            </div>
          ))}
          <div className="fact">
            <dt>{texts.settings.config.configuration}</dt>
            <dd>
              <code>{visible(config.config_path)}</code>
            </dd>
          </div>
          <div className="fact">
            <dt>{texts.settings.config.data}</dt>
            <dd>
              <code>{visible(config.data_dir)}</code>
            </dd>
          </div>
          <div className="fact">
            <dt>{texts.settings.config.logs}</dt>
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
  /** The person's unsaved text: neither an answer nor another window overwrites it. */
  const [written, setWritten] = useState<string | null>(null);
  const text = written ?? shown;
  const { change, busy, problem, forget } = useConfigChange();
  /** Why the text was not sent. */
  const [misread, setMisread] = useState<{ message: string; hint: string } | null>(null);
  const id = useId();
  async function set(next: unknown): Promise<void> {
    const sent = written;
    if (await change({ [name]: next })) setWritten((now) => (now === sent ? null : now));
  }
  function submit(): void {
    setMisread(null);
    if (about.kind === "count" || about.kind === "seconds") {
      const number = numberOf(text, about.kind);
      if (number !== null) void set(number);
      else setMisread({ message: texts.settings.config.notANumber, hint: texts.settings.config.examples[about.kind] });
    } else void set(about.kind === "names" ? text.split(/[\s,]+/).filter((name) => name !== "") : text);
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
            {about.words} {about.words !== undefined && "· "}
            {texts.settings.sources[source] ?? source}
          </span>
        </label>
        {about.kind === "choice" ? (
          <select id={id} value={shown} disabled={busy} onChange={(event) => void set(event.target.value)}>
            {Object.keys(about.choices ?? {}).map((choice) => (
              <option key={choice} value={choice}>
                {about.choices?.[choice]}
              </option>
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
              setWritten(event.target.value);
              setMisread(null);
              forget();
            }}
          />
        )}
        <span className="value-buttons">
          {text !== shown && (
            <button type="submit" className="primary" disabled={about.kind !== "names" && text.trim() === ""}>
              {texts.shared.save}
            </button>
          )}
          {name === "work_dir" && host !== null && (
            <button
              type="button"
              onClick={() => {
                void host?.pickFolder().then((path) => path !== null && void set(path));
              }}
            >
              {texts.shared.choose}
            </button>
          )}
          {source === "api" && text === shown && (
            <button type="button" className="small-button" disabled={busy} onClick={() => void set(null)}>
              {texts.settings.config.reset}
            </button>
          )}
        </span>
      </form>
      <Problem problem={misread ?? problem} />
    </li>
  );
}
