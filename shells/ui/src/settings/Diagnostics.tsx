// A file for support: versions, states and logs. It contains conversations only if you choose that.
import type { DiagnosticsInfo } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { useEndpoint } from "../endpoint.js";
import { bearer, client, host } from "../engine.js";
import { texts } from "../messages.js";
import { visible } from "../Plain.js";
import { said } from "../problems.js";
import { bytes, when } from "../words.js";
import { Problem } from "./Problem.js";

export default function DiagnosticsSection() {
  const files = useEndpoint<DiagnosticsInfo[]>("/api/diagnostics");
  const [messages, setMessages] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();

  async function make(): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      await client.call("POST", "/api/diagnostics", { include_messages: messages });
      files.reload();
    } catch (error) {
      setProblem(said(error));
    } finally {
      setBusy(false);
    }
  }

  async function download(name: string): Promise<void> {
    setProblem(null);
    try {
      const token = bearer();
      const answer = await fetch(`/api/diagnostics/${encodeURIComponent(name)}`, {
        headers: token === null ? {} : { Authorization: `Bearer ${token}` },
      });
      if (!answer.ok) throw new Error(texts.settings.diagnostics.refused(answer.status));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = name;
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      setProblem(said(error));
    }
  }

  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{texts.settings.sections.diagnostics}</h2>
      <p className="quiet">{texts.settings.diagnostics.lead}</p>
      <label className="check-label">
        <input type="checkbox" checked={messages} onChange={(event) => setMessages(event.target.checked)} />
        {texts.settings.diagnostics.includeMessages}
      </label>
      <div className="form-buttons">
        <button type="button" className="primary" disabled={busy} onClick={() => void make()}>
          {busy ? texts.settings.diagnostics.collecting : texts.settings.diagnostics.create}
        </button>
        {host && (
          <button type="button" onClick={() => void host?.exportDiagnostics()}>
            {texts.settings.diagnostics.show}
          </button>
        )}
      </div>
      <Problem problem={problem ?? files.problem} />
      <ul className="rows">
        {files.data?.map(({ name, path, bytes: size, created_at }) => (
          <li key={name} className="row-item">
            <div className="row-main">
              <span className="row-words">
                <code>{visible(path)}</code>{" "}
                <span className="quiet">{texts.settings.diagnostics.facts(bytes(size), when(created_at))}</span>
              </span>
              {!host && (
                <button type="button" className="small-button" onClick={() => void download(name)}>
                  {texts.settings.diagnostics.download}
                </button>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
