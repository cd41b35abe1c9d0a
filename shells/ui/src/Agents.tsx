// The list of agents: what each can do, which model it uses, and the errors in its file.
import type { ReactNode } from "react";
import { Note } from "./Buttons.js";
import { usePicture } from "./engine.js";
import { texts } from "./messages.js";
import { PageScroller } from "./PageScroller.js";
import { visible } from "./Plain.js";
import { newHref } from "./route.js";

function placeOf(path: string | null | undefined, line: number | null | undefined): ReactNode {
  const file = path ? <code>{visible(path)}</code> : null;
  return line == null ? file : texts.agents.where(file, line);
}

export default function Agents() {
  const agents = usePicture((state) => state.agents);
  return (
    <PageScroller name="agents" label={texts.pages.agents}>
      <div className="page">
        <h1>{texts.pages.agents}</h1>
        <p className="lead">{texts.agents.lead}</p>
        <div className="cards">
          {agents.map(({ id, name, description, model, state, tools, source, path, problems }) => (
            <section key={`${source}:${id}`} className="card" aria-labelledby={`agent-${source}-${id}`}>
              <header>
                <h2 id={`agent-${source}-${id}`}>{visible(name)}</h2>
                <span className="badge">{texts.agents.sources[source] ?? source}</span>
                {state === "failed" ? (
                  <span className="badge badge-bad">{texts.agents.broken}</span>
                ) : (
                  <a className="button" href={newHref(id)}>
                    {texts.shared.newConversation}
                  </a>
                )}
              </header>
              {description !== "" && <p>{visible(description)}</p>}
              {problems.map((problem, place) => (
                <Note key={place} kind="warning">
                  {visible(problem.reason)}
                  <span className="hint">{placeOf(problem.path, problem.line)}</span>
                </Note>
              ))}
              {state !== "failed" && (
                <dl className="facts">
                  <dt>{texts.shared.model}</dt>
                  <dd>
                    {model === "" ? (
                      <a href="#/settings/models">{texts.agents.noModel}</a>
                    ) : (
                      <code>{visible(model)}</code>
                    )}
                  </dd>
                  <dt>{texts.agents.tools}</dt>
                  <dd>
                    {tools.length === 0 ? (
                      texts.shared.none
                    ) : (
                      <ul className="tags">
                        {tools.map((tool) => (
                          <li key={tool}>
                            <code>{visible(tool)}</code>
                          </li>
                        ))}
                      </ul>
                    )}
                  </dd>
                  {path !== null && (
                    <>
                      <dt>{texts.agents.file}</dt>
                      <dd>
                        <code>{visible(path)}</code>
                      </dd>
                    </>
                  )}
                </dl>
              )}
            </section>
          ))}
        </div>
      </div>
    </PageScroller>
  );
}
