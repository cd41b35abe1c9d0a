// MCP servers: the list, and forms that add some.
import type { McpServer } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState } from "react";
import { announce } from "../../announce.js";
import { client, store, usePicture } from "../../engine.js";
import { texts } from "../../messages.js";
import { visible, visibleText } from "../../Plain.js";
import { mcpHref } from "../../route.js";
import { Problem } from "../Problem.js";
import { Browser } from "./Browser.js";
import { Form } from "./Form.js";
import { Import } from "./Import.js";
import { Server } from "./Server.js";
import { State, Trouble } from "./State.js";
import { useServerActions } from "./useServer.js";

/** The server whose page was left: its link in the list gets the focus. Empty: it was removed. */
let left: string | null = null;

export default function McpSection({ item }: { item: string | null }) {
  useEffect(() => {
    // This starts servers that failed, once their delay has passed.
    client.call("GET", "/api/mcp").catch(() => undefined);
  }, []);
  if (item === null) return <List />;
  return (
    <Server
      key={item}
      name={item}
      onLeave={(removed) => {
        left = removed ? "" : item;
      }}
    />
  );
}

function List() {
  const all = usePicture((state) => state.mcp);
  const servers = all.filter(({ managed }) => !managed);
  const [open, setOpen] = useState<"add" | "import" | null>(null);
  const section = useRef<HTMLElement>(null);
  const id = useId();
  const names = all.map(({ name }) => name);

  function focusOn(name: string | null): void {
    const links = [...(section.current?.querySelectorAll<HTMLElement>("[data-server]") ?? [])];
    const link = links.find((one) => one.dataset.server === name);
    (link ?? section.current?.querySelector<HTMLElement>(`[data-opens="add"]`))?.focus();
  }

  useEffect(() => {
    if (left !== null) focusOn(left);
    left = null;
  }, []);

  async function done(added: readonly string[]): Promise<void> {
    const [first] = added;
    if (first === undefined) {
      const opener = section.current?.querySelector<HTMLElement>(`[data-opens="${open ?? "add"}"]`);
      setOpen(null);
      opener?.focus();
      return;
    }
    announce(texts.settings.mcp.added(added.join(", ")));
    // The event for the new server may arrive shortly after the answer.
    await Promise.race([
      store.until(({ mcp }) => mcp.some(({ name }) => name === first)),
      new Promise((resolve) => setTimeout(resolve, 1000)),
    ]);
    setOpen(null);
    setTimeout(() => focusOn(first));
  }

  return (
    <>
      <section ref={section} aria-labelledby={id}>
        <h2 id={id}>{texts.settings.sections.mcp}</h2>
        <p className="quiet">{texts.settings.mcp.lead}</p>
        {servers.length === 0 && <p className="quiet">{texts.settings.mcp.none}</p>}
        <ul className="rows">
          {servers.map((server) => (
            <Row key={server.name} server={server} />
          ))}
        </ul>
        <div className="form-buttons">
          {(["add", "import"] as const).map((which) => (
            <button
              key={which}
              type="button"
              data-opens={which}
              aria-expanded={open === which}
              onClick={() => setOpen(open === which ? null : which)}
            >
              {texts.settings.mcp.open[which]}
            </button>
          ))}
        </div>
        {open === "add" && <Form taken={names} onDone={(name) => void done(name === null ? [] : [name])} />}
        {open === "import" && <Import onDone={(added) => void done(added)} />}
      </section>
      <Browser />
    </>
  );
}

function Row({ server }: { server: McpServer }) {
  const { name, where, tools, changed_tools, state } = server;
  const { on, turn, restart, problem } = useServerActions(server);
  const shown = visibleText(name);
  return (
    <li className="row-item">
      <div className="row-main">
        <a href={mcpHref(name)} data-server={name} className="mcp-name">
          {visible(name)}
        </a>
        <State state={state} />
        <code className="row-words quiet">{visible(where)}</code>
        <div className="mcp-controls">
          {" "}
          <label className="check-label">
            <input
              type="checkbox"
              role="switch"
              aria-label={texts.settings.mcp.useServer(shown)}
              checked={on}
              onChange={(event) => turn(event.target.checked)}
            />
            {texts.settings.mcp.on}
          </label>
          <button
            type="button"
            className="small-button"
            aria-label={texts.settings.mcp.restartServer(shown)}
            disabled={!on}
            onClick={restart}
          >
            {texts.shared.restart}
          </button>
          <a className="button small-button" href={mcpHref(name)} aria-label={texts.settings.mcp.detailsOf(shown)}>
            {texts.settings.mcp.details}
          </a>
        </div>{" "}
      </div>
      {(state === "ready" || changed_tools > 0) && (
        <p className="quiet">
          {state === "ready" && texts.settings.mcp.tools(tools)}
          {changed_tools > 0 && <> {texts.settings.mcp.changedTools(changed_tools)}</>}
        </p>
      )}
      <Trouble server={server} />
      <Problem problem={problem} />
    </li>
  );
}
