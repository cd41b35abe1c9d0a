// One MCP server: its state, its settings, and what it offers.
import type { McpServer, McpServerDetails } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState } from "react";
import { announce } from "../../announce.js";
import { client, usePicture } from "../../engine.js";
import { texts } from "../../messages.js";
import { visible, visibleText } from "../../Plain.js";
import { said } from "../../problems.js";
import { go, mcpHref } from "../../route.js";
import { bytes, when } from "../../words.js";
import { Problem } from "../Problem.js";
import { AgentsChoice, RiskChoice } from "./Choices.js";
import { Form } from "./Form.js";
import { Log } from "./Log.js";
import { State, Trouble } from "./State.js";
import { Tools } from "./Tools.js";
import { pathOf, useServerActions, useServerDetails } from "./useServer.js";

export function Server({ name, onLeave }: { name: string; onLeave: (removed: boolean) => void }) {
  const server = usePicture((state) => state.mcp.find((one) => one.name === name && !one.managed));
  const title = useRef<HTMLHeadingElement>(null);
  const id = useId();
  useEffect(() => title.current?.focus(), []);
  return (
    <section aria-labelledby={id}>
      <p className="mcp-back">
        <a href="#/settings/mcp" onClick={() => onLeave(false)}>
          {texts.settings.mcp.back}
        </a>
      </p>
      <h2 id={id} ref={title} tabIndex={-1}>
        {visible(name)}
      </h2>
      {server ? (
        <Loaded key={name} server={server} onLeave={onLeave} />
      ) : (
        <p className="quiet">{texts.settings.mcp.gone}</p>
      )}
    </section>
  );
}

function Loaded({ server, onLeave }: { server: McpServer; onLeave: (removed: boolean) => void }) {
  const { name, state } = server;
  const details = useServerDetails(name);
  const { on, turn, restart, problem } = useServerActions(server);
  const [editing, setEditing] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  const id = useId();
  const { data, change, failed } = details;
  return (
    <>
      <div className="row-main">
        <State state={state} />
        <label className="check-label">
          <input
            type="checkbox"
            role="switch"
            aria-label={texts.settings.mcp.useServer(visibleText(name))}
            checked={on}
            onChange={(event) => turn(event.target.checked)}
          />
          {texts.settings.mcp.on}
        </label>
        <button type="button" className="small-button" disabled={!on} onClick={restart}>
          {texts.shared.restart}
        </button>
        <button
          ref={edit}
          type="button"
          className="small-button"
          aria-expanded={editing}
          disabled={data === null}
          onClick={() => setEditing(!editing)}
        >
          {texts.shared.edit}
        </button>
        <Remove name={name} onRemoved={() => onLeave(true)} />
      </div>
      <Problem problem={problem ?? failed ?? details.problem} />
      <Trouble server={server} />
      {editing && data && (
        <Form
          server={data}
          taken={[]}
          onDone={(saved) => {
            setEditing(false);
            edit.current?.focus();
            if (saved === null) return;
            details.reload();
            announce(texts.settings.mcp.saved);
          }}
        />
      )}
      <Facts server={server} data={data} />
      {data && (
        <>
          <Tools tools={data.tool_list} state={state} onChange={change} />
          <RiskChoice risk={data.config.risk} onChoose={(risk) => change(() => ({ risk }))} />
          <AgentsChoice agents={data.config.agents} onChoose={(agents) => change(() => ({ agents }))} />
          {data.resource_list.length > 0 && (
            <section aria-labelledby={`${id}-resources`}>
              <h3 id={`${id}-resources`}>{texts.settings.mcp.resources}</h3>
              <ul className="rows">
                {data.resource_list.map(({ uri, name: called, title, description, mime_type, size }) => (
                  <li key={uri} className="row-item">
                    <strong>{visible(title ?? called)}</strong> <code className="mcp-address">{visible(uri)}</code>{" "}
                    <span className="quiet">
                      {visible([mime_type, size == null ? null : bytes(size)].filter(Boolean).join(", "))}
                    </span>
                    {description != null && <p className="quiet">{visible(description)}</p>}
                  </li>
                ))}
              </ul>
            </section>
          )}
          {data.prompt_list.length > 0 && (
            <section aria-labelledby={`${id}-prompts`}>
              <h3 id={`${id}-prompts`}>{texts.settings.mcp.prompts}</h3>
              <ul className="rows">
                {data.prompt_list.map(({ name: called, title, description, arguments: takes }) => (
                  <li key={called} className="row-item">
                    <strong>{visible(title ?? called)}</strong>{" "}
                    {takes.map(({ name: argument, required, description: about }) => (
                      <code key={argument} className="mcp-argument" title={visibleText(about ?? "")}>
                        {visible(argument)}
                        {required !== true && texts.settings.mcp.optional}
                      </code>
                    ))}
                    {description != null && <p className="quiet">{visible(description)}</p>}
                  </li>
                ))}
              </ul>
            </section>
          )}
        </>
      )}
      <Log name={name} />
    </>
  );
}

function Facts({ server, data }: { server: McpServer; data: McpServerDetails | null }) {
  const { transport, where, pid, ready_since, protocol, implementation, failures } = server;
  const args = data?.config.args ?? [];
  const facts: [string, string | null][] = [
    [transport === "http" ? texts.settings.mcp.address : texts.settings.mcp.program, where],
    [texts.shared.arguments, args.length > 0 ? args.join(" ") : null],
    [texts.settings.mcp.implementation, implementation],
    [texts.settings.mcp.protocol, protocol],
    [texts.settings.about.process, pid === null ? null : String(pid)],
    [texts.settings.mcp.readySince, ready_since === null ? null : when(ready_since)],
    [texts.settings.mcp.failures, failures > 0 ? String(failures) : null],
  ];
  return (
    <dl className="facts">
      {facts.map(
        ([fact, value]) =>
          value !== null && (
            <div key={fact} className="fact">
              <dt>{fact}</dt>
              <dd>{visible(value)}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

/** Removes a server, after a question. */
function Remove({ name, onRemoved }: { name: string; onRemoved: () => void }) {
  const [asked, setAsked] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const first = useRef<HTMLButtonElement>(null);
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (asked) keep.current?.focus();
  }, [asked]);
  function remove(): void {
    client.call("DELETE", pathOf(name)).then(
      () => {
        announce(texts.settings.mcp.removed(visibleText(name)));
        onRemoved();
        if (window.location.hash === mcpHref(name)) go("#/settings/mcp");
      },
      (error: unknown) => {
        setAsked(false);
        setProblem(said(error));
      },
    );
  }
  return (
    <>
      {asked ? (
        <>
          <span role="alert">{texts.settings.mcp.sure}</span>
          <button type="button" className="small-button danger" onClick={remove}>
            {texts.settings.mcp.removeNow}
          </button>
          <button
            ref={keep}
            type="button"
            className="small-button"
            onClick={() => {
              setAsked(false);
              setTimeout(() => first.current?.focus());
            }}
          >
            {texts.shared.keep}
          </button>
        </>
      ) : (
        <button ref={first} type="button" className="small-button danger" onClick={() => setAsked(true)}>
          {texts.settings.mcp.remove}
        </button>
      )}
      <Problem problem={problem} />
    </>
  );
}
