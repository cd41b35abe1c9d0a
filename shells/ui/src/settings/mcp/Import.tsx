// Adds MCP servers from the files of other apps.
import type { McpCandidate, McpImported, McpSource } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState } from "react";
import { client } from "../../engine.js";
import { texts } from "../../messages.js";
import { visible, visibleText } from "../../Plain.js";
import { said } from "../../problems.js";
import { capital, sentence } from "../../words.js";
import { Problem } from "../Problem.js";

type Said = ReturnType<typeof said>;

/** The key of a candidate, or of a value that it needs. */
const keyOf = (...parts: string[]): string => JSON.stringify(parts);

interface ImportProps {
  /** With the names of the servers that were added; empty: cancelled. */
  onDone: (added: readonly string[]) => void;
}

export function Import({ onDone }: ImportProps) {
  const [sources, setSources] = useState<readonly McpSource[] | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const [path, setPath] = useState("");
  const [problem, setProblem] = useState<Said | null>(null);
  const [pathProblem, setPathProblem] = useState<Said | null>(null);
  const [busy, setBusy] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();

  useEffect(() => {
    box.current?.focus();
    const stop = new AbortController();
    client
      .call<McpSource[]>("POST", "/api/mcp/sources", {}, { signal: stop.signal })
      .then(setSources, (error: unknown) => {
        if (stop.signal.aborted) return;
        setSources([]);
        setProblem(said(error));
      });
    return () => stop.abort();
  }, []);

  async function look(): Promise<void> {
    setPathProblem(null);
    try {
      const found = await client.call<McpSource[]>("POST", "/api/mcp/sources", { path: path.trim() });
      setSources((now) => [...(now ?? []).filter((one) => found.every((other) => other.path !== one.path)), ...found]);
      setPath("");
    } catch (error) {
      setPathProblem(said(error));
    }
  }

  const selected = (sources ?? []).flatMap((source) =>
    source.servers
      .filter(({ name, importable }) => importable && chosen.has(keyOf(source.path, name)))
      .map((server) => ({ source, server })),
  );

  /** Why the selected servers can't be added yet, or null. */
  function lacking(): string | null {
    const names = new Set<string>();
    for (const { source, server } of selected) {
      if (names.has(server.name)) return texts.settings.mcp.import.twice(server.name);
      names.add(server.name);
      for (const need of server.needs)
        if (!values[keyOf(source.path, server.name, need.name)])
          return texts.settings.mcp.import.missing(visibleText(need.description || need.name), server.name);
    }
    return null;
  }

  async function add(): Promise<void> {
    const why = lacking();
    setProblem(why === null ? null : { message: why, hint: null });
    if (why !== null) return;
    setBusy(true);
    const added: string[] = [];
    try {
      // One file after the other. If one fails, the servers before it stay added, and are not added again.
      for (const { path: file } of sources ?? []) {
        const here = selected.filter(({ source }) => source.path === file).map(({ server }) => server);
        if (here.length === 0) continue;
        const given = here
          .filter(({ needs }) => needs.length > 0)
          .map(({ name, needs }) => [
            name,
            Object.fromEntries(needs.map((need) => [need.name, { secret: values[keyOf(file, name, need.name)] }])),
          ]);
        const body = { path: file, names: here.map(({ name }) => name), values: Object.fromEntries(given) as object };
        const { servers } = await client.call<McpImported>("POST", "/api/mcp/import", body);
        added.push(...servers.map(({ name }) => name));
        setChosen((now) => new Set([...now].filter((key) => !here.some(({ name }) => key === keyOf(file, name)))));
      }
      onDone(added);
    } catch (error) {
      setBusy(false);
      setProblem(said(error));
    }
  }

  return (
    <div ref={box} className="card form" role="group" aria-labelledby={`${id}-lead`} tabIndex={-1}>
      <p id={`${id}-lead`} className="quiet">
        {texts.settings.mcp.import.lead}
      </p>
      <div role="status" className="quiet">
        {sources === null && texts.settings.mcp.import.looking}
        {sources?.length === 0 && texts.settings.mcp.import.nothing}
      </div>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy && selected.length > 0) void add();
        }}
      >
        {sources?.map((source) => (
          <fieldset key={source.path} className="mcp-source">
            <legend>
              <strong>{visible(source.app)}</strong>
            </legend>
            <code className="quiet">{visible(source.path)}</code>
            {source.problems.map((wrong) => (
              <p key={wrong} className="quiet">
                {visible(sentence(wrong))}
              </p>
            ))}
            {source.servers.length === 0 && source.problems.length === 0 && (
              <p className="quiet">{texts.settings.mcp.import.noServers}</p>
            )}
            {source.servers.map((server) => {
              const key = keyOf(source.path, server.name);
              return (
                <Candidate
                  key={key}
                  server={server}
                  chosen={chosen.has(key)}
                  onChoose={(on) => {
                    setProblem(null);
                    setChosen((now) => new Set(on ? [...now, key] : [...now].filter((one) => one !== key)));
                  }}
                  valueOf={(need) => values[keyOf(source.path, server.name, need)] ?? ""}
                  onValue={(need, value) =>
                    setValues((now) => ({ ...now, [keyOf(source.path, server.name, need)]: value }))
                  }
                />
              );
            })}
          </fieldset>
        ))}
        <Problem problem={problem} />
        <div className="form-buttons">
          <button type="submit" className="primary" disabled={busy || selected.length === 0}>
            {texts.settings.mcp.import.addSelected(selected.length)}
          </button>
          <button type="button" className="quiet-button" onClick={() => onDone([])}>
            {texts.shared.cancel}
          </button>
        </div>
      </form>
      <form
        className="inline-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (path.trim() !== "") void look();
        }}
      >
        <label htmlFor={`${id}-path`}>{texts.settings.mcp.import.otherFile}</label>
        <input
          id={`${id}-path`}
          className="mono"
          value={path}
          placeholder={texts.settings.mcp.import.otherExample}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setPath(event.target.value)}
        />
        <button type="submit" disabled={path.trim() === ""}>
          {texts.settings.mcp.import.look}
        </button>
      </form>
      <Problem problem={pathProblem} />
    </div>
  );
}

