// Browsers that were signed in by a link, and a new link.
import type { BearerInfo } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { CopyButton } from "../Buttons.js";
import { useEndpoint } from "../endpoint.js";
import { client } from "../engine.js";
import { exactly, said, when } from "../words.js";
import { Problem } from "./Problem.js";

export default function BrowsersSection() {
  const browsers = useEndpoint<BearerInfo[]>("/api/handoff", ["heartbeat"]);
  const [link, setLink] = useState<{ url: string; expires_at: string } | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>Other browsers</h2>
      <p className="quiet">A link signs in one browser on this machine. It works once, within a minute.</p>
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
          Create a link
        </button>
        {link && (
          <>
            <CopyButton text={link.url} label="Copy the link" />
            <span className="quiet" role="status">
              It holds until {exactly(link.expires_at)}.
            </span>
          </>
        )}
      </div>
      <Problem problem={problem ?? browsers.problem} />
      {browsers.data?.length === 0 && <p className="quiet">No other browser is signed in.</p>}
      <ul className="rows">
        {browsers.data?.map(({ bearer_id, created_at, last_used_at }) => (
          <li key={bearer_id} className="row-item">
            <div className="row-main">
              <span className="row-words">
                Signed in {when(created_at)}
                <span className="quiet">, used {when(last_used_at)}</span>
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
                Sign out
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
