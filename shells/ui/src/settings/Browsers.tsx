// The browsers that were signed in by a link, and a button for a new link.
import type { BearerInfo } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { CopyButton } from "../Buttons.js";
import { useEndpoint } from "../endpoint.js";
import { client } from "../engine.js";
import { texts } from "../messages.js";
import { said } from "../problems.js";
import { exactly, when } from "../words.js";
import { Problem } from "./Problem.js";

export default function BrowsersSection() {
  const browsers = useEndpoint<BearerInfo[]>("/api/handoff", ["heartbeat"]);
  const [link, setLink] = useState<{ url: string; expires_at: string } | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{texts.settings.sections.browsers}</h2>
      <p className="quiet">{texts.settings.browsers.lead}</p>
      <div className="form-buttons">
        <button
          type="button"
          onClick={() => {
            setProblem(null);
            client
              .call<{ url: string; expires_at: string }>("POST", "/api/handoff", {})
              .then(setLink, (error: unknown) => {
                setProblem(said(error));
              });
          }}
        >
          {texts.settings.browsers.create}
        </button>
        {link && (
          <>
            <CopyButton text={link.url} label={texts.settings.browsers.copy} />
            <span className="quiet" role="status">
              {texts.settings.browsers.holds(exactly(link.expires_at))}
            </span>
          </>
        )}
      </div>
      <Problem problem={problem ?? browsers.problem} />
      {browsers.data?.length === 0 && <p className="quiet">{texts.settings.browsers.none}</p>}
      <ul className="rows">
        {browsers.data?.map(({ bearer_id, created_at, last_used_at }) => (
          <li key={bearer_id} className="row-item">
            <div className="row-main">
              <span className="row-words">
                {texts.settings.browsers.signedIn(when(created_at), when(last_used_at), (words) => (
                  <span className="quiet">{words}</span>
                ))}
              </span>
              <button
                type="button"
                className="small-button danger"
                onClick={() => {
                  client
                    .call("DELETE", `/api/handoff/${encodeURIComponent(bearer_id)}`)
                    .then(browsers.reload, (error: unknown) => {
                      setProblem(said(error));
                    });
                }}
              >
                {texts.settings.browsers.signOut}
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
