// The agents there are: what each can do, with which model, and what is wrong with its file.
import { Note } from "./Buttons.js";
import { usePicture } from "./engine.js";
import { PageScroller } from "./PageScroller.js";
import { visible } from "./Plain.js";
import { newHref } from "./route.js";

const SOURCE: Record<string, string> = {
  builtin: "built in",
  code: "from the app",
  user: "your file",
  project: "from the project",
};

export default function Agents() {
  const agents = usePicture((state) => state.agents);
  return (
    <PageScroller name="agents" label="Agents">
      <div className="page">
        <h1>Agents</h1>
        <p className="lead">
          Each agent has its own instructions, tools and model. None can do more than your permissions allow.
        </p>
        <div className="cards">
          {agents.map(({ id, name, description, model, state, tools, source, path, problems }) => (
            <section key={`${source}:${id}`} className="card" aria-labelledby={`agent-${source}-${id}`}>
              <header>
                <h2 id={`agent-${source}-${id}`}>{visible(name)}</h2>
                <span className="badge">{SOURCE[source] ?? source}</span>
                {state === "failed" ? (
                  <span className="badge badge-bad">broken</span>
                ) : (
                  <a className="button" href={newHref(id)}>
                    New conversation
                  </a>
                )}
              </header>
              {description !== "" && <p>{visible(description)}</p>}
              {problems.map((problem, place) => (
                <Note key={place} kind="warning">
                  {visible(problem.reason)}
                  <span className="hint">
                    {problem.path && <code>{visible(problem.path)}</code>}
                    {problem.line != null && <>, line {problem.line}</>}
                  </span>
                </Note>
              ))}
              {state !== "failed" && (
                <dl className="facts">
                  <dt>Model</dt>
                  <dd>
                    {model === "" ? <a href="#/settings/models">no model chosen</a> : <code>{visible(model)}</code>}
                  </dd>
                  <dt>Tools</dt>
                  <dd>
                    {tools.length === 0 ? (
                      "none"
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
                      <dt>File</dt>
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
