// What the project of a conversation's folder brings along, and whether the person trusts it.
import type { TrustView } from "@aster-sidecar/client";
import { useState } from "react";
import { Note } from "./Buttons.js";
import { useEndpoint } from "./endpoint.js";
import { client } from "./engine.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";
import { said } from "./problems.js";
import { Problem } from "./settings/Problem.js";

export function ProjectTrust({ folder }: { folder: string }) {
  const path = `/api/trust?path=${encodeURIComponent(folder)}`;
  const view = useEndpoint<TrustView>(path, ["agents_changed", "config_changed"]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const project = view.data;
  const directory = project?.directory ?? null;
  if (project === null || directory === null) return null;
  const { trusted, digest, files, changed, problems } = project;
  if (!trusted && files.length === 0) return null;

  function act(answer: Promise<TrustView>): void {
    setBusy(true);
    setProblem(null);
    answer
      .then(view.set, (error: unknown) => {
        setProblem(said(error));
        view.reload(); // the files may have changed since they were shown
      })
      .finally(() => {
        setBusy(false);
      });
  }

  return (
    <section className="trust">
      <Note
        kind={trusted && changed.length === 0 ? "info" : "warning"}
        actions={
          trusted ? (
            <button type="button" disabled={busy} onClick={() => act(client.trust.remove(directory))}>
              {texts.trust.remove}
            </button>
          ) : (
            <button type="button" disabled={busy} onClick={() => act(client.trust.add({ path: directory, digest }))}>
              {texts.trust.add}
            </button>
          )
        }
      >
        <p>{trusted ? texts.trust.trusted : texts.trust.untrusted}</p>
        {changed.length > 0 && <p>{texts.trust.changed(changed.map(({ name }) => name).join(", "))}</p>}
      </Note>
      <Problem problem={problem} />
      <details>
        <summary>{texts.trust.files(files.length)}</summary>
        {files.map(({ name, text, problem: wrong }) => (
          <figure key={name}>
            <figcaption>
              <code>{visible(name)}</code>
            </figcaption>
            {text !== null && <pre className="plain">{visible(text)}</pre>}
            {wrong !== null && <p className="quiet">{visible(wrong)}</p>}
          </figure>
        ))}
        {problems.map((words) => (
          <p key={words} className="quiet">
            {visible(words)}
          </p>
        ))}
      </details>
    </section>
  );
}