interface CandidateProps {
  server: McpCandidate;
  chosen: boolean;
  onChoose: (on: boolean) => void;
  valueOf: (need: string) => string;
  onValue: (need: string, value: string) => void;
}

function Candidate({ server, chosen, onChoose, valueOf, onValue }: CandidateProps) {
  const { name, title, where, importable, problems, exists, secrets, needs } = server;
  const id = useId();
  return (
    <div className="mcp-candidate">
      <label className="choice-line">
        <input
          type="checkbox"
          checked={importable && chosen}
          disabled={!importable}
          aria-describedby={`${id}-about`}
          onChange={(event) => onChoose(event.target.checked)}
        />
        <span className="choice-name">
          {visible(texts.settings.mcp.import.title(name, title))}
          {!importable && <span className="badge badge-warning">{texts.settings.mcp.import.not}</span>}
        </span>
      </label>
      <div id={`${id}-about`} className="mcp-candidate-about quiet">
        <code>{visible(where)}</code>
        {exists && importable && <p>{texts.settings.mcp.import.exists}</p>}
        {problems.map((wrong) => (
          <p key={wrong}>{visible(sentence(wrong))}</p>
        ))}
        {secrets.length > 0 && importable && <p>{texts.settings.mcp.import.secrets(secrets.join(", "))}</p>}
      </div>
      {importable &&
        chosen &&
        needs.map((need) => (
          <div key={keyOf(need.key, need.name)} className="field mcp-candidate-about">
            <label htmlFor={`${id}-${need.key}-${need.name}`}>{visible(capital(need.description || need.name))}</label>
            <input
              id={`${id}-${need.key}-${need.name}`}
              type="password"
              autoComplete="off"
              spellCheck={false}
              value={valueOf(need.name)}
              onChange={(event) => onValue(need.name, event.target.value)}
            />
          </div>
        ))}
    </div>
  );
}
