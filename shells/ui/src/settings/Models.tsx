// Which model answers, whether it does, and the keys that it needs.
import type { ModelCheck, ModelInfo, SecretInfo } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { useEndpoint } from "../endpoint.js";
import { client, usePicture } from "../engine.js";
import { visible } from "../Plain.js";
import { count, duration, said } from "../words.js";
import { Problem } from "./Problem.js";
import { SOURCE, useConfigChange } from "./useConfig.js";

const EVENTS = ["config_changed", "secrets_changed"] as const;

export function ModelsSection() {
  const models = useEndpoint<ModelInfo[]>("/api/models", EVENTS);
  const secrets = useEndpoint<SecretInfo[]>("/api/secrets", EVENTS);
  const setting = usePicture((state) => state.config?.values.model);
  const { change, busy, wanted, problem } = useConfigChange();
  const [other, setOther] = useState("");
  const id = useId();
  const chosen = typeof setting?.value === "string" ? setting.value : "";
  return (
    <>
      <section aria-labelledby={`${id}-models`}>
        <h2 id={`${id}-models`}>Model</h2>
        <p className="quiet">
          {chosen === "" ? "None is chosen." : <>Messages go to {visible(chosen)}</>}
          {setting && chosen !== "" && <> ({SOURCE[setting.source] ?? setting.source}).</>} An agent may have its own.
        </p>
        <Problem problem={problem ?? models.problem} />
        {models.data === null && models.problem === null && <p className="quiet">Asking which there are…</p>}
        <div className="choices" role="radiogroup" aria-labelledby={`${id}-models`}>
          {models.data?.map((model) => (
            <label key={model.name} className={`choice ${model.ready ? "" : "choice-off"}`}>
              <input
                type="radio"
                name={`${id}-model`}
                checked={model.name === (wanted.model ?? chosen)}
                onChange={() => void change({ model: model.name })}
              />
              <span className="choice-text">
                <span className="choice-name">
                  <code>{visible(model.name)}</code>
                  {model.ready ? (
                    <span className="badge badge-good">ready</span>
                  ) : (
                    <span className="badge">not ready</span>
                  )}
                  {model.loaded === true && <span className="badge">loaded</span>}
                </span>
                <span className="quiet">
                  {model.name === "demo"
                    ? "A script in the daemon, without key or network: for trying out."
                    : model.name === "local"
                      ? "Whichever model runs on this machine. "
                      : ""}
                  {model.why_not != null && visible(model.why_not)}
                  {model.context_window != null && <> {count(model.context_window)} tokens of context.</>}
                </span>
              </span>
            </label>
          ))}
        </div>
        <form
          className="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            if (other.trim() !== "") void change({ model: other.trim() }).then((done) => done && setOther(""));
          }}
        >
          <label htmlFor={`${id}-other`}>Another one, as provider:name</label>
          <input
            id={`${id}-other`}
            value={other}
            maxLength={200}
            placeholder="openrouter:qwen/qwen3"
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setOther(event.target.value)}
          />
          <button type="submit" disabled={busy || other.trim() === ""}>
            Use it
          </button>
        </form>
        <Check chosen={chosen} />
      </section>
      {secrets.data !== null && (
        <section aria-labelledby={`${id}-keys`}>
          <h2 id={`${id}-keys`}>Keys</h2>
          <p className="quiet">
            A key is sent to the daemon once and never comes back: no page, log or answer shows it.
          </p>
          <ul className="rows">
            {secrets.data.map((secret) => (
              <SecretRow key={secret.provider} secret={secret} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** One real request to the chosen model. */
function Check({ chosen }: { chosen: string }) {
  const [state, setState] = useState<"idle" | "busy" | ModelCheck>("idle");
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const result = typeof state === "object" && state.model === chosen ? state : null;
  return (
    <div className="check">
      <button
        type="button"
        disabled={state === "busy" || chosen === ""}
        onClick={() => {
          setState("busy");
          setProblem(null);
          client.call<ModelCheck>("POST", "/api/models/check", {}).then(setState, (error: unknown) => {
            setState("idle");
            setProblem(said(error));
          });
        }}
      >
        {state === "busy" ? "Asking…" : "Try the model"}
      </button>
      <span className="quiet" role="status">
        {result?.ok === true && `${result.model} answered in ${duration(result.duration_ms)}.`}
        {result === null && state !== "busy" && "Sends one tiny request."}
      </span>
      {result?.error && <Problem problem={result.error} />}
      <Problem problem={problem} />
    </div>
  );
}

function SecretRow({ secret }: { secret: SecretInfo }) {
  const { provider, variable, set, source } = secret;
  const [open, setOpen] = useState(false);
  const [value, setValue] = useState("");
  const [check, setCheck] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();

  async function run(work: () => Promise<unknown>): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      await work();
      setOpen(false);
      setValue("");
    } catch (error) {
      setProblem(said(error));
    } finally {
      setBusy(false);
    }
  }

  const path = `/api/secrets/${encodeURIComponent(provider)}`;
  return (
    <li className="row-item">
      <div className="row-main">
        <strong>{visible(provider)}</strong>
        <span className="row-badges">
          {!set && <span className="quiet">no key</span>}
          {source === "environment" && <span className="badge">from {visible(variable)}</span>}
          {source === "keychain" && <span className="badge badge-good">in the keychain</span>}
          {source === "file" && <span className="badge badge-warning">unprotected, in a file</span>}
        </span>
        <button type="button" className="small-button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {set && source !== "environment" ? "Replace" : "Add a key"}
        </button>
        {set && source !== "environment" && (
          <button
            type="button"
            className="small-button danger"
            disabled={busy}
            onClick={() => void run(() => client.call("DELETE", path))}
          >
            Forget
          </button>
        )}
      </div>
      {open && (
        <form
          className="secret-form"
          onSubmit={(event) => {
            event.preventDefault();
            if (value !== "") void run(() => client.call("PUT", path, { value, ...(check && { check }) }));
          }}
        >
          <label htmlFor={id}>Key of {visible(provider)}</label>
          <input
            id={id}
            type="password"
            autoComplete="off"
            spellCheck={false}
            value={value}
            autoFocus
            onChange={(event) => setValue(event.target.value)}
          />
          <label className="check-label">
            <input type="checkbox" checked={check} onChange={(event) => setCheck(event.target.checked)} />
            Keep it only if a model answers to it (one request)
          </label>
          <button type="submit" className="primary" disabled={busy || value === ""}>
            {busy ? "Working…" : "Keep"}
          </button>
          {source === "environment" && <p className="quiet">The environment’s key goes before this one.</p>}
        </form>
      )}
      <Problem problem={problem} />
    </li>
  );
}
