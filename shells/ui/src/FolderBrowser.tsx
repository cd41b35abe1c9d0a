// Chooses a folder of the daemon's computer in a browser, which can't open the system's dialog for that.
import type { FolderInfo, FolderList } from "@aster-sidecar/client";
import { useEffect, useId, useState } from "react";
import { Icon } from "./Icon.js";
import { client } from "./engine.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";
import { said } from "./problems.js";
import { Problem } from "./settings/Problem.js";

interface FolderBrowserProps {
  /** Where to begin; empty: in the daemon's work folder. */
  begin: string;
  onChoose: (path: string) => void;
}

export function FolderBrowser({ begin, onChoose }: FolderBrowserProps) {
  const [path, setPath] = useState(begin);
  const [list, setList] = useState<FolderList | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  useEffect(() => {
    const left = new AbortController();
    client.folders(path === "" ? {} : { path }, { signal: left.signal }).then(
      (found) => {
        setList(found);
        setProblem(null);
      },
      (error: unknown) => {
        if (left.signal.aborted) return;
        setProblem(said(error));
        if (path !== "") setList((before) => before ?? null);
      },
    );
    return () => {
      left.abort();
    };
  }, [path]);
  const up = list?.parent ?? null;
  return (
    <div className="folders" role="group" aria-labelledby={`${id}-path`}>
      <Problem problem={problem} />
      {list && (
        <>
          {list.recent.length > 1 && (
            <div className="folders-recent">
              <span className="quiet">{texts.folders.recent}</span>
              {list.recent.map((one) => (
                <button
                  key={one.path}
                  type="button"
                  className="small-button"
                  title={one.path}
                  disabled={!one.usable}
                  onClick={() => {
                    setPath(one.path);
                  }}
                >
                  {visible(one.name === "" ? one.path : one.name)}
                </button>
              ))}
            </div>
          )}
          <div className="folders-head">
            <button
              type="button"
              className="icon-button"
              aria-label={texts.folders.up}
              title={texts.folders.up}
              disabled={up === null}
              onClick={() => {
                if (up !== null) setPath(up);
              }}
            >
              <Icon name="up" />
            </button>
            <code id={`${id}-path`} className="folders-path">
              {visible(list.path)}
            </code>
            <button
              type="button"
              className="primary"
              onClick={() => {
                onChoose(list.path);
              }}
            >
              {texts.folders.use}
            </button>
          </div>
          <ul className="folders-list" aria-label={texts.folders.list}>
            {list.folders.length === 0 && <li className="quiet">{texts.folders.empty}</li>}
            {list.folders.map((folder) => (
              <FolderRow key={folder.path} folder={folder} onOpen={setPath} />
            ))}
          </ul>
          {list.truncated && <p className="quiet">{texts.folders.truncated}</p>}
        </>
      )}
    </div>
  );
}

function FolderRow({ folder, onOpen }: { folder: FolderInfo; onOpen: (path: string) => void }) {
  return (
    <li>
      <button
        type="button"
        className="folders-row"
        disabled={!folder.usable}
        onClick={() => {
          onOpen(folder.path);
        }}
      >
        <span>{visible(folder.name)}</span>
        {folder.project && <span className="badge">{texts.folders.project}</span>}
      </button>
    </li>
  );
}
