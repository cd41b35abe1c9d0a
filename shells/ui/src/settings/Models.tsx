// Which model answers, whether it works, and the keys that it needs.
import type { ModelCheck, ModelInfo, SecretInfo } from "@aster-sidecar/client";
import { useId, useState, type ReactNode } from "react";
import { Note } from "../Buttons.js";
import { useEndpoint } from "../endpoint.js";
import { client, usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { visible } from "../Plain.js";
import { said } from "../problems.js";
import { duration, sentence } from "../words.js";
import { Problem } from "./Problem.js";
import { useConfigChange } from "./useConfig.js";

const EVENTS = ["config_changed", "secrets_changed"] as const;

export function ModelsSection() {
  const models = useEndpoint<ModelInfo[]>("/api/models", EVENTS);
  const secrets = useEndpoint<SecretInfo[]>("/api/secrets", EVENTS);
  const setting = usePicture((state) => state.config?.values.model);
  const { change, busy, wanted, problem } = useConfigChange();
  const [other, setOther] = useState("");
  const id = useId();
  const chosen = typeof setting?.value === "string" ? setting.value : "";
  const shown = useInPlace(models.data);
  const selected = wanted.model ?? chosen;
  const demo = shown.filter(({ provider }) => provider === DEMO);
  // Local providers that are not running are named in a sentence, because their rows could not be used.
  const here = shown.filter((model) => LOCAL.has(model.provider) && (isHere(model) || model.name === selected));
  const online = shown.filter(({ provider }) => provider !== DEMO && !LOCAL.has(provider));
  const row = (model: ModelInfo) => (
    <ModelRow
      key={model.name}
      model={model}
      group={`${id}-model`}
      selected={model.name === selected}
      lacking={lacksKey(model, secrets.data)}
      onChoose={() => void change({ model: model.name })}
    />
  );
  return (
    <>
      <section aria-labelledby={`${id}-models`}>
        <h2 id={`${id}-models`}>{texts.shared.model}</h2>
        <p className="quiet">
          {setting && chosen !== ""
            ? texts.settings.models.chosen(visible(chosen), texts.settings.sources[setting.source] ?? setting.source)
            : texts.settings.models.none}
        </p>
        <Problem problem={problem ?? models.problem} />
        {models.data === null && models.problem === null && <p className="quiet">{texts.settings.models.looking}</p>}
        <div role="radiogroup" aria-labelledby={`${id}-models`}>
          <Group title={texts.settings.models.here}>
            {here.length > 0 && <div className="choices">{here.map(row)}</div>}
            {models.data !== null && !models.data.some(isHere) && (
              <p className="quiet nothing-here">
                {texts.settings.models.nothingHere}
                <button type="button" className="small-button" onClick={models.reload}>
                  {texts.settings.models.lookAgain}
                </button>
              </p>
            )}
          </Group>
          <Group title={texts.settings.models.online}>
            <div className="choices">{online.map(row)}</div>
          </Group>
          <Group title={texts.settings.models.toLookAround}>
            <div className="choices">{demo.map(row)}</div>
          </Group>
        </div>
        <form
          className="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            if (other.trim() !== "") void change({ model: other.trim() }).then((done) => done && setOther(""));
          }}
        >
          <label htmlFor={`${id}-other`}>{texts.settings.models.other}</label>
          <input
            id={`${id}-other`}
            value={other}
            maxLength={200}
            placeholder={texts.settings.models.otherExample}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setOther(event.target.value)}
          />
          <button type="submit" disabled={busy || other.trim() === ""}>
            {texts.settings.models.use}
          </button>
        </form>
        <Check chosen={chosen} />
      </section>
      {secrets.data !== null && (
        <section aria-labelledby={`${id}-keys`}>
          <h2 id={`${id}-keys`}>{texts.settings.models.keys}</h2>
          <p className="quiet">{texts.settings.models.keysLead}</p>
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

const DEMO = "demo";
const LOCAL = new Set(["local", "ollama", "lmstudio", "llamacpp"]);

/** Whether a server on this machine offers it. */
const isHere = (model: ModelInfo): boolean => LOCAL.has(model.provider) && model.ready;

function Group({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <div role="group" aria-labelledby={id} className="choice-group">
      <h3 id={id} className="label">
        {title}
      </h3>
      {children}
    </div>
  );
}

interface ModelRowProps {
  model: ModelInfo;
  group: string;
  selected: boolean;
  lacking: SecretInfo | null;
  onChoose: () => void;
}

function ModelRow({ model, group, selected, lacking, onChoose }: ModelRowProps) {
  return (
    <div className={`choice-frame ${model.ready ? "" : "choice-off"}`}>
      <label className="choice">
        <input type="radio" name={group} checked={selected} onChange={onChoose} />
        <span className="choice-text">
          <span className="choice-name">
            <code>{visible(model.name)}</code>
            {model.ready ? (
              <span className="badge badge-good">{texts.settings.models.ready}</span>
            ) : (
              <span className="badge">{lacking ? texts.settings.models.needsKey : texts.settings.models.notReady}</span>
            )}
            {model.loaded === true && <span className="badge">{texts.settings.models.loaded}</span>}
          </span>
          <span className="quiet">
            {model.provider === DEMO && texts.settings.models.demo}
            {model.name === "local" && <>{texts.settings.models.local} </>}
            {model.why_not != null && !lacking && visible(sentence(model.why_not))}
            {model.context_window != null && <> {texts.settings.models.context(model.context_window)}</>}
          </span>
        </span>
      </label>
      {selected && !model.ready && <NotReady model={model} lacking={lacking} />}
    </div>
  );
}

/** The key's entry, if the model lacks only a key. */
function lacksKey(model: ModelInfo, secrets: readonly SecretInfo[] | null): SecretInfo | null {
  const secret = secrets?.find(({ provider, set }) => provider === model.provider && !set);
  return !model.ready && secret && model.why_not?.includes(secret.variable) === true ? secret : null;
}

/** The list in its first order, including models that are no longer listed: no row moves under the pointer. */
function useInPlace(models: readonly ModelInfo[] | null): readonly ModelInfo[] {
  const [known, setKnown] = useState<readonly ModelInfo[]>([]);
  const [read, setRead] = useState<readonly ModelInfo[] | null>(null);
  if (models !== null && models !== read) {
    const now = new Map(models.map((model) => [model.name, model]));
    const had = new Set(known.map(({ name }) => name));
    setRead(models);
    setKnown([...known.map((model) => now.get(model.name) ?? model), ...models.filter(({ name }) => !had.has(name))]);
  }
  return known;
}

/** What the chosen model lacks, shown below it. */
function NotReady({ model, lacking }: { model: ModelInfo; lacking: SecretInfo | null }) {
  return (
    <div className="choice-more">
      {lacking === null ? (
        <Note kind="warning">{texts.settings.models.cannotAnswer(visible(sentence(model.why_not ?? "")))}</Note>
      ) : (
        <>
          <Note kind="warning">{texts.settings.models.cannotAnswerWithoutKey}</Note>
          <KeyForm secret={lacking} onDone={() => undefined} />
        </>
      )}
    </div>
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
        {state === "busy" ? texts.settings.models.testing : texts.settings.models.test}
      </button>
      <span className="quiet" role="status">
        {result?.ok === true && texts.settings.models.answered(result.model, duration(result.duration_ms))}
        {result === null && state !== "busy" && texts.settings.models.testHint}
      </span>
      {result?.error && <Problem problem={result.error} />}
      <Problem problem={problem} />
    </div>
  );
}

/** Sends a key to the daemon, which by default tests it with one request before it saves it. */
function KeyForm({ secret, onDone }: { secret: SecretInfo; onDone: () => void }) {
  const { provider, source } = secret;
  const [value, setValue] = useState("");
  const [check, setCheck] = useState(true);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();

  async function save(): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      await client.call("PUT", pathOf(provider), { value, ...(check && { check }) });
      setValue("");
      onDone();
    } catch (error) {
      setProblem(said(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <form
        className="secret-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (value !== "") void save();
        }}
      >
        <label htmlFor={id}>{texts.settings.models.keyFor(visible(provider))}</label>
        <input
          id={id}
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={value}
          onChange={(event) => setValue(event.target.value)}
        />
        <label className="check-label">
          <input type="checkbox" checked={check} onChange={(event) => setCheck(event.target.checked)} />
          {texts.settings.models.testKey}
        </label>
        <button type="submit" className="primary" disabled={busy || value === ""}>
          {busy ? (check ? texts.settings.models.testing : texts.settings.models.saving) : texts.shared.save}
        </button>
        {source === "environment" && <p className="quiet">{texts.settings.models.environmentFirst}</p>}
      </form>
      <Problem problem={problem} />
    </>
  );
}

const pathOf = (provider: string): string => `/api/secrets/${encodeURIComponent(provider)}`;

function SecretRow({ secret }: { secret: SecretInfo }) {
  const { provider, variable, set, source } = secret;
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);

  async function remove(): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      await client.call("DELETE", pathOf(provider));
      setOpen(false);
    } catch (error) {
      setProblem(said(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <li className="row-item">
      <div className="row-main">
        <strong>{visible(provider)}</strong>
        <span className="row-badges">
          {!set && <span className="quiet">{texts.settings.models.noKey}</span>}
          {source === "environment" && (
            <span className="badge">{texts.settings.models.fromVariable(visible(variable))}</span>
          )}
          {source === "keychain" && <span className="badge badge-good">{texts.settings.models.inKeychain}</span>}
          {source === "file" && <span className="badge badge-warning">{texts.settings.models.inFile}</span>}
        </span>
        <button type="button" className="small-button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {set && source !== "environment" ? texts.settings.models.replaceKey : texts.settings.models.addKey}
        </button>
        {set && source !== "environment" && (
          <button type="button" className="small-button danger" disabled={busy} onClick={() => void remove()}>
            {texts.shared.remove}
          </button>
        )}
      </div>
      {open && <KeyForm secret={secret} onDone={() => setOpen(false)} />}
      <Problem problem={problem} />
    </li>
  );
}
