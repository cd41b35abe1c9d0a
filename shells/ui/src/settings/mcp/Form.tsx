// The form that adds an MCP server, or changes one.
import type { McpServerDetails, McpTryAnswer } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState } from "react";
import { announce } from "../../announce.js";
import { client } from "../../engine.js";
import { texts } from "../../messages.js";
import { visible } from "../../Plain.js";
import { said } from "../../problems.js";
import { sentence } from "../../words.js";
import { Problem } from "../Problem.js";
import { splitCommand } from "./commandLine.js";
import { draftOf, EMPTY, faultIn, patchOf, specOf, type Draft } from "./draft.js";
import { About } from "./Tools.js";
import { pathOf } from "./useServer.js";
import { Values } from "./Values.js";

interface FormProps {
  /** The server to change; without it, one is added. */
  server?: McpServerDetails;
  /** Names that a new server can't have. */
  taken: readonly string[];
  /** With the name of the server that was saved, or null. */
  onDone: (name: string | null) => void;
}

type Said = ReturnType<typeof said>;

export function Form({ server, taken, onDone }: FormProps) {
  const [draft, setDraft] = useState<Draft>(() => (server ? draftOf(server.name, server.config) : EMPTY));
  const [problem, setProblem] = useState<Said | null>(null);
  const [saving, setSaving] = useState(false);
  const [tried, setTried] = useState<McpTryAnswer | null>(null);
  /** Stops the try that is running. */
  const [trying, setTrying] = useState<AbortController | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const tryButton = useRef<HTMLButtonElement>(null);
  const id = useId();
  const program = draft.kind === "program";
  const { words } = splitCommand(draft.command);
  const { hidden } = specOf(draft);

  useEffect(() => {
    form.current?.querySelector<HTMLElement>("input:not([type=radio]), textarea")?.focus();
  }, []);
  useEffect(() => () => trying?.abort(), [trying]);

  function change(changed: Partial<Draft>): void {
    setDraft((now) => ({ ...now, ...changed }));
    setTried(null);
  }

  /** Shows what is wrong with a draft. Returns whether nothing is. */
  function isComplete(written: Draft, others: readonly string[]): boolean {
    const fault = faultIn(written, others);
    setProblem(fault && { message: texts.settings.mcp.faults[fault.why](fault.about), hint: null });
    const wrong = fault && FIELD[fault.why];
    if (wrong) document.getElementById(`${id}-${wrong}`)?.focus();
    return fault === null;
  }

  function save(): void {
    if (!isComplete(draft, taken)) return;
    setSaving(true);
    const { name } = draft;
    const call = server
      ? client.call("PATCH", pathOf(name), patchOf(draft, server.config))
      : client.call("PUT", pathOf(name), specOf(draft).spec);
    call.then(
      () => onDone(name),
      (error: unknown) => {
        setSaving(false);
        setProblem(said(error));
      },
    );
  }

  function test(): void {
    const name = draft.name === "" ? UNNAMED : draft.name;
    if (!isComplete({ ...draft, name }, [])) return;
    const { tools, disabled_tools, risk } = server?.config ?? {};
    const spec = {
      ...specOf(draft).spec,
      ...(tools && { tools }),
      ...(disabled_tools && { disabled_tools }),
      ...(risk && { risk }),
      name,
    };
    const stop = new AbortController();
    setTrying(stop);
    setTried(null);
    client.call<McpTryAnswer>("POST", "/api/mcp/try", spec, { signal: stop.signal }).then(
      (answer) => {
        setTrying(null);
        setTried(answer);
      },
      (error: unknown) => {
        setTrying(null);
        if (stop.signal.aborted) announce(texts.settings.mcp.tryStopped);
        else setProblem(said(error));
      },
    );
  }

  return (
    <form
      ref={form}
      className="card form"
      aria-label={server ? texts.settings.mcp.editTitle : texts.settings.mcp.open.add}
      onSubmit={(event) => {
        event.preventDefault();
        if (!saving) save();
      }}
    >
      {!server && (
        <div className="field">
          <label htmlFor={`${id}-name`}>{texts.settings.mcp.name}</label>
          <input
            id={`${id}-name`}
            className="mono"
            value={draft.name}
            maxLength={32}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            aria-describedby={`${id}-name-help`}
            onChange={(event) => change({ name: event.target.value })}
          />
          <p id={`${id}-name-help`} className="quiet">
            {texts.settings.mcp.nameHelp}
          </p>
        </div>
      )}
      <div className="field" role="radiogroup" aria-labelledby={`${id}-kind`}>
        <span id={`${id}-kind`} className="mcp-label">
          {texts.settings.mcp.kind}
        </span>
        <div className="mcp-checks">
          {(["program", "address"] as const).map((kind) => (
            <label key={kind} className="check-label">
              <input type="radio" name={`${id}-kind`} checked={draft.kind === kind} onChange={() => change({ kind })} />
              {texts.settings.mcp.kinds[kind]}
            </label>
          ))}
        </div>
      </div>
      {program ? (
        <>
          <div className="field">
            <label htmlFor={`${id}-command`}>{texts.settings.mcp.command}</label>
            <textarea
              id={`${id}-command`}
              className="mono"
              rows={3}
              value={draft.command}
              placeholder={texts.settings.mcp.commandExample}
              autoCapitalize="none"
              spellCheck={false}
              aria-describedby={`${id}-split`}
              onChange={(event) => change({ command: event.target.value })}
            />
            <div id={`${id}-split`} className="mcp-split">
              {words.length === 0 ? (
                <p className="quiet">{texts.settings.mcp.commandHelp}</p>
              ) : (
                <>
                  <span className="quiet">{texts.settings.mcp.splitInto}</span>
                  <ul className="tags">
                    {words.map((word, place) => (
                      <li key={place}>
                        <code className={place === 0 ? "mcp-program" : undefined}>{visible(word)}</code>
                      </li>
                    ))}
                  </ul>
                </>
              )}
            </div>
          </div>
          <Values
            kind="env"
            values={draft.env}
            onChange={(next) => {
              setDraft((now) => ({ ...now, env: typeof next === "function" ? next(now.env) : next }));
              setTried(null);
            }}
          />
          <div className="field">
            <label htmlFor={`${id}-cwd`}>{texts.settings.mcp.folder}</label>
            <input
              id={`${id}-cwd`}
              className="mono"
              value={draft.cwd}
              autoComplete="off"
              spellCheck={false}
              aria-describedby={`${id}-cwd-help`}
              onChange={(event) => change({ cwd: event.target.value })}
            />
            <p id={`${id}-cwd-help`} className="quiet">
              {texts.settings.mcp.folderHelp}
            </p>
          </div>
        </>
      ) : (
        <>
          <div className="field">
            <label htmlFor={`${id}-url`}>{texts.settings.mcp.address}</label>
            <input
              id={`${id}-url`}
              className="mono"
              inputMode="url"
              value={draft.url}
              placeholder={texts.settings.mcp.addressExample}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              onChange={(event) => change({ url: event.target.value })}
            />
          </div>
          <Values
            kind="headers"
            values={draft.headers}
            onChange={(next) => {
              setDraft((now) => ({ ...now, headers: typeof next === "function" ? next(now.headers) : next }));
              setTried(null);
            }}
          />
        </>
      )}
      <div className="field" role="radiogroup" aria-labelledby={`${id}-roots`}>
        <span id={`${id}-roots`} className="mcp-label">
          {texts.settings.mcp.roots.title}
        </span>
        <div className="mcp-checks">
          {([null, ""] as const).map((roots) => (
            <label key={String(roots)} className="check-label">
              <input
                type="radio"
                name={`${id}-roots`}
                checked={(draft.roots === null) === (roots === null)}
                onChange={() => change({ roots })}
              />
              {roots === null ? texts.settings.mcp.roots.conversation : texts.settings.mcp.roots.these}
            </label>
          ))}
        </div>
        {draft.roots !== null && (
          <textarea
            className="mono"
            rows={3}
            value={draft.roots}
            autoCapitalize="none"
            spellCheck={false}
            aria-label={texts.settings.mcp.roots.folders}
            aria-describedby={`${id}-roots-help`}
            onChange={(event) => change({ roots: event.target.value })}
          />
        )}
        <p id={`${id}-roots-help`} className="quiet">
          {draft.roots === null ? texts.settings.mcp.roots.conversationHelp : texts.settings.mcp.roots.theseHelp}
        </p>
      </div>
      <div className="field">
        <label htmlFor={`${id}-timeout`}>{texts.settings.mcp.timeout}</label>
        <input
          id={`${id}-timeout`}
          inputMode="decimal"
          value={draft.timeout}
          placeholder="60"
          autoComplete="off"
          aria-describedby={`${id}-timeout-help`}
          onChange={(event) => change({ timeout: event.target.value })}
        />
        <p id={`${id}-timeout-help`} className="quiet">
          {texts.settings.mcp.timeoutHelp}
        </p>
      </div>
      <Problem problem={problem} />
      <div className="form-buttons">
        <button type="submit" className="primary" disabled={saving}>
          {server ? texts.shared.save : texts.settings.mcp.add}
        </button>
        <button
          ref={tryButton}
          type="button"
          aria-disabled={trying !== null || hidden.length > 0}
          aria-describedby={hidden.length > 0 ? `${id}-hidden` : undefined}
          onClick={() => {
            if (trying === null && hidden.length === 0) test();
          }}
        >
          {trying ? texts.settings.mcp.trying : texts.settings.mcp.try}
        </button>
        {trying && (
          <button
            type="button"
            onClick={() => {
              trying.abort();
              tryButton.current?.focus();
            }}
          >
            {texts.settings.mcp.stopTrying}
          </button>
        )}
        <button type="button" className="quiet-button" onClick={() => onDone(null)}>
          {texts.shared.cancel}
        </button>
      </div>
      {hidden.length > 0 && (
        <p id={`${id}-hidden`} className="quiet">
          {texts.settings.mcp.notTriable(hidden.join(", "))}
        </p>
      )}
      <div role="status">{tried?.ok === true && <Tried answer={tried} />}</div>
      {tried?.ok === false && (
        <div className="mcp-error">
          <Problem
            problem={{ message: sentence(tried.error ?? texts.settings.mcp.noAnswer), hint: tried.hint ?? null }}
          />
        </div>
      )}
    </form>
  );
}

/** The name that a server has while it is tried, if it has none yet. */
const UNNAMED = "new";

/** The field to which a fault belongs. */
const FIELD: Record<string, string> = {
  badName: "name",
  nameTaken: "name",
  noProgram: "command",
  openQuote: "command",
  noAddress: "url",
  badTimeout: "timeout",
};

/** What a server answered to a try. */
function Tried({ answer }: { answer: McpTryAnswer }) {
  const { tools = [], problems = [], implementation, protocol } = answer;
  return (
    <div className="answer-box">
      <p>
        <strong>{texts.settings.mcp.answered(tools.length)}</strong>{" "}
        <span className="quiet">{visible([implementation, protocol].filter((fact) => fact != null).join(", "))}</span>
      </p>
      <ul className="rows">
        {tools.map(({ tool, description, problem }) => (
          <li key={tool} className="row-item">
            <code>{visible(tool)}</code>
            <About description={description} />
            {problem != null && <p className="quiet">{texts.settings.mcp.notOffered(visible(sentence(problem)))}</p>}
          </li>
        ))}
      </ul>
      {problems.map((problem) => (
        <p key={problem} className="quiet">
          {visible(sentence(problem))}
        </p>
      ))}
    </div>
  );
}
