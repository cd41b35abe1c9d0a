// The agents' browser: on or off, what it may open, and what is wrong with it.
import type { BrowserInfo } from "@aster-sidecar/client";
import { useId, useState, type SyntheticEvent } from "react";
import { Note } from "../../Buttons.js";
import { useEndpoint } from "../../endpoint.js";
import { client, usePicture } from "../../engine.js";
import { texts } from "../../messages.js";
import { visible, visibleText } from "../../Plain.js";
import { said } from "../../problems.js";
import { capital, sentence } from "../../words.js";
import { Problem } from "../Problem.js";
import { State, Trouble } from "./State.js";

const PATH = "/api/browser";

export function Browser() {
  const { data, set, problem } = useEndpoint<BrowserInfo>(PATH, ["mcp_changed", "flags_changed"]);
  const [failed, setFailed] = useState<ReturnType<typeof said> | null>(null);
  /** What is being saved is shown as if it were set already. */
  const [wanted, setWanted] = useState<Partial<Pick<BrowserInfo, "enabled" | "headless" | "isolated">>>({});
  const server = usePicture((state) => state.mcp.find(({ managed }) => managed));
  const [host, setHost] = useState("");
  const id = useId();
  if (data === null) return <Problem problem={problem} />;
  const { allow } = data;
  const { enabled, headless, isolated } = { ...data, ...wanted };

  async function change(patch: object): Promise<boolean> {
    setFailed(null);
    try {
      set(await client.call<BrowserInfo>("POST", PATH, patch));
      return true;
    } catch (error) {
      setFailed(said(error));
      return false;
    }
  }

  function turn(patch: typeof wanted): void {
    setWanted(patch);
    void change(patch).finally(() => setWanted({}));
  }

  function add(event: SyntheticEvent): void {
    event.preventDefault();
    const given = host.trim();
    if (given === "") return;
    void change({ allow: [...allow.filter((one) => one !== given), given] }).then((done) => {
      if (done) setHost("");
    });
  }

  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{texts.settings.mcp.browser.title}</h2>
      <p className="quiet">{texts.settings.mcp.browser.lead}</p>
      <div className="row-main">
        <label className="check-label">
          <input
            type="checkbox"
            role="switch"
            checked={enabled}
            onChange={(event) => turn({ enabled: event.target.checked })}
          />
          {texts.settings.mcp.browser.use}
        </label>
        {server && <State state={server.state} />}
      </div>
      <Problem problem={failed} />
      {data.problem && (
        <Note kind="warning">
          {visible(capital(sentence(data.problem)))}
          {data.hint && <span className="hint">{visible(capital(data.hint))}</span>}
        </Note>
      )}
      {server && <Trouble server={server} />}
      {data.unsandboxed && <p className="quiet">{texts.settings.mcp.browser.unsandboxed(visible(data.unsandboxed))}</p>}
      {data.enabled && (
        <>
          <div className="mcp-checks">
            <label className="check-label">
              <input
                type="checkbox"
                role="switch"
                checked={headless === true}
                aria-describedby={`${id}-again`}
                // Null: with windows, where there is a display.
                onChange={(event) => turn({ headless: event.target.checked || null })}
              />
              {texts.settings.mcp.browser.headless}
            </label>
            <label className="check-label">
              <input
                type="checkbox"
                role="switch"
                checked={isolated}
                aria-describedby={`${id}-again`}
                onChange={(event) => turn({ isolated: event.target.checked })}
              />
              {texts.settings.mcp.browser.isolated}
            </label>
          </div>
          <p id={`${id}-again`} className="quiet">
            {texts.settings.mcp.browser.again}
          </p>
          <p className="quiet">{texts.settings.mcp.browser.allowed}</p>
          <ul className="rows">
            {allow.map((one) => (
              <li key={one} className="row-item">
                <div className="row-main">
                  <code className="row-words">{visible(one)}</code>
                  <button
                    type="button"
                    className="small-button"
                    aria-label={texts.settings.mcp.browser.disallow(visibleText(one))}
                    onClick={() => void change({ allow: allow.filter((other) => other !== one) })}
                  >
                    {texts.shared.remove}
                  </button>
                </div>
              </li>
            ))}
          </ul>
          <form className="form-buttons" onSubmit={add}>
            <input
              aria-label={texts.settings.mcp.browser.host}
              placeholder={texts.settings.mcp.browser.example}
              spellCheck={false}
              autoCapitalize="off"
              value={host}
              onChange={(event) => setHost(event.target.value)}
            />
            <button type="submit">{texts.settings.mcp.browser.allow}</button>
          </form>
          {data.refused.length > 0 && (
            <details className="mcp-problems">
              <summary>{texts.settings.mcp.browser.refused(data.refused.length)}</summary>
              <ul className="quiet">
                {data.refused.map((words, place) => (
                  <li key={place}>{visible(words)}</li>
                ))}
              </ul>
            </details>
          )}
        </>
      )}
    </section>
  );
}
